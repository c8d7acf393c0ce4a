"""Decoded content on the disk: each file is decoded once, whoever trains on it.

One folder per input (see ``mapped_rows``), named by what went into it: modality, settings, and each
value's text or path, size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.mapped_rows import FORMAT, Chunk, kept
from mmstudio.data.mapped_rows import Decoded as Decoded
from mmstudio.errors import UserError
from mmstudio.modalities import Modality
from mmstudio.modalities.base import Value
from mmstudio.own_components import source_of

WORKERS = min(8, os.cpu_count() or 1)
AT_ONCE = 256
"""The most values that one thread decodes before it hands them over."""
CHUNK_BYTES = 1 << 20
"""A thread hands over what it decoded as soon as it is this much."""
IN_FLIGHT_BYTES = 128 << 20
"""Decoded and not yet written; bounds the memory, whatever the number of files."""

_UNKNOWN = uuid.uuid4().hex
"""Stands for code that can't be read: nobody knows whether another process has the same."""


def key_of(modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]) -> str:
    """The name of the folder for this content and these settings.

    What a modality of one's own makes of them depends on its code and its options too.
    """
    digest = hashlib.blake2b(digest_size=16)
    whose = [modality.name, FORMAT, spec, *_own(modality)]
    digest.update(json.dumps(whose, sort_keys=True).encode())
    here = os.getcwd()
    for begin in range(0, len(values), AT_ONCE):
        marks = [_mark(value, here) for value in values[begin : begin + AT_ONCE]]
        digest.update("\x1e".join(marks).encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()


def _own(modality: Modality) -> list[Any]:
    """The code and options of a modality of one's own; nothing for those that come with mmstudio.

    The options of these are in what they learnt.
    """
    own = [c for c in type(modality).__mro__
           if c.__module__.split(".")[0] not in ("mmstudio", "builtins", "abc", "typing")]
    if not own:
        return []
    sources = [source_of(cls) or (cls.__module__, _UNKNOWN) for cls in own]
    return [[[cls.__qualname__, text] for cls, (_, text) in zip(own, sources, strict=True)],
            modality.options_in_use()]


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
    key = key_of(modality, spec, values)
    yield from kept(key, modality.dtype, len(values), lambda: _decoded(modality, spec, values))


# Decoding --------------------------------------------------------------------------------------


def _decoded(
    modality: Modality, spec: Mapping[str, Any], values: Sequence[Value | None]
) -> Iterator[Chunk]:
    """All values in their order, decoded by several threads and a bounded number of bytes ahead."""

    def work(start: int, end: int) -> Chunk:
        return _decode_some(modality, spec, values[start:end])

    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="decode")
    line: deque[tuple[int, int, Future[Chunk]]] = deque()
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
) -> Chunk:
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
    return Chunk(block, sizes, tail, errors, largest)
