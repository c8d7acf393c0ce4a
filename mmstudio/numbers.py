"""Numbers as they stand in cells: with units, with thousands apart, and with gaps between them.

A column is what most of its cells are. What is not a number among numbers is odd: it is told, and
its row can't teach. How the numbers are written (a unit, commas between thousands) is found out
once for a column; a single cell that is written otherwise is odd, as nobody knows what it means.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

MOST_ODD = 0.2
"""A column is one of numbers where no more of its filled cells are odd, gaps aside."""
LOOKED_AT = 1000
"""Cells that tell a column of words, which need not be read any further."""
USUAL_UNIT = 0.5
USUAL_THOUSANDS = 0.05
"""What is written so often is how the column is written."""
NOTHING = {
    "n/a", "na", "#n/a", "<na>", "nan", "null", "none", "nil", "nothing", "unknown", "missing",
    "not available", "-", "--", "---", "\u2013", "\u2014", "?", "??", ".", "..", "*", "x",
}
"""What people and programs write where there is no number."""
FAR = 10.0
"""Times the middle half's width, beyond the middle half, and …"""
GAP = 5.0
"""… times as far from the median as any number before it: far off, where few are."""
MOST_FAR = 0.05

_NUMBER = r"[-+]?(?:\d[\d,.'\u00a0\u202f ]*\d|\d|\.\d+)(?:[eE][-+]?\d+)?"
_WITH_UNIT = re.compile(rf"([^\d+\-.,]{{0,4}}?)\s*({_NUMBER})\s*([^\d+\-.,]{{0,12}}\S?)")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:[,'\u00a0\u202f ]\d{3})+(?:\.\d+)?")


@dataclass(frozen=True)
class Numbers:
    """The numbers of a column.

    Attributes:
        values: ``(N,)`` float64, nan where there is none.
        odd: ``(n,)`` the rows whose cell is filled and holds no finite number.
        gaps: Of these, how many hold a word for nothing, such as ``N/A``.
        unit: What stands before or behind the numbers.
        thousands: Whether commas, apostrophes and blanks stand between thousands.
        usual: Whether so few are odd that this is a column of numbers.
    """

    values: np.ndarray
    odd: np.ndarray
    gaps: int
    unit: str
    thousands: bool
    usual: bool

    @functools.cached_property
    def far(self) -> np.ndarray:
        """``(n,)`` the rows whose number is far from all others."""
        return far_off(self.values)


def read_numbers(cells: Sequence[str | None] | pl.Series, unit: str = "") -> Numbers:
    """Read a column's cells as numbers.

    Args:
        cells: None where a cell is empty.
        unit: One that may stand at the numbers, whatever most of these cells have.
    """
    import polars as pl

    column = cells if isinstance(cells, pl.Series) else pl.Series(cells, dtype=pl.String)
    numbers = column.cast(pl.Float64, strict=False)
    values: np.ndarray = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    known = len(column) - column.null_count()
    rows = np.flatnonzero(np.isnan(values) & column.is_not_null().to_numpy())
    some = column.gather(rows[:: max(1, len(rows) // LOOKED_AT)])
    if _are_words(some, len(rows) / max(1, known)):
        return Numbers(values, rows, 0, "", False, False)
    odd = dict(zip(rows.tolist(), column.gather(rows).to_list(), strict=True))
    odd = {row: cell.strip() for row, cell in odd.items()}
    gaps = {row for row, cell in odd.items() if cell.lower() in NOTHING}
    found = {row: _WITH_UNIT.fullmatch(cell) for row, cell in odd.items() if row not in gaps}
    units = Counter(_unit(m) for m in found.values() if m is not None and _unit(m))
    common, count = units.most_common(1)[0] if units else ("", 0)
    if count < USUAL_UNIT * known:
        common = unit
    groups = sum(m is not None and _THOUSANDS.fullmatch(m[2]) is not None for m in found.values())
    apart = groups > 0 and groups >= USUAL_THOUSANDS * known
    for row, match in found.items():
        number = None if match is None else _value(match, common, apart)
        if number is not None and np.isfinite(number):
            values[row] = number
            del odd[row]
    filled = known - len(gaps)
    usual = len(odd) - len(gaps) <= MOST_ODD * filled and 2 * filled > known and filled > 0
    return Numbers(
        values, np.array(sorted(odd), dtype=np.int64), len(gaps), common, apart, usual)


def read_number(cell: str, unit: str, thousands: bool) -> float | None:
    """The finite number in one cell, as ``read_numbers`` reads those of its column; else None.

    Args:
        cell: Filled.
        unit: The column's.
        thousands: As of the column: whether something stands between thousands.
    """
    text = cell.strip()
    if _PLAIN.fullmatch(text):
        number: float | None = float(text)
    else:
        match = _WITH_UNIT.fullmatch(text)
        number = None if match is None else _value(match, unit, thousands)
    return number if number is not None and math.isfinite(number) else None


def _are_words(some: pl.Series, share: float) -> bool:
    """Whether cells, that ``share`` of the column are like, are plainly no numbers."""
    cells = [c.strip() for c in some.to_list()]
    others = sum(c.lower() not in NOTHING and _WITH_UNIT.fullmatch(c) is None for c in cells)
    return len(cells) >= LOOKED_AT / 2 and others / len(cells) * share > 1.2 * MOST_ODD


def _unit(match: re.Match[str]) -> str:
    return f"{match[1]}{match[3]}".strip().lower()


def _value(match: re.Match[str], unit: str, thousands: bool) -> float | None:
    """The number in a cell; None where it is written otherwise than the column's."""
    if _unit(match) not in ("", unit):
        return None
    text = match[2]
    if thousands and _THOUSANDS.fullmatch(text):
        text = re.sub(r"[,'\u00a0\u202f ]", "", text)
    try:
        return float(text)
    except ValueError:
        return None


def far_off(values: np.ndarray) -> np.ndarray:
    """``(n,)`` where numbers lie far from all others, as a slip of the comma does.

    Long tails are none: their numbers lie one beyond the other without a gap.

    Args:
        values: ``(N,)``, nan where unknown.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 10:
        return np.zeros(0, dtype=np.int64)
    low, middle, high = np.quantile(values[known], (0.25, 0.5, 0.75))
    distances = np.abs(values[known] - middle)
    fence = FAR * max(high - low, np.finfo(np.float64).tiny) + (high - low)
    if distances.max() <= fence:
        return np.zeros(0, dtype=np.int64)
    start = len(known) - max(1, int(MOST_FAR * len(known)))
    last = np.argpartition(distances, start - 1)[start - 1 :]  # the rest and the one before it
    last = last[np.argsort(distances[last], kind="stable")]
    ordered = distances[last]
    for at in range(1, len(last)):
        if ordered[at] > fence and ordered[at] > GAP * ordered[at - 1] > 0:
            return np.sort(known[last[at:]])
    return np.zeros(0, dtype=np.int64)
