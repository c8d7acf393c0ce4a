"""Arrays out of a ``.npy`` file that holds Python objects, without running anything in it.

numpy reads such a file by pickle, which may call any function. Here a pickle may name what an
array is made of and nothing else, and even that is not numpy's own but stands in for it.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmstudio.errors import UserError

NUMBERS = re.compile(r"[fiu][1248]")
ORDERS = ("<", ">", "|", "=")
ROOMS = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0,
           (2, 0): np.lib.format.read_array_header_2_0}


class Refused(Exception):
    """A pickle names something that is no part of an array."""


class _Kind:
    """What a file says of the numbers in an array, where numpy has its ``dtype``."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    @property
    def numbers(self) -> np.dtype[Any]:
        """The kind of numbers.

        Raises:
            ValueError: They are none.
        """
        if not NUMBERS.fullmatch(self.code) or self.order not in ORDERS:
            raise ValueError(f"an array holds {self.code!r}, which are not numbers")
        return np.dtype(self.order + self.code)


class _Filled:
    """An array's shape and content, where numpy has its ``ndarray``."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def value(self) -> Any:
        """The array; of one that holds Python objects, the one that it holds."""
        _, shape, kind, by_columns, content = self.state
        if isinstance(content, list):
            (held,) = content
            return _plain(held)
        # as Python 2 wrote it, bytes are a text of which each letter is one
        flat = np.frombuffer(content.encode("latin1") if isinstance(content, str) else content,
                             kind.numbers)
        return flat.reshape(shape, order="F" if by_columns else "C")


class _Reader(pickle.Unpickler):
    """A pickle's reader that knows arrays alone."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands in for a part of an array.

        Raises:
            Refused: It is anything else.
        """
        standing: Any = {"_reconstruct": _Filled, "ndarray": _Filled, "dtype": _Kind}.get(name)
        if module not in ROOMS or standing is None:
            raise Refused(f"{module}.{name}")
        return standing


def read_arrays(path: Path) -> dict[str, Any]:
    """The named arrays, and tables of named arrays, that a file's one object holds.

    Raises:
        UserError: The file can't be read, is damaged, or names what is not an array.
    """
    try:
        with path.open("rb") as file:
            found = _read(file)
    except Refused as error:
        raise UserError(
            f"{path} holds more than arrays ({error}); reading it could run a program. It was "
            "not read.", "Install the package again, from a source that you trust.") from None
    except Exception as error:  # of whatever kind a damaged pickle runs into
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UserError(f"{path} can't be read as arrays: {reason}.",
                        "Install the package again.") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no named arrays.", "Install the package again.")
    return found


def _read(file: BinaryIO) -> Any:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"its format {version} is not known")
    _, _, kind = HEADERS[version](file)
    if not kind.hasobject:
        raise ValueError("it holds one array, without names")
    return _plain(_Reader(file, encoding="latin1").load())


def _plain(value: Any) -> Any:
    """A value with arrays in place of what stands for them."""
    if isinstance(value, _Filled):
        return value.value()
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    raise ValueError(f"it holds a {type(value).__name__}, which is no array")
