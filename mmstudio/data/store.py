"""Decoded content in a memory-mapped file: each file is decoded once, whoever trains on it.

One folder per input, named by what went into it: modality, settings, and each value's text or
path, size and time of change. ``data.bin`` holds all arrays one after the other, ``starts.npy``
where each begins, ``index.json`` the rest. A folder is made beside its place and renamed into it
when all is on the disk, so one that is there is whole, whenever the process was killed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmstudio.data.store_space import DATA, Hold, make_room, remove, store_dir
from mmstudio.errors import UserError
from mmstudio.modalities import Modality
from mmstudio.modalities.base import Value

WORKERS = min(8, os.cpu_count() or 1)
AT_ONCE = 256
"""The most values that one thread decodes before it hands them over."""
CHUNK_BYTES = 1 << 20
"""A thread hands over what it decoded as soon as it is this much."""
IN_FLIGHT_BYTES = 128 << 20
"""Decoded and not yet written; bounds the memory, whatever the number of files."""
SYNC_BYTES = 64 << 20
"""Written to the disk beside the decoding, this much at a time."""
FORMAT = 2
"""Of the folders; another one is decoded anew."""


@dataclass(frozen=True)
class Decoded:
    """One input's rows, read from disk as they are asked for.

    ``errors`` tells per row why its content could not be read; such a row is absent. While it
    lives, its folder is in use and stays.
    """

    data: np.ndarray
    starts: np.ndarray
    tail: tuple[int, ...]
    errors: dict[int, str]
    hold: Hold | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.starts) - 1

    def row(self, row: int) -> np.ndarray | None:
        """The array of a row, None where the input is absent."""
        start, end = self.starts[row], self.starts[row + 1]
        if end == start:
            return None
        return self.data[start:end].reshape(-1, *self.tail)


def key_of(modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]) -> str:
    """The name of the folder for this content and these settings."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([modality.name, FORMAT, spec], sort_keys=True).encode())
    here = os.getcwd()
    for begin in range(0, len(values), AT_ONCE):
        marks = [_mark(value, here) for value in values[begin : begin + AT_ONCE]]
        digest.update("\x1e".join(marks).encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()


def _mark(value: Value | None, here: str) -> str:
    """What a value is known by; a file by its place, its size and the times of its change."""
    if value is None:
        return "\x1f"
    if not isinstance(value, Path):
        return f"text\x1f{value}"
    path = os.path.join(here, value)
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return f"{path}\x1fmissing"
    # The time of the last change of permissions too: what could not be read may be readable now,
    # and programs that copy files may set the other time back.
    return f"{path}\x1f{stat.st_size}\x1f{stat.st_mtime_ns}\x1f{stat.st_ctime_ns}"


def decode_all(
    modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]
) -> Iterator[int | Decoded]:
    """Open the decoded rows, decoding them first where that was not done yet.

    Yields:
        How many rows are done, now and then; last the rows. Closing the generator stops the work
        and removes what was begun.

    Raises:
        UserError: The store's folder can't be written.
    """
    folder = store_dir() / key_of(modality, spec, values)
    rows = _opened(folder, modality)
    if rows is None:
        begun = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            make_room()
            hold = _begin(begun)
            with (begun / DATA).open("wb") as file:
                yield from _decode_into(file, begun, modality, spec, values)
            if os.name == "nt":
                hold.release()  # Windows renames no folder with a file that is open
            _put_in_place(begun, folder, modality)
            rows = _opened(folder, modality)
            hold.release()
            make_room()
        except OSError as error:
            raise _not_kept(folder.parent, error) from None
        finally:
            shutil.rmtree(begun, ignore_errors=True)
        if rows is None:
            raise UserError(f"Decoded data can't be read from {folder}.",
                            "Set MMSTUDIO_CACHE to another folder.")
    yield rows


def _begin(folder: Path, attempts: int = 5) -> Hold:
    """Make a folder and hold it, so that others don't take it for what a killed process left."""
    while True:
        attempts -= 1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / DATA).touch()
            return Hold(folder / DATA)
        except FileNotFoundError:  # another one's cleaning came between
            if not attempts:
                raise


def _put_in_place(begun: Path, folder: Path, modality: Modality) -> None:
    try:
        begun.replace(folder)
    except OSError:
        # another process finished the same work first, or a torn folder is in the way
        if _opened(folder, modality) is None:
            remove(folder)
            begun.replace(folder)


def _not_kept(store: Path, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"Decoded data can't be kept in {store}: the disk is full.",
                         "Free some space, or set MMSTUDIO_CACHE to a folder on another disk.")
    return UserError(f"Decoded data can't be kept in {store}: {error}.",
                     "Free some space, or set MMSTUDIO_CACHE to another folder.")


