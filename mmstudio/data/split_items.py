"""What a split and folds are drawn of: rows that stay together, where they stand, their strata."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mmstudio.data.table import Table
from mmstudio.experiment import SplitShares
from mmstudio.numbers import read_numbers

NUMBER_BINS = 10
"""A column of numbers that hardly repeat is stratified in at most so many bins of equal counts."""


@dataclass(frozen=True)
class SplitItems:
    """Some rows as what is drawn: groups, or all rows of one key.

    Attributes:
        of_row: ``(N,)`` int64, the item of each row.
        points: ``(n,)`` where each item stands between 0 and 1, by a hash of its key.
        weights: ``(n,)`` its rows.
        strata: ``(n,)`` int64 what it is stratified by; all 0 where nothing says so.
    """

    of_row: np.ndarray
    points: np.ndarray
    weights: np.ndarray
    strata: np.ndarray


def items_of(
    table: Table, shares: SplitShares, row_keys: pl.Series, rows: np.ndarray, smallest: float,
    salt: str = "",
) -> SplitItems:
    """The items of some rows.

    Args:
        table: All rows.
        shares: Name the columns ``group``, ``id`` and ``stratify``.
        row_keys: Per row of the table what names it where neither does.
        rows: ``(N,)`` the rows.
        smallest: The smallest share that is drawn.
        salt: Another one draws otherwise.
    """
    keys = row_keys
    for column in (shares.id, shares.group):
        if column is not None:
            keys = pl.select(pl.coalesce(table.column(column), keys)).to_series()
    frame = pl.DataFrame({"key": keys.gather(rows),
                          "stratum": _strata(table, shares, rows, smallest)})
    frame = frame.with_columns(item=pl.col("key").rank("dense").cast(pl.Int64) - 1)
    unique = frame.group_by("item").agg(pl.col("key").first(), pl.len()).sort("item")
    strata = np.zeros(len(unique), dtype=np.int64)
    if shares.stratify is not None:
        # a group that holds several classes counts as its most frequent one
        most = frame.group_by("item", "stratum").len().sort(
            ["item", "len", "stratum"], descending=[False, True, False])
        strata = (most.unique("item", keep="first", maintain_order=True)["stratum"]
                  .rank("dense").to_numpy().astype(np.int64))
    return SplitItems(frame["item"].to_numpy(), points_of(unique["key"] + salt),
                      unique["len"].to_numpy().astype(np.float64), strata)


def _strata(
    table: Table, shares: SplitShares, rows: np.ndarray, smallest: float
) -> pl.Series:
    """Per row what it is stratified by; "" where that is unknown."""
    if shares.stratify is None:
        return pl.Series([""]).new_from_index(0, len(rows))
    cells = table.column(shares.stratify).gather(rows)
    read = read_numbers(cells)
    numbers = pl.Series(read.values).fill_nan(None)
    known = len(cells) - numbers.null_count()
    if known and read.usual and cells.n_unique() > known / 2:
        bins = int(np.clip(known * smallest / 2, 1, NUMBER_BINS))
        place = (numbers.rank("ordinal") - 1) * bins // known
        cells = place.cast(pl.String)
    return cells.fill_null("")


def row_keys_of(table: Table, columns: Sequence[str], repeating: bool) -> pl.Series:
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
