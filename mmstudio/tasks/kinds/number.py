"""Cells that hold a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mmstudio.column_cells import NUMBER_NAMES, TARGET_NAMES
from mmstudio.column_cells import Cells as ColumnCells
from mmstudio.errors import UserError
from mmstudio.numbers import NOTHING, Numbers, far_off, read_numbers
from mmstudio.tasks.kinds.base import Cells, Labels, Metric, Proposed, TargetKind

if TYPE_CHECKING:
    import polars as pl


class Number(TargetKind):
    """A number per row. Its entry in the schema: ``mean`` and ``deviation``, and the ``unit``."""

    task = "regression"
    use_title = "Predict a number"
    numeric = True
    needs = ("mean", "deviation")
    metrics = (Metric("mean_absolute_error", share=False, higher_is_better=False, short="MAE"),
               Metric("r2", share=False),
               Metric("root_mean_squared_error", share=False, higher_is_better=False, short="RMSE"),
               Metric("mean_error", share=False, higher_is_better=False))
    error_metric = "mean_absolute_error"

    def proposed(self, cells: ColumnCells) -> Proposed | None:
        """Numbers, as far as most cells are; the others are named. Few different ones are labels.

        Whole numbers that repeat under a label's name are codes of classes.
        """
        if not read_numbers(cells.some).usual:
            return None
        numbers = read_numbers(cells.column)
        if not numbers.usual:
            return None
        values = numbers.values[~np.isnan(numbers.values)]
        distinct = len(np.unique(values))
        whole = bool((values == values.round()).all())
        few = distinct <= (20 if whole else 10)
        coded = whole and distinct <= 100 and cells.repeated >= 20 and cells.named(TARGET_NAMES)
        if few or coded:
            return None
        reason = f"Numbers{f' of {numbers.unit}' if numbers.unit else ''}, {distinct:,} different"
        reason += " ones"
        if len(numbers.odd):
            not_one = "not a number" if len(numbers.odd) == 1 else "not numbers"
            reason += f"; {_some_rows(cells.column, numbers.odd)} {not_one}"
        if len(numbers.far):
            reason += f"; {_some_rows(cells.column, numbers.far)} far from all others"
        return Proposed(f"{reason}.", sure=cells.named(TARGET_NAMES | NUMBER_NAMES))

    def fit(
        self, options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
    ) -> dict[str, Any]:
        """Mean and standard deviation of the training rows, without those far from all others."""
        read = _numbers(cells, target)
        numbers = read.values[rows]
        numbers = numbers[~np.isnan(numbers)]
        if len(numbers) == 0:
            raise UserError(f"Target '{target}' has no number in any training row.",
                            f"Choose another column for targets.{target}.")
        # one slip of the comma would make all others equal
        usual = np.delete(numbers, far_off(numbers))
        # scaled first: the squares of very large numbers would overflow
        size = float(np.abs(usual).max()) or 1.0
        mean = float((usual / size).mean()) * size
        deviation = float((usual / size).std()) * size
        # equal numbers may differ from their mean by a rounding error
        if usual.min() == usual.max() or deviation == 0.0:
            raise UserError(f"Target '{target}' has one value only, {numbers[0]:g}.",
                            "A regression needs values that vary.")
        spec: dict[str, Any] = {"mean": mean, "deviation": deviation}
        return spec | ({"unit": read.unit} if read.unit else {})

    def read(self, spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
        """A cell that is not a number, among such as are, is unknown: the check reports it."""
        numbers = _numbers(cells, target, spec.get("unit", "")).values
        known = ~np.isnan(numbers)
        scaled = (np.where(known, numbers, spec["mean"]) - spec["mean"]) / spec["deviation"]
        return Labels(scaled.astype(np.float32), known)

    def by_value(self, cells: pl.Series) -> pl.Series:
        """``1.0`` and ``1`` alike; what is not a plain number stays as it is."""
        import polars as pl

        numbers = cells.cast(pl.Float64, strict=False).cast(pl.String)
        return pl.select(pl.coalesce(numbers, cells)).to_series()


def number_in(cell: str) -> float | None:
    """The number in a cell; None where it holds none, or nan or an infinite one."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _numbers(cells: Cells, target: str, unit: str = "") -> Numbers:
    """The numbers of a column. Raises UserError where too many of its cells are none."""
    numbers = read_numbers(cells, unit)
    if not numbers.usual and len(numbers.odd) > numbers.gaps:
        row = next(int(r) for r in numbers.odd if str(cells[r]).strip().lower() not in NOTHING)
        raise UserError(
            f"Target '{target}', row {row + 1}: '{str(cells[row])[:60]}' is not a number.",
            "Write it like 3.5, empty the cell, or choose another task for "
            f"targets.{target}.")
    return numbers


def _some_rows(column: pl.Series, rows: np.ndarray) -> str:
    first = f"row {rows[0] + 1}: '{str(column[int(rows[0])])[:30]}'"
    return f"1 cell ({first}) is" if len(rows) == 1 else f"{len(rows):,} cells ({first}) are"


NUMBER = Number()
