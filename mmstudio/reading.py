"""Files that anybody may have written are read within bounds, and what is wrong names the file.

Nothing is opened that is not a file: a pipe would hold up the reader for ever, and a device may
have no end. How large a file may be is asked before it is read.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mmstudio.errors import UserError

MOST_PARTS = 40
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}){{{MOST_PARTS}}}")
MOST_CHARACTERS = 300
"""Of a reason that a library gives; it may quote the whole file."""


@contextmanager
def reading(path: Path, hint: str) -> Iterator[None]:
    """Any error of the block becomes a UserError that names the file.

    What a reader runs into on a damaged file can't be listed: it may be an index, a key, a type, a
    recursion, or whatever a library raises. The block should hold no more than the reading.

    Raises:
        UserError: ``hint`` is its remedy, unless the block raised one itself.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} can't be read: {reason_of(error)}.", hint) from None


def reason_of(error: Exception) -> str:
    """What an error says, in one short line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, KeyError):
        return f"{error} is missing"[:MOST_CHARACTERS]
    lines = str(error).strip().splitlines()
    said = lines[0].rstrip(".") if lines else type(error).__name__
    return said if len(said) <= MOST_CHARACTERS else f"{said[:MOST_CHARACTERS]} …"


@contextmanager
def opened(path: Path, most_bytes: int) -> Iterator[BinaryIO]:
    """A file for reading, of a size that is known to be within bounds.

    Raises:
        OSError: It can't be opened, is not a file, or larger than ``most_bytes``.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(f"it is {kind_of(state.st_mode)}, not a file")
        if state.st_size > most_bytes:
            raise OSError(f"it has {state.st_size:,} bytes; {most_bytes:,} are the limit")
        yield file


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """All of a file. Raises OSError as ``opened`` does."""
    with opened(path, most_bytes) as file:
        return file.read(most_bytes)


def read_text(path: Path, most_bytes: int) -> str:
    """All of a text in UTF-8. Raises OSError, or UnicodeDecodeError."""
    return read_bytes(path, most_bytes).decode("utf-8")


def read_json(path: Path, most_bytes: int) -> dict[str, Any]:
    """A JSON object. Raises OSError, ValueError, RecursionError."""
    data = json.loads(read_text(path, most_bytes))
    if not isinstance(data, dict):
        raise ValueError("it holds no object")
    return data


def parse_toml(text: str) -> dict[str, Any]:
    """TOML as plain data.

    Raises:
        TOMLDecodeError: It is not TOML, or a key has more than ``MOST_PARTS`` parts: the time to
            read one grows with their square.
    """
    if _LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(f"a key has more than {MOST_PARTS} parts")
    return tomllib.loads(text)


def kind_of(mode: int) -> str:
    """What something is that is not a file, by its ``st_mode``: "a folder", "a pipe"."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
             stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")
