"""Which rows are for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from mmstudio.data.excluded import excluded_rows
from mmstudio.data.folds import folds_of
from mmstudio.data.input_cells import rows_repeat
from mmstudio.data.split_items import items_of, row_keys_of
from mmstudio.data.split_words import SPELLINGS as SPELLINGS
from mmstudio.data.split_words import SPLITS as SPLITS
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, Fold, SplitShares

GROUPS_DEVIATION = 0.25
"""Of the smallest share, at each cut: further off, groups next to the cut are moved."""
STRATIFIED_DEVIATION = 0.1
"""The same within each class of a stratified split."""
SALT = "\x1fvalidation of a fold"
"""Within a fold validation rows are drawn by other hashes than its own rows and the split's."""
FOLD_VALIDATION = 0.1
"""The share of validation rows within a fold where the split has none."""


def split_of(experiment: Experiment, table: Table, folder: Path) -> np.ndarray:
    """The split of every row of an experiment's table, as ``split_rows`` gives it.

    Rows that ``data.leave_out`` lists have none. A sample is known by the column ``id`` of the
    shares, else by its inputs' cells: further columns of the table move no row, further inputs do
    unless there is an ``id``.

    Equal cells are copies of one picture or text, and stay together. Where all inputs are numbers
    and categories they are usual, and equal rows are told apart by which of them comes first.

    Args:
        experiment: Names the split, the inputs and the rows to leave out.
        table: The rows.
        folder: What ``data.leave_out`` is relative to.

    Raises:
        UserError: As ``split_rows``; or the list of rows to leave out can't be read.
    """
    keys = sorted({c for i in experiment.inputs.values() for c in i.read_columns}
                  & set(table.columns))
    left_out = excluded_rows(table, experiment.data.leave_out, folder)
    return split_rows(table, experiment.data.split, keys=keys, left_out=left_out,
                      group=experiment.data.group, fold=experiment.data.fold,
                      repeating=rows_repeat(experiment.inputs.values()))


def split_rows(
    table: Table,
    split: str | SplitShares,
    *,
    keys: Sequence[str] = (),
    left_out: np.ndarray | None = None,
    group: str | None = None,
    repeating: bool = False,
    fold: Fold | None = None,
) -> np.ndarray:
    """The split of every row: ``train``, ``validation``, ``test`` or ``""`` (left out).

    Shares are drawn by a hash of the row's group, id or key cells, so the order of the rows does
    not matter and a new row moves none of the old ones. That can't hold exactly in three cases:
    a part that would be empty gets the one row or group that lies nearest by hash; few groups may
    miss the shares so widely that groups next to a cut are moved; and a stratified split keeps
    the shares within each class to a tenth or one row, so that in classes of under some thousand
    rows new ones may move those next to a cut.

    Where a column has no validation rows, a tenth of its training rows, drawn likewise, serves;
    at least one in any case.

    Args:
        table: The rows.
        split: A column's name, or shares.
        keys: Columns whose cells name the sample where the shares have no ``id``; none means all.
        left_out: ``(N,)`` bool, True = in no split.
        group: Column that keeps rows together where validation rows are drawn for a split column.
        repeating: Draw rows of equal key cells one by one; else they stay together.
        fold: Held out of the training and validation rows: it is ``test``, and the split's own
            test rows are in no split. Validation rows are drawn anew from the rest, in the
            split's proportion; groups and strata are the split's.

    Raises:
        UserError: No such column, a word that names no split, no training rows, or too few rows
            or groups for the folds.
    """
    kept = np.ones(len(table), dtype=bool) if left_out is None else ~left_out
    row_keys = row_keys_of(table, keys, repeating)
    if isinstance(split, SplitShares):
        # drawn over all rows: leaving one out must move no other
        names = _by_shares(table, split, row_keys, np.arange(len(table)))
    else:
        names = _by_column(table, split)
        if not ((names == "validation") & kept).any():
            rows = np.flatnonzero(names == "train")
            shares = SplitShares(0.9, 0.1, 0.0, group=group)
            names[rows] = _by_shares(table, shares, row_keys, rows)
    if fold is not None:
        names = _held_out(table, split, group, row_keys, names, fold)
    names[~kept] = ""
    for needed in ("train", "validation"):
        if needed not in names:
            raise UserError(f"The split leaves no row for {needed}.",
                            "Add rows, or change data.split.")
    return names


