"""Which columns left over are proposed as one input of numbers and categories.

With care: what tells the label, counts votes or times, or was noted down by who labelled is none.
A column that is wrongly left aside costs a click; one that is wrongly taken makes figures that
nobody gets again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from mmstudio.column_cells import SELDOM_NAMES, TARGET_NAMES, Cells
from mmstudio.data.columns import Column, Guess
from mmstudio.data.table import Table
from mmstudio.modalities.base import modality_that
from mmstudio.numbers import read_numbers
from mmstudio.tasks.kinds import find_kind

MEASURES = {"length", "size", "width", "latitude", "longitude", "lat", "lon", "lng"}
"""Where there is nothing but numbers, these are what there is to learn from."""
NOTED = {"confidence", "salience", "quality", "annotator", "annotators", "agreement", "worker",
         "score", "rating", "result", "prediction", "predicted", "probability", "logit"}
"""Said by who or what labelled, about the label."""
MOST_MISSING = 0.6
MOST_WORDS = 50
TELLS = 0.99
"""A column by which so many rows' labels are told tells the label."""
LEAST_ROWS = 20
NEIGHBOURS_TELL = 0.97
"""With the rows in order of a number, so many have the label of the one before."""


def with_table(
    table: Table, columns: Sequence[Column], guesses: Mapping[str, tuple[Cells, Guess]]
) -> list[Column]:
    """The columns, with those marked that make an input of numbers and categories."""
    alone = not any(c.role == "input" for c in columns)
    columns = _one_target(columns, guesses) if alone else list(columns)
    targets = [c for c in columns if c.role == "target"]
    if not targets:
        return list(columns)
    return [_as_input(c, guesses[c.name][1])
            if c.role == "ignore" and _may_serve(table, c, guesses, targets, alone) else c
            for c in columns]


def _one_target(
    columns: Sequence[Column], guesses: Mapping[str, tuple[Cells, Guess]]
) -> list[Column]:
    """Of a table without pictures, texts and sounds one column is asked for, the rest tells it.

    The one whose name says so, else the last: nobody else knows.
    """
    possible = [c for c in columns
                if guesses[c.name][1].role == "target" and (c.role == "target" or _is_left(c))]
    if len(possible) < 2:
        return list(columns)
    named = [c for c in possible if guesses[c.name][0].named(TARGET_NAMES)]
    chosen = (named or possible)[-1]
    task = guesses[chosen.name][1]
    why = "" if named else " The last column is taken as what to predict."
    result = []
    for column in columns:
        if column is chosen:
            column = replace(column, role="target", task=task.kind, options=dict(task.options),
                             reason=f"{task.reason}{why}")
        elif column.role == "target":
            column = replace(column, role="ignore", task=None, options={},
                             reason="Could be predicted too; choose its task to do so.")
        result.append(column)
    return result


def _is_left(column: Column) -> bool:
    return column.role == "ignore" and column.reason.startswith("Could be predicted too")


def _as_input(column: Column, guess: Guess) -> Column:
    what = "Numbers" if _is_numeric(guess.kind) else f"{column.distinct} categories"
    return replace(column, role="input", modality=modality_that("several_columns"),
                   reason=f"{what} beside the target: part of one input.")


def _may_serve(
    table: Table, column: Column, guesses: Mapping[str, tuple[Cells, Guess]],
    targets: Sequence[Column], alone: bool,
) -> bool:
    """Whether a column that is left over may tell something, and does not tell the answer."""
    cells, guess = guesses[column.name]
    kind = find_kind(guess.kind)
    if not _is_left(column) or kind is None or kind.several:
        return False
    if column.missing > MOST_MISSING * len(table) or cells.named(NOTED):
        return False
    if cells.named(SELDOM_NAMES - (MEASURES if alone else set())):
        return False
    if not alone and (cells.named(TARGET_NAMES) or cells.is_switch):
        return False
    if kind.one_label and cells.distinct > MOST_WORDS:
        return False
    return not any(tells(table, column.name, t.name, numeric=_is_numeric(t.task)) for t in targets)


def _is_numeric(task: str | None) -> bool:
    kind = find_kind(task)
    return kind is not None and kind.numeric


def tells(table: Table, column: str, target: str, *, numeric: bool) -> bool:
    """Whether a column tells a target nearly by itself, or is a coarser label of it."""
    pairs = table.frame.select(pl.col(column).alias("cell"), pl.col(target).alias("label"))
    pairs = pairs.drop_nulls()
    if len(pairs) < LEAST_ROWS:
        return False
    numbers = read_numbers(pairs["cell"])
    if numeric:
        labels = read_numbers(pairs["label"])
        return numbers.usual and labels.usual and _go_together(numbers.values, labels.values)
    kinds = pairs["label"].n_unique()
    if kinds < 2:
        return False
    common = pairs.group_by("cell", "label").len()
    told = int(common.group_by("cell").agg(pl.col("len").max())["len"].sum())
    repeated = pairs["cell"].n_unique() <= len(pairs) / 4
    if repeated and told >= TELLS * len(pairs):
        return True
    said = int(common.group_by("label").agg(pl.col("len").max())["len"].sum())
    if repeated and kinds > 2 and said >= TELLS * len(pairs):
        return True  # each label has one value: a coarser label, or the answer in other words
    return not repeated and numbers.usual and _in_order(numbers.values, pairs["label"])


def _go_together(some: np.ndarray, others: np.ndarray) -> bool:
    """Whether two columns of numbers have the same order, or the opposite one."""
    known = ~np.isnan(some) & ~np.isnan(others)
    if known.sum() < LEAST_ROWS:
        return False
    one, other = (np.argsort(np.argsort(v[known], kind="stable"), kind="stable")
                  for v in (some, others))
    if len(np.unique(some[known])) < 2 or len(np.unique(others[known])) < 2:
        return False
    return bool(abs(np.corrcoef(one, other)[0, 1]) > TELLS)


def _in_order(values: np.ndarray, labels: pl.Series) -> bool:
    """Whether rows in order of a number come label by label, more than labels do by chance."""
    order = np.argsort(values, kind="stable")
    sorted_labels = labels.to_numpy()[order]
    same = float(np.mean(sorted_labels[1:] == sorted_labels[:-1]))
    shares = labels.value_counts()["count"].to_numpy() / len(labels)
    return same > max(NEIGHBOURS_TELL, 1 - 0.05 * (1 - float((shares**2).sum())))
