"""Lists written as text: ``['Drama', 'Short Film']`` as pandas writes them, JSON's and numpy's."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import polars as pl

SEPARATOR = "|"
"""Between the items of a list, as between those of real lists in JSONL and Parquet."""
LOOKED_AT = 500
LONGEST = 100_000
"""Characters of a list: to read one as Python takes a hundred times its memory."""
NEARLY_ALL = 0.9
NAMES = ("name", "label", "title", "value", "text")
"""Of a record in a list, the first of these says what it is."""

_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_NUMPY = re.compile(r"""\[\s*(?:'[^']*'|"[^"]*")(?:\s+(?:'[^']*'|"[^"]*"))*\s*\]""")
"""numpy sets no commas between strings, which Python would join."""


def lists_read(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Columns whose cells are lists written as text, with the lists' items between bars.

    Lists of fractions are left as they stand: they are boxes, vectors and the like, no labels.
    """
    columns = [c for c in frame.columns if _holds_lists(frame.get_column(c))]
    if not columns:
        return frame, ()
    read = []
    for name in columns:
        cells = frame.get_column(name)
        kinds = cells.unique()
        told = {c: joined(items) for c in kinds.drop_nulls().to_list()
                if (items := items_of(c)) is not None}
        read.append(pl.Series(name, [told.get(c, c) if c is not None else None
                                     for c in cells.to_list()], dtype=pl.String))
    return frame.with_columns(read), (f"Lists written as text were read as lists: "
                                      f"{', '.join(columns)}.",)


def joined(items: list[str]) -> str | None:
    """The items as one cell, None where there are none."""
    return SEPARATOR.join(item.replace(SEPARATOR, "/") for item in items) or None


def _holds_lists(cells: pl.Series) -> bool:
    some = cells.drop_nulls().head(LOOKED_AT).to_list()
    if not some or not some[0].startswith(("[", "(", "{", "array(")):
        return False
    found = [items for cell in some if (items := items_of(cell)) is not None]
    return len(found) >= NEARLY_ALL * len(some) and any(found)


def items_of(cell: str) -> list[str] | None:
    """The items of a list in a cell; None where it is none, or one of fractions or lists."""
    text = cell.strip()
    if len(text) > LONGEST:
        return None
    inside = re.fullmatch(r"array\((.*?)(?:,\s*dtype=\w+)?\)", text, re.DOTALL)
    text = inside[1].strip() if inside else text
    if text[:1] + text[-1:] not in ("[]", "()", "{}"):
        return None
    if _NUMPY.fullmatch(text):
        return [one or other for one, other in _QUOTED.findall(text)]
    held = _parsed(text)
    if isinstance(held, list | tuple | set):
        items = [_item(value) for value in held]
        return None if None in items else [i for i in items if i]
    return None


def _parsed(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _item(value: Any) -> str | None:
    if isinstance(value, dict):
        value = next((value[k] for k in NAMES if k in value), None)
    if isinstance(value, str | bool | int):
        return str(value).strip()
    return None
