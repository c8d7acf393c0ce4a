"""What is kept to be shared names no place on this machine.

A run's log, a comparison's report and the like are passed on; where a user keeps their things, and
what they are called there, is nobody's business.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def without_places(value: Any, folders: Iterable[Path]) -> Any:
    """Plain data in whose texts paths begin at one of the folders, or at the user's own as ``~``.

    Args:
        value: Texts, in lists and mappings or alone; all else stays as it is.
        folders: The innermost first where one holds another.
    """
    roots = [(_pattern(place), "") for folder in folders for place in _names_of(folder)]
    roots += [(_pattern(place), f"~{os.sep}") for place in _names_of(Path.home())]
    return _replaced(value, roots)


def relative(path: str, folder: Path) -> str:
    """A whole path as seen from a folder; other texts, and paths on another drive, as they are."""
    if not Path(path).is_absolute():
        return path
    try:
        return Path(os.path.relpath(os.path.realpath(path), os.path.realpath(folder))).as_posix()
    except ValueError:
        return path


def _names_of(folder: Path) -> list[str]:
    """The folder as it was given and as it really is, but never the root of all."""
    names = dict.fromkeys((os.path.abspath(folder), os.path.realpath(folder)))
    return [name for name in names if name != os.path.dirname(name)]


def _pattern(place: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.{re.escape(os.sep)}]){re.escape(place + os.sep)}")


def _replaced(value: Any, roots: list[tuple[re.Pattern[str], str]]) -> Any:
    if isinstance(value, str):
        for pattern, shown in roots:
            value = shown.join(pattern.split(value))
        return value
    if isinstance(value, dict):
        return {key: _replaced(one, roots) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, roots) for one in value]
    return value
