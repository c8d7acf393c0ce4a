"""Rows of arrays in a memory-mapped file, made once and kept: the folders of the store.

``data.bin`` holds all arrays one after the other, ``starts.npy`` where each begins, ``index.json``
the rest, checksums among it. A folder is made beside its place and renamed into it when all is on
the disk, so one that is there is whole, whenever the process was killed; one that a disk has
damaged since is found out when it is opened, or some days later, and made again.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmstudio.data.checksums import Checksums, verified, written
from mmstudio.data.store_space import DATA, Hold, make_room, remove, store_dir
from mmstudio.errors import UserError

SYNC_BYTES = 64 << 20
"""Written to the disk beside the work, this much at a time."""
FORMAT = 3
"""Of the folders; another one is made again."""
STARTS, CONTENTS = "starts.npy", "contents.npy"
TOLD_BYTES = 256 << 20
"""While a folder is read through, progress is told after so much."""


@dataclass(frozen=True)
class Decoded:
    """One input's rows, read from disk as they are asked for.

    ``errors`` tells per row why its content could not be read; such a row is absent. ``key`` names
    all that it was made of; ``checksums`` are those of its blocks. While it lives, its folder is in
    use and stays.
    """

    data: np.ndarray
    starts: np.ndarray
    tail: tuple[int, ...]
    errors: dict[int, str]
    key: str = ""
    hold: Hold | None = field(default=None, repr=False, compare=False)
    checksums: tuple[int, ...] = field(default=(), repr=False, compare=False)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.starts) - 1

    def row(self, row: int) -> np.ndarray | None:
        """The array of a row, None where the input is absent."""
        start, end = self.starts[row], self.starts[row + 1]
        if end == start:
            return None
        return self.data[start:end].reshape(-1, *self.tail)


@dataclass(frozen=True)
class Chunk:
    """Some rows: their arrays in one block, and each one's number of elements, 0 where absent.

    ``errors`` says why by the place in the chunk; ``largest`` is the bytes of the largest.
    """

    block: np.ndarray
    sizes: list[int]
    tail: tuple[int, ...] | None
    errors: dict[int, str] = field(default_factory=dict)
    largest: int = 0


def exists(key: str, dtype: str) -> bool:
    """Whether the rows of this name were made, by their index and size: nothing is read through."""
    try:
        rows = _opened(store_dir() / key, dtype)
    except OSError:
        return False
    if rows is not None and rows.hold is not None:
        rows.hold.release()
    return rows is not None


def opened(key: str, dtype: str) -> Decoded | None:
    """The rows of this name, None where they were not made yet, are damaged or can't be opened."""
    folder = store_dir() / key
    try:
        rows = _opened(folder, dtype)
        if rows is None:
            return None
        with _damage_discarded(rows, folder):
            for _ in verified(folder / DATA, rows.checksums):
                pass
    except (OSError, ValueError):
        return None
    return rows


def contents_of(key: str) -> np.ndarray | None:
    """``(N,)`` what the rows of this name were made of, where that was told; else None."""
    folder = store_dir() / key
    try:
        index = _index(folder)
        return _array(folder, CONTENTS, index) if CONTENTS in index["checksums"] else None
    except _DAMAGE:
        return None


def kept(
    key: str, dtype: str, count: int, chunks: Callable[[], Iterator[Chunk]],
    contents: Callable[[], np.ndarray] | None = None,
) -> Iterator[int | Decoded]:
    """Open the rows of a name, making them first where that was not done yet.

    Args:
        key: Names all that the rows are made of.
        dtype: Of the arrays.
        count: How many rows there are.
        chunks: Makes them, in their order.
        contents: ``(N,)`` uint64, equal where rows are made of the same; kept beside them.

    Yields:
        How many rows are done, now and then; last the rows. Closing the generator stops the work
        and removes what was begun.

    Raises:
        UserError: The store's folder can't be written.
    """
    folder = store_dir() / key
    try:
        rows = _opened(folder, dtype)
        if rows is not None:
            told = 0
            with _damage_discarded(rows, folder):
                for done in verified(folder / DATA, rows.checksums):
                    if done - told >= TOLD_BYTES:
                        told = done
                        yield count * done // max(1, rows.data.nbytes)
    except OSError as error:
        if error.errno != errno.EIO:
            raise UserError(f"Decoded data can't be read from {folder}: {error.strerror}.",
                            _REMEDIES.get(error.errno or 0, "Start again.")) from None
        rows = None
    except ValueError:
        rows = None
    if rows is None:
        begun = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            make_room()
            hold = _begin(begun)
            with (begun / DATA).open("wb") as file:
                yield from _write_into(file, begun, count, chunks(), contents)
            if os.name == "nt":
                hold.release()  # Windows renames no folder with a file that is open
            _put_in_place(begun, folder, dtype)
            rows = _opened(folder, dtype)
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


