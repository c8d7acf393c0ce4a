"""Which fold of a cross-validation each row is in."""

from __future__ import annotations

import heapq

import numpy as np
import polars as pl

from mmstudio.data.split_items import SplitItems, items_of
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import SplitShares

SALT = "\x1ffold"
"""Folds are drawn by other hashes than the split: its cuts don't show in them."""


def folds_of(
    table: Table, shares: SplitShares, row_keys: pl.Series, rows: np.ndarray, folds: int
) -> np.ndarray:
    """The fold of each row, ``(N,)`` int64 from 0, whatever the order of the rows.

    Rows of one group, id or key stay together. Of each stratum the largest go first, those of one
    size in the order of their hashes, each into the fold that has the fewest rows of it: folds
    differ by one row, or one group, in each stratum.

    Args:
        table: All rows.
        shares: Name the columns ``group``, ``id`` and ``stratify``.
        row_keys: Per row of the table what names it where neither does.
        rows: ``(N,)`` the rows that are shared out.
        folds: How many there are, two or more.

    Raises:
        UserError: So few rows or groups that a fold would be empty, or leave fewer than two.
    """
    items = items_of(table, shares, row_keys, rows, 1 / folds, SALT)
    fold_of_item = _dealt(items, folds)
    counts = np.bincount(fold_of_item, minlength=folds)
    if not counts.all() or len(fold_of_item) - counts.max() < 2:
        what = "different rows" if shares.group is None else f"groups of '{shares.group}'"
        raise UserError(
            f"{len(fold_of_item):,} {what} for training and validation can't make {folds} folds: "
            "each needs one, and two elsewhere.",
            "Take fewer folds, or add rows." if folds > 2 else "Add rows.")
    return np.asarray(fold_of_item[items.of_row])


def _dealt(items: SplitItems, folds: int) -> np.ndarray:
    """The fold of each item, ``(n,)``."""
    found = np.zeros(len(items.points), dtype=np.int64)
    totals = [0.0] * folds
    for stratum in np.unique(items.strata):
        some = np.flatnonzero(items.strata == stratum)
        order = some[np.lexsort((items.points[some], -items.weights[some]))]
        # the fewest rows of this stratum, then of all, then the first
        waiting = [(0.0, total, fold) for fold, total in enumerate(totals)]
        heapq.heapify(waiting)
        for item in order.tolist():
            own, total, fold = waiting[0]
            weight = float(items.weights[item])
            found[item] = fold
            totals[fold] = total + weight
            heapq.heapreplace(waiting, (own + weight, total + weight, fold))
    return found