def _held_out(
    table: Table, split: str | SplitShares, group: str | None, row_keys: pl.Series,
    names: np.ndarray, fold: Fold,
) -> np.ndarray:
    """The splits ``(N,)`` where a fold of the training and validation rows is the test split."""
    rows = np.flatnonzero((names == "train") | (names == "validation"))
    share = float((names[rows] == "validation").mean())
    drawn = SplitShares(group=group) if isinstance(split, str) else split
    if isinstance(split, SplitShares):
        share = split.validation / (split.train + split.validation)
    share = share or FOLD_VALIDATION
    drawn = replace(drawn, train=1 - share, validation=share, test=0.0)
    numbers = folds_of(table, drawn, row_keys, rows, fold.of)
    rest = rows[numbers != fold.number - 1]
    splits = np.full(len(names), "", dtype=names.dtype)
    splits[rest] = _by_shares(table, drawn, row_keys, rest, SALT)
    splits[rows[numbers == fold.number - 1]] = "test"
    return splits


def _by_column(table: Table, column: str) -> np.ndarray:
    cells = table.column(column).str.to_lowercase()
    unknown = cells.drop_nulls().filter(~cells.drop_nulls().is_in(list(SPELLINGS)))
    if len(unknown):
        row = int(cells.is_in([unknown[0]]).arg_true()[0])
        raise UserError(
            f"Row {row + 1} of column '{column}' says '{unknown[0]}', which names no split.",
            "Write train, validation or test.")
    names: np.ndarray = cells.replace(SPELLINGS).fill_null("").to_numpy().astype("<U10")
    return names


def _by_shares(
    table: Table, shares: SplitShares, row_keys: pl.Series, rows: np.ndarray, salt: str = ""
) -> np.ndarray:
    """The split of these rows. What is drawn is a group, or all rows of one key."""
    items = items_of(table, shares, row_keys, rows, _smallest(shares), salt)
    parts = np.zeros(len(items.points), dtype=np.int64)
    deviation = np.inf if shares.group is None else GROUPS_DEVIATION
    if shares.stratify is not None:
        deviation = STRATIFIED_DEVIATION
    for stratum in np.unique(items.strata):
        some = np.flatnonzero(items.strata == stratum)
        if shares.stratify is not None and len(some) == 1:
            continue  # the only one of its class: elsewhere nothing could be learnt of it
        order = some[np.argsort(items.points[some], kind="stable")]
        parts[order] = _cut(items.points[order], items.weights[order], shares, deviation)
    _fill_empty(parts, items.points, shares)
    names: np.ndarray = np.array(SPLITS, dtype="<U10")[parts][items.of_row]
    return names


def _cut(
    points: np.ndarray, weights: np.ndarray, shares: SplitShares, deviation: float
) -> np.ndarray:
    """The part ``(n,)``, 0 to 2, of items in the order of their points.

    Each cut lies where the points pass the share, unless that is more than ``deviation`` of the
    smallest share's rows off the rows due; then it lies as near as that allows.
    """
    bounds = np.array([shares.train, shares.train + shares.validation])
    smallest = _smallest(shares)
    before = np.concatenate([[0.0], np.cumsum(weights)])  # rows before each possible cut
    cuts = np.searchsorted(points, bounds)
    slack = deviation * smallest * before[-1]
    if shares.group is None and smallest * before[-1] < 1:
        slack = np.inf  # too few for a row of each part: rounding would favour one of them
    for i, due in enumerate(bounds * before[-1]):
        goal = float(np.clip(before[cuts[i]], due - slack, due + slack))
        if before[cuts[i]] != goal:
            cuts[i] = np.abs(before - goal).argmin()
    if shares.test == 0:
        cuts[1] = len(points)
    if shares.validation == 0:
        cuts[1] = cuts[0]
    return np.searchsorted(cuts, np.arange(len(points)), side="right")


def _smallest(shares: SplitShares) -> float:
    return min(s for s in (shares.train, shares.validation, shares.test) if s > 0)


def _fill_empty(parts: np.ndarray, points: np.ndarray, shares: SplitShares) -> None:
    """Give each part that has a share one item: of the largest part, the next by hash."""
    for part, share in ((1, shares.validation or 1e-9), (2, shares.test)):
        if share > 0 and not (parts == part).any():
            counts = np.bincount(parts, minlength=3)
            largest = int(counts.argmax())
            if counts[largest] > 1:
                items = np.flatnonzero(parts == largest)
                pick = points[items].argmin() if share < 1e-6 else points[items].argmax()
                parts[items[pick]] = part