@contextmanager
def _damage_discarded(rows: Decoded, folder: Path) -> Iterator[None]:
    """Take a folder out of the way where reading it shows that it is damaged.

    A wrong checksum and a failing disk do; that no more files can be opened, say, does not.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno != errno.EIO:
            raise
        if rows.hold is not None:
            rows.hold.release()
        remove(folder)
        raise


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


def _put_in_place(begun: Path, folder: Path, dtype: str) -> None:
    try:
        begun.replace(folder)
    except OSError:
        # another process finished the same work first, or a torn folder is in the way
        if _opened(folder, dtype) is None:
            remove(folder)
            begun.replace(folder)


def _not_kept(store: Path, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"Decoded data can't be kept in {store}: the disk is full.",
                         "Free some space, or set MMSTUDIO_CACHE to a folder on another disk.")
    return UserError(f"Decoded data can't be kept in {store}: {error}.",
                     "Free some space, or set MMSTUDIO_CACHE to another folder.")


def _write_into(
    file: BinaryIO, folder: Path, count: int, chunks: Iterator[Chunk],
    contents: Callable[[], np.ndarray] | None,
) -> Iterator[int]:
    sizes = np.zeros(count + 1, dtype=np.int64)
    errors: dict[int, str] = {}
    tail: tuple[int, ...] = ()
    done = unsynced = 0
    checksums = Checksums()
    with ThreadPoolExecutor(1, thread_name_prefix="write") as writer:
        for chunk in chunks:
            part = chunk.block.data.cast("B") if chunk.block.size else memoryview(b"")
            file.write(part)
            checksums.add(part)
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
    written(file)
    arrays = {STARTS: np.cumsum(sizes)} | ({} if contents is None else {CONTENTS: contents()})
    told: dict[str, Any] = {DATA: checksums.finished()}
    for name, array in arrays.items():
        with (folder / name).open("wb") as beside:
            np.save(beside, array)
            _sync(beside)
        told[name] = zlib.crc32(np.ascontiguousarray(array).data)
    index = {"format": FORMAT, "rows": count, "tail": tail,
             "errors": {str(row): message for row, message in errors.items()}, "checksums": told}
    with (folder / "index.json").open("w", encoding="utf-8") as text:
        json.dump(index | {"own": _own(index)}, text)
        _sync(text)


def _own(index: Mapping[str, Any]) -> int:
    """The checksum of all else that an index holds."""
    return zlib.crc32(json.dumps({k: v for k, v in index.items() if k != "own"},
                                 sort_keys=True).encode())


def _sync(file: Any) -> None:
    """Have it on the disk, so that a power cut leaves no folder of zeros behind."""
    file.flush()
    os.fsync(file.fileno())


_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError,
           RecursionError)
"""What reading a damaged folder may run into."""
_REMEDIES = {errno.EMFILE: "Allow this program more open files (ulimit -n).",
             errno.ENFILE: "Close other programs: the system has too many files open.",
             errno.ENOMEM: "Close other programs: the memory is full."}
"""By what passes, and tells nothing of a folder."""


def _index(folder: Path) -> dict[str, Any]:
    """What a folder's index says. Raises one of ``_DAMAGE``."""
    index: dict[str, Any] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    if index["format"] != FORMAT or index["own"] != _own(index):
        raise ValueError("another format, or damaged")
    return index


def _array(folder: Path, name: str, index: Mapping[str, Any]) -> np.ndarray:
    """An array that is read whole. Raises one of ``_DAMAGE``."""
    array: np.ndarray = np.load(folder / name)
    if zlib.crc32(np.ascontiguousarray(array).data) != index["checksums"][name]:
        raise ValueError(f"{name} is damaged")
    return array


def _opened(folder: Path, dtype: str) -> Decoded | None:
    """The rows of a folder, None where it is not there, not finished or damaged.

    The arrays themselves are left for ``verified`` to look at.

    Raises:
        OSError: There are too many open files, or too little memory, to tell.
    """
    path = folder / DATA
    hold = None
    try:
        hold = Hold(path)
        index = _index(folder)
        starts = _array(folder, STARTS, index)
        errors = {int(row): str(message) for row, message in index["errors"].items()}
        tail = tuple(index["tail"])
        checksums = tuple(index["checksums"][DATA])
        expected = int(starts[-1]) * np.dtype(dtype).itemsize
        if len(starts) != index["rows"] + 1:
            raise ValueError("another number of rows")
        # before it is mapped: what is read beyond the end of a file ends the process
        if path.stat().st_size != expected:
            raise ValueError("not whole")
        # a plain view of the mapped file: taking a row of a memmap takes ten times as long
        data = (np.asarray(np.memmap(path, dtype=dtype, mode="r")) if expected
                else np.zeros(0, dtype))
        if data.nbytes != expected:
            raise ValueError("not whole any more")
    except _DAMAGE as error:
        if hold is not None:
            hold.release()
        if isinstance(error, OSError) and error.errno in _REMEDIES:
            raise
        return None
    with suppress(OSError):
        os.utime(folder / "index.json")  # the time of its last use
    return Decoded(data, starts, tail, errors, folder.name, hold, checksums)