# Decoding --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Chunk:
    """Some rows, decoded: their arrays in one block, and each one's number of elements."""

    block: np.ndarray
    sizes: list[int]
    tail: tuple[int, ...] | None
    errors: dict[int, str]
    largest: int


def _decode_into(
    file: BinaryIO,
    folder: Path,
    modality: Modality,
    spec: Mapping[str, Any],
    values: Sequence[Value | None],
) -> Iterator[int]:
    sizes = np.zeros(len(values) + 1, dtype=np.int64)
    errors: dict[int, str] = {}
    tail: tuple[int, ...] = ()
    done = unsynced = 0
    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for chunk in _decoded(modality, spec, values):
            file.write(chunk.block.data)
            sizes[done + 1 : done + 1 + len(chunk.sizes)] = chunk.sizes
            errors.update((done + at, message) for at, message in chunk.errors.items())
            tail = tail if chunk.tail is None else chunk.tail
            done += len(chunk.sizes)
            unsynced += chunk.block.nbytes
            if unsynced > SYNC_BYTES:  # so that not all of it is left for the end
                writer.submit(os.fsync, file.fileno())
                unsynced = 0
            yield done
    _sync(file)
    with (folder / "starts.npy").open("wb") as starts:
        np.save(starts, np.cumsum(sizes))
        _sync(starts)
    index = {"format": FORMAT, "rows": len(values), "tail": tail, "errors": errors}
    with (folder / "index.json").open("w", encoding="utf-8") as text:
        json.dump(index, text)
        _sync(text)


def _sync(file: Any) -> None:
    """Have it on the disk, so that a power cut leaves no folder of zeros behind."""
    file.flush()
    os.fsync(file.fileno())


def _decoded(
    modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]
) -> Iterator[_Chunk]:
    """All values in their order, decoded by several threads and a bounded number of bytes ahead."""

    def work(start: int, end: int) -> _Chunk:
        return _decode_some(modality, spec, values[start:end])

    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")
    line: deque[tuple[int, int, Future[_Chunk]]] = deque()
    ahead = largest = 0
    try:
        while ahead < len(values) or line:
            # what a chunk may come to: it ends with the value that makes it large enough
            room = max(1, IN_FLIGHT_BYTES // (CHUNK_BYTES + largest))
            count = AT_ONCE if not largest else max(1, min(AT_ONCE, CHUNK_BYTES // largest))
            while ahead < len(values) and len(line) < min(room, 3 * WORKERS):
                end = min(len(values), ahead + count)
                line.append((ahead, end, pool.submit(work, ahead, end)))
                ahead = end
            start, end, future = line.popleft()
            chunk = future.result()
            start += len(chunk.sizes)
            if start < end:
                line.appendleft((start, end, pool.submit(work, start, end)))
            largest = max(largest, chunk.largest)
            yield chunk
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _decode_some(
    modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]
) -> _Chunk:
    """The first of these values, until there is enough to be handed over."""
    arrays, sizes, errors = [], [], {}
    tail: tuple[int, ...] | None = None
    held = largest = 0
    for at, value in enumerate(values):
        size = 0
        if value is not None:
            try:
                array = modality.decode(value, spec)
                arrays.append(array.ravel())
                tail, size = array.shape[1:], array.size
                held += array.nbytes
                largest = max(largest, array.nbytes)
            except UserError as error:
                errors[at] = str(error)
            except MemoryError:
                errors[at] = f"{value} needs more memory than there is. Make it smaller."
        sizes.append(size)
        if held >= CHUNK_BYTES:
            break
    block = np.concatenate(arrays) if arrays else np.zeros(0, modality.dtype)
    return _Chunk(block, sizes, tail, errors, largest)


# Opening ---------------------------------------------------------------------------------------


def _opened(folder: Path, modality: Modality) -> Decoded | None:
    """The rows of a folder, None where it is not there, not finished or damaged."""
    path = folder / DATA
    hold = None
    try:
        hold = Hold(path)
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        starts = np.load(folder / "starts.npy")
        errors = {int(row): str(message) for row, message in index["errors"].items()}
        tail = tuple(index["tail"])
        expected = int(starts[-1]) * np.dtype(modality.dtype).itemsize
        if index["format"] != FORMAT or len(starts) != index["rows"] + 1:
            raise ValueError("another format")
        if path.stat().st_size != expected:
            raise ValueError("not whole")
        data = (np.memmap(path, dtype=modality.dtype, mode="r") if expected
                else np.zeros(0, modality.dtype))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError):
        if hold is not None:
            hold.release()
        return None
    with suppress(OSError):
        os.utime(folder / "index.json")  # the time of its last use
    return Decoded(data, starts, tail, errors, hold)
