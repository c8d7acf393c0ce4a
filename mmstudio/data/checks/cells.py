"""Inputs of numbers and categories: columns that say nothing, and cells that say it wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from mmstudio.data.checks.examined import Examined, has_labels
from mmstudio.data.checks.problem import Problem, problem, row_problems
from mmstudio.data.propose_table import tells
from mmstudio.experiment import InputSettings
from mmstudio.modalities.tabular import CATEGORY
from mmstudio.numbers import Numbers, read_numbers

MOSTLY = 0.5
"""A column that is empty in more of the rows is told."""
LEAST_NEW = 0.02
"""Of the validation and test rows, with categories that training lacks: fewer are usual."""


def cell_problems(examined: Examined) -> Iterator[Problem]:
    """Of every input that reads several columns, column by column."""
    for content in examined.inputs.values():
        for column in content.spec.get("columns", ()):
            if column["name"] in examined.table.columns:
                yield from _of_column(examined, content.settings, column)


def _of_column(
    examined: Examined, settings: InputSettings, column: Mapping[str, Any]
) -> Iterator[Problem]:
    name = column["name"]
    cells = examined.table.column(name)
    used = examined.splits != ""
    known = cells.is_not_null().to_numpy()
    missing = float(np.mean(~known[used])) if used.any() else 0.0
    if missing > MOSTLY:
        yield problem(-1, name, "mostly_empty",
                      f"'{name}' is empty in {missing:.0%} of the rows.",
                      "Take it out of the columns, unless it matters whether it is filled in.",
                      rows=np.flatnonzero(~known & used).tolist())
    trained = cells.filter(examined.splits == "train").drop_nulls()
    if trained.n_unique() == 1 and missing == 0:
        yield problem(-1, name, "constant",
                      f"'{name}' is '{trained[0]}' in every training row.",
                      "Take it out of the columns.")
    if column["kind"] == CATEGORY:
        yield from _new_words(examined, column)
    else:
        yield from _numbers(examined, name)
    for target in examined.experiment.active_targets.values():
        if target.column in examined.table.columns and tells(
                examined.table, name, target.column,
                numeric=not has_labels(target)):
            yield problem(-1, name, "tells_label",
                          f"'{name}' alone gives away '{target.column}', nearly always.",
                          "Take it out of the columns, if it is known only once the answer is.")


def _new_words(examined: Examined, column: Mapping[str, Any]) -> Iterator[Problem]:
    name = column["name"]
    cells = examined.table.column(name)
    later = (examined.splits == "validation") | (examined.splits == "test")
    new = (later & ~cells.is_in(column["words"]).fill_null(True).to_numpy())
    rows = np.flatnonzero(new).tolist()
    if rows and len(rows) > LEAST_NEW * later.sum():
        yield problem(-1, name, "new_category",
                      f"{len(rows):,} of {later.sum():,} rows of validation and test have a word in"
                      f" '{name}' that training has at most once, as '{cells[rows[0]]}'.",
                      "If nearly every row has another, take it out of the columns.", rows=rows)


def _numbers(examined: Examined, name: str) -> Iterator[Problem]:
    cells = examined.table.column(name)
    numbers = read_numbers(cells)
    odd = numbers.odd[examined.splits[numbers.odd] != ""].tolist()
    yield from row_problems(
        odd, name, "odd_cell", lambda row: f"'{cells[row]}' is not a number, as the others of"
        f" '{name}' are.", "Write it like 3.5, or empty the cell.")
    yield from far_problems(examined, cells, numbers, name, name, "far_off_input")


def far_problems(
    examined: Examined, cells: pl.Series, numbers: Numbers, name: str, column: str, kind: str
) -> Iterator[Problem]:
    """Numbers far from all others of a column, which is told by ``name``."""
    far = numbers.far[examined.splits[numbers.far] != ""].tolist()
    if far:
        low, high = np.nanquantile(numbers.values, (0.05, 0.95))
        yield from row_problems(
            far, column, kind, lambda row: f"{cells[row]} is far from all other numbers of"
            f" '{name}', most of which are from {low:g} to {high:g}.",
            "Correct it, if it is a typo.")
