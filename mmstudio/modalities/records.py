"""Records: the cells of several columns in one text, as inputs of numbers and categories have it.

In a table they are JSON, ``{"age": "30", "city": null}``; a person may also write
``age=30, city=Rome``. A name that is missing is an empty cell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmstudio.errors import UserError, nearest

MOST_CHARACTERS = 1_000_000
MOST_OF_PAIRS = 10_000
"""Characters of a record that is written as ``name=value``."""


def record_of(cells: Mapping[str, str | None]) -> str | None:
    """Cells by column as a record; None where all are empty."""
    filled = {name: cell for name, cell in cells.items() if cell is not None and cell.strip()}
    return json.dumps(filled, ensure_ascii=False) if filled else None


def is_missing(cell: Any) -> bool:
    """Whether a cell in memory holds nothing: None, nan, or what pandas has for it, NaT and NA."""
    if cell is None:
        return True
    if hasattr(cell, "__len__"):  # a text, or several values
        return False
    try:
        return bool(cell != cell)
    except TypeError:  # NA is neither equal nor unequal to anything
        return True


def plain_record(text: str) -> str:
    """A record as ``name value, name value``, for people; any other text as it is."""
    try:
        cells = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return text
    if not isinstance(cells, dict):
        return text
    return ", ".join(f"{name} {cell}" for name, cell in cells.items() if cell is not None)


def read_record(text: str, columns: Iterable[str]) -> dict[str, str]:
    """The filled cells of a record by their column.

    Args:
        text: JSON, or ``name=value`` with commas or line breaks between.
        columns: The columns that there are.

    Raises:
        UserError: Neither, or it names a column that there is not.
    """
    known = list(columns)
    if len(text) > (MOST_CHARACTERS if text.lstrip().startswith("{") else MOST_OF_PAIRS):
        raise UserError(f"A record has {len(text):,} characters.", "Shorten it.")
    found = _of_json(text) if text.lstrip().startswith("{") else _of_pairs(text, known)
    for name in found:
        if name not in known:
            raise UserError(f"'{name}' is not a column of this input.", nearest(name, known))
    return {name: cell for name, cell in found.items() if cell}


def _of_json(text: str) -> dict[str, str]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{text[:60]!r} can't be read as JSON: {error}.",
                        'Write it as {"name": value}.') from None
    cells = {}
    for name, value in data.items():
        if isinstance(value, dict | list):
            raise UserError(f"'{name}' holds more than one value.", "Give a number or a word.")
        cells[name] = _cell(value)
    return cells


def _cell(value: Any) -> str:
    """As a table's cell: empty for null, ``true`` and ``false`` as tables write them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _of_pairs(text: str, columns: list[str]) -> dict[str, str]:
    """``name=value`` pairs; a comma ends a value where a column's name follows."""
    names = "|".join(re.escape(name) for name in sorted(columns, key=len, reverse=True))
    begins = list(re.finditer(rf"(?:^|[,;\n])[^\S\n]*({names})\s*=", text))
    if not begins or text[: begins[0].start()].strip():
        raise UserError(
            f"{text[:60]!r} gives none of the columns {', '.join(columns)[:200]}.",
            f"Write it as {columns[0] if columns else 'name'}=value, with commas between.")
    ends = [m.start() for m in begins[1:]] + [len(text)]
    found = {m[1]: _pair_value(text[m.end() : end], text[end : end + 1])
             for m, end in zip(begins, ends, strict=True)}
    for value in found.values():
        stray = re.search(r"[,;\n][^\S\n]*([^\s=,;]+)\s*=", value)
        if stray is not None:
            raise UserError(f"'{stray[1]}' is not a column of this input.",
                            nearest(stray[1], columns))
    return found


def _pair_value(value: str, mark: str) -> str:
    """What stands between two pairs, without the comma that may come before a line's end."""
    value = value.strip()
    return value[:-1].rstrip() if mark == "\n" and value.endswith((",", ";")) else value
