"""Arrays in one file, read as they are asked for: a file of safetensors, and plain data beside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.reading import opened
from mmstudio.safe_files import written_whole

MOST_BYTES = 1 << 36
MOST_HEADER_BYTES = 1 << 26
TOLD = "told"
"""What the plain data is called in the file."""
_KINDS = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "|u1", "BOOL": "|b1"}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], told: dict[str, Any]) -> None:
    """Write arrays of float64, float32, int64, uint8 and bool, beside and renamed.

    Raises:
        OSError: It can't be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        with written_whole(path) as beside:
            save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, beside,
                      {TOLD: json.dumps(told, ensure_ascii=False)})
    except SafetensorError as error:
        raise OSError(f"{path.name}: {str(error).splitlines()[0]}") from error


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays, mapped from the disk, and the plain data.

    Raises:
        OSError, ValueError, KeyError, TypeError, RecursionError: It is not there, or is no such
            file, or is torn.
    """
    with opened(path, MOST_BYTES) as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEADER_BYTES:
            raise ValueError(f"its header says that it has {length:,} bytes")
        header = json.loads(file.read(length).decode("utf-8"))
        told = json.loads(header.pop("__metadata__")[TOLD])
        content = np.memmap(file, dtype=np.uint8, mode="r")[8 + length :]
    arrays = {}
    for name, part in header.items():
        begin, end = part["data_offsets"]
        kind = np.dtype(_KINDS[part["dtype"]])
        shape = tuple(part["shape"])
        if not 0 <= begin <= end <= len(content) or end - begin != kind.itemsize * _size(shape):
            raise ValueError(f"'{name}' does not fit into it")
        arrays[name] = np.asarray(content[begin:end]).view(kind).reshape(shape)
    return arrays, told


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        if not isinstance(side, int) or side < 0:
            raise ValueError("a size is not a count")
        size *= side
    return size
