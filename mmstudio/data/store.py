"""Decoded content in a memory-mapped file: each file is decoded once, whoever trains on it.

One folder per input, named by what went into it: modality, settings, and each value's text or
path, size and time of change. ``data.bin`` holds all arrays one after the other, ``index.json``
where each starts; the index is written last, so a folder that was not finished is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities import Modality
from mmstudio.modalities.base import Value
from mmstudio.paths import cache_dir

WORKERS = min(8, os.cpu_count() or 1)
AT_ONCE = 256
"""Values being decoded at any time; bounds the memory."""


@dataclass(frozen=True)
class Decoded:
    """One input's rows, read from disk as they are asked for.

    ``errors`` tells per row why its content could not be read; such a row is absent.
    """

    data: np.ndarray
    starts: np.ndarray
    tail: tuple[int, ...]
    errors: dict[int, str]

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
    digest.update(json.dumps([modality.name, 1, spec], sort_keys=True).encode())
    for value in values:
        if isinstance(value, Path):
            try:
                stat = os.stat(value)
                mark = f"{value}\x1f{stat.st_size}\x1f{stat.st_mtime_ns}"
            except (OSError, ValueError):
                mark = f"{value}\x1fmissing"
        else:
            mark = "\x1f" if value is None else f"text\x1f{value}"
        digest.update(mark.encode("utf-8", "surrogateescape") + b"\x1e")
    return digest.hexdigest()


def decode_all(
    modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]
) -> Iterator[int | Decoded]:
    """Open the decoded rows, decoding them first where that was not done yet.

    Yields:
        How many rows are done, now and then; last the rows. Closing the generator stops the work
        and removes what was begun.
    """
    folder = cache_dir() / "store" / key_of(modality, spec, values)
    rows = _opened(folder, modality)
    if rows is None:
        begun = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            begun.mkdir(parents=True)
            yield from _decode_into(begun, modality, spec, values)
            try:
                begun.replace(folder)
            except OSError:
                # another process finished the same work first, or a torn folder is in the way
                if _opened(folder, modality) is None:
                    shutil.rmtree(folder, ignore_errors=True)
                    begun.replace(folder)
        except OSError as error:
            raise UserError(f"Decoded data can't be kept in {folder.parent}: {error}.",
                            "Free some space, or set MMSTUDIO_CACHE to another folder.") from None
        finally:
            shutil.rmtree(begun, ignore_errors=True)
        rows = _opened(folder, modality)
        if rows is None:
            raise UserError(f"Decoded data can't be read from {folder}.",
                            "Set MMSTUDIO_CACHE to another folder.")
    yield rows


def _decode_into(
    folder: Path, modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]
) -> Iterator[int]:
    starts, errors = [0], {}
    tail: tuple[int, ...] = ()
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")
    waiting: dict[int, Future[np.ndarray]] = {}
    try:
        with (folder / "data.bin").open("wb") as file:
            ahead = 0
            for row, value in enumerate(values):
                while ahead < len(values) and ahead < row + AT_ONCE:
                    following = values[ahead]
                    if following is not None:
                        waiting[ahead] = pool.submit(modality.decode, following, spec)
                    ahead += 1
                size = 0
                if value is not None:
                    try:
                        array = waiting.pop(row).result()
                        tail, size = array.shape[1:], array.size
                        file.write(np.ascontiguousarray(array).data)
                    except UserError as error:
                        errors[row] = str(error)
                starts.append(starts[-1] + size)
                if row % 64 == 63:
                    yield row + 1
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    index = {"starts": starts, "tail": tail, "errors": errors}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _opened(folder: Path, modality: Modality) -> Decoded | None:
    """The rows of a folder, None where it is not there, not finished or damaged."""
    path = folder / "data.bin"
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        starts = np.array(index["starts"], dtype=np.int64)
        errors = {int(row): message for row, message in index["errors"].items()}
        tail = tuple(index["tail"])
        if path.stat().st_size != starts[-1] * np.dtype(modality.dtype).itemsize:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / "index.json")
    data = (np.memmap(path, dtype=modality.dtype, mode="r") if starts[-1]
            else np.zeros(0, modality.dtype))
    return Decoded(data, starts, tail, errors)
