"""Which rows are for training, validation and test."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import SplitShares

SPLITS = ("train", "validation", "test")
SPELLINGS = {
    "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "eval": "test", "testing": "test", "evaluation": "test",
}


def split_rows(table: Table, split: str | SplitShares) -> np.ndarray:
    """The split of every row: ``train``, ``validation``, ``test`` or ``""`` (left out).

    Shares are drawn by a hash of the row's group or content, so the order of the rows does not
    matter and a new row moves none of the old ones. Where a column has no validation rows, a
    tenth of its training rows, drawn likewise, serves; at least one in any case.

    Raises:
        UserError: No such column, a word that names no split, or no training rows.
    """
    if isinstance(split, SplitShares):
        names = _by_shares(table, split)
    else:
        names = _by_column(table, split)
        if "validation" not in names:
            part = _by_shares(table, SplitShares(0.9, 0.1, 0.0))
            names[(names == "train") & (part == "validation")] = "validation"
    if "validation" not in names and (names == "train").sum() > 1:
        # a small table may draw none: the training row with the smallest hash serves
        rows = np.flatnonzero(names == "train")
        keys = _row_keys(table).gather(rows).to_list()
        names[min(zip(map(_point, keys), rows, strict=True))[1]] = "validation"
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


def _by_shares(table: Table, shares: SplitShares) -> np.ndarray:
    if shares.group is not None:
        keys = table.column(shares.group)
        if keys.null_count():
            keys = pl.select(pl.coalesce(keys, _row_keys(table))).to_series()
    else:
        keys = _row_keys(table)
    points = {key: _point(key) for key in keys.unique().to_list()}
    at = np.array([points[key] for key in keys.to_list()])
    # the groups or rows in the order of their hashes, cut where the shares end
    bounds = np.array([shares.train, shares.train + shares.validation])
    place = np.searchsorted(bounds, at, side="right").clip(max=2)
    names: np.ndarray = np.array(SPLITS, dtype="<U10")[place]
    if shares.test == 0:
        names[names == "test"] = "validation" if shares.validation else "train"
    return names


def _row_keys(table: Table) -> pl.Series:
    """One text per row from all its cells."""
    return table.frame.select(
        pl.concat_str([pl.col(c).fill_null("") for c in table.columns], separator="\x1f")
    ).to_series()


def _point(key: str) -> float:
    """Where a key stands between 0 and 1, the same on every machine."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
