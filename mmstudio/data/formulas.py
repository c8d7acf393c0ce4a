"""Cells that a spreadsheet would compute: written as text, and read back as they were.

A spreadsheet takes a cell of a CSV file that begins with =, +, - or @ for a formula, and a formula
may start programs and send what stands beside it away. An apostrophe before it makes it text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")  # noqa: RUF001  (wide forms count too)
_FIRST = frozenset("'=+-@\t\r＝＋－＠")  # noqa: RUF001  (most cells are told apart by it)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?")
_GUARDED = r"^'('*[=+\-@\t\r＝＋－＠])"  # noqa: RUF001
ANSWER = " answer"
ERROR = "error"


def guarded(cell: str) -> str:
    """A cell that no spreadsheet computes: with an apostrophe before it where it would.

    Numbers stay as they are. A cell with apostrophes before a formula gets one more, so that
    ``unguarded`` gives back what was there.
    """
    if cell[:1] in _FIRST and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unguarded(frame: pl.DataFrame) -> pl.DataFrame:
    """A table of answers with its cells and names as they were before ``guarded``.

    Other tables are left alone: an apostrophe may belong to what stands there.
    """
    names = frame.columns
    if not is_of_answers(names):
        return frame
    return pl.DataFrame([
        (series.str.replace(_GUARDED, "$1") if series.dtype == pl.String else series)
        .alias(re.sub(_GUARDED, r"\1", series.name)) for series in frame])


def is_of_answers(columns: Sequence[str]) -> bool:
    """Whether columns are those that answers are written with."""
    return len(columns) > 1 and columns[-1] == ERROR and any(
        name.endswith(ANSWER) for name in columns[:-1])
