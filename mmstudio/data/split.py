"""Which rows are for training, validation and test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mmstudio.data.excluded import excluded_rows
from mmstudio.data.input_cells import rows_repeat
from mmstudio.data.split_words import SPELLINGS as SPELLINGS
from mmstudio.data.split_words import SPLITS as SPLITS
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.numbers import read_numbers

GROUPS_DEVIATION = 0.25
"""Of the smallest share, at each cut: further off, groups next to the cut are moved."""
STRATIFIED_DEVIATION = 0.1
"""The same within each class of a stratified split."""
NUMBER_BINS = 10
"""A column of numbers that hardly repeat is stratified in at most so many bins of equal counts."""


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
                      group=experiment.data.group,
                      repeating=rows_repeat(experiment.inputs.values()))


def split_rows(
    table: Table,
    split: str | SplitShares,
    *,
    keys: Sequence[str] = (),
    left_out: np.ndarray | None = None,
    group: str | None = None,
    repeating: bool = False,
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

    Raises:
        UserError: No such column, a word that names no split, or no training rows.
    """
    kept = np.ones(len(table), dtype=bool) if left_out is None else ~left_out
    row_keys = _row_keys(table, keys, repeating)
    if isinstance(split, SplitShares):
        # drawn over all rows: leaving one out must move no other
        names = _by_shares(table, split, row_keys, np.arange(len(table)))
    else:
        names = _by_column(table, split)
        if not ((names == "validation") & kept).any():
            rows = np.flatnonzero(names == "train")
            shares = SplitShares(0.9, 0.1, 0.0, group=group)
            names[rows] = _by_shares(table, shares, row_keys, rows)
    names[~kept] = ""
    for needed in ("train", "validation"):
        if needed not in names:
            raise UserError(f"The split leaves no row for {needed}.",
                            "Add rows, or change data.split.")
    return names


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
    table: Table, shares: SplitShares, row_keys: pl.Series, rows: np.ndarray
) -> np.ndarray:
    """The split of these rows. What is drawn is a group, or all rows of one key."""
    keys = row_keys
    for column in (shares.id, shares.group):
        if column is not None:
            keys = pl.select(pl.coalesce(table.column(column), keys)).to_series()
    frame = pl.DataFrame({"key": keys.gather(rows), "stratum": _strata(table, shares, rows)})
    frame = frame.with_columns(item=pl.col("key").rank("dense").cast(pl.Int64) - 1)
    unique = frame.group_by("item").agg(pl.col("key").first(), pl.len()).sort("item")
    points = points_of(unique["key"])
    weights = unique["len"].to_numpy().astype(np.float64)
    parts = np.zeros(len(unique), dtype=np.int64)
    deviation = np.inf if shares.group is None else GROUPS_DEVIATION
    if shares.stratify is not None:
        deviation = STRATIFIED_DEVIATION
    if shares.stratify is None:
        of_item = np.zeros(len(unique), dtype=np.int64)
    else:
        # a group that holds several classes counts as its most frequent one
        most = frame.group_by("item", "stratum").len().sort(
            ["item", "len", "stratum"], descending=[False, True, False])
        of_item = (most.unique("item", keep="first", maintain_order=True)["stratum"]
                   .rank("dense").to_numpy().astype(np.int64))
    for stratum in np.unique(of_item):
        items = np.flatnonzero(of_item == stratum)
        if shares.stratify is not None and len(items) == 1:
            continue  # the only one of its class: elsewhere nothing could be learnt of it
        order = items[np.argsort(points[items], kind="stable")]
        parts[order] = _cut(points[order], weights[order], shares, deviation)
    _fill_empty(parts, points, shares)
    names: np.ndarray = np.array(SPLITS, dtype="<U10")[parts][frame["item"].to_numpy()]
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


def _strata(table: Table, shares: SplitShares, rows: np.ndarray) -> pl.Series:
    """Per row what it is stratified by; "" where that is unknown."""
    if shares.stratify is None:
        return pl.Series([""]).new_from_index(0, len(rows))
    cells = table.column(shares.stratify).gather(rows)
    read = read_numbers(cells)
    numbers = pl.Series(read.values).fill_nan(None)
    known = len(cells) - numbers.null_count()
    if known and read.usual and cells.n_unique() > known / 2:
        bins = int(np.clip(known * _smallest(shares) / 2, 1, NUMBER_BINS))
        place = (numbers.rank("ordinal") - 1) * bins // known
        cells = place.cast(pl.String)
    return cells.fill_null("")


def _row_keys(table: Table, columns: Sequence[str], repeating: bool) -> pl.Series:
    """One text per row from the cells of these columns, or of all.

    Where they repeat, the second of equal rows and those after it have their number behind. It
    counts from the first row on, so that rows added at the end renumber none.
    """
    keys = table.frame.select(
        pl.concat_str([pl.col(c).fill_null("") for c in columns or table.columns],
                      separator="\x1f").alias("key"))
    if not repeating:
        return keys.to_series()
    number = pl.int_range(pl.len()).over("key")
    return keys.select(
        pl.when(number == 0).then("key")
        .otherwise(pl.concat_str("key", number, separator="\x1f"))).to_series()


def points_of(keys: pl.Series) -> np.ndarray:
    """Where keys stand between 0 and 1, the same on every machine: ``(N,)`` float64."""
    digests = b"".join(
        hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys.to_list())
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2**64
