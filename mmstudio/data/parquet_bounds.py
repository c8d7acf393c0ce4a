"""Parquet is bounded before it is read: a file of a kilobyte may become any number of gigabytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mmstudio.data.embedded import embedded_columns
from mmstudio.data.parquet_sizes import ColumnSize, column_sizes
from mmstudio.errors import UserError

MOST_ROWS = 20_000_000
MOST_VALUES = 200_000_000
MOST_TEXT_BYTES = 4_000_000_000
SMALL_BYTES = 400_000_000
"""What any file may become; a table takes about three times as much while it is read."""
MOST_TIMES = 100
"""What becomes more than ``SMALL_BYTES`` and so many times the file's size is not data."""
MOST_GROUP_BYTES = 600_000_000
"""Of a column of pictures or sounds, whose groups of rows are unpacked one by one, into twice the
memory."""
BYTES_PER_CELL = 16
"""Each value becomes a text."""


def check_parquet(path: Path) -> None:
    """Refuse what a small file could become.

    Raises:
        UserError: It has more rows or values than are allowed, or would become too large.
        ValueError: It is not a Parquet file.
        PolarsError: Likewise.
    """
    lazy = pl.scan_parquet(path, glob=False)
    rows, schema = int(lazy.select(pl.len()).collect().item()), dict(lazy.collect_schema())
    sizes = column_sizes(path)
    media = embedded_columns(schema)
    cells = [size for name, size in sizes.items() if name not in media]
    values = max(rows * len(schema), sum(size.values for size in cells))
    if rows > MOST_ROWS or values > MOST_VALUES:
        raise UserError(f"{path} says that it has {rows:,} rows of {len(schema):,} columns, "
                        f"{values:,} values.",
                        f"Take a part of it: {MOST_ROWS:,} rows and {MOST_VALUES:,} values are "
                        "the limit.")
    for name in media:
        largest = sizes.get(name, ColumnSize()).group_bytes
        if largest > MOST_GROUP_BYTES:
            raise UserError(f"{path} would become {largest / 1e9:,.1f} GB at once: so much lies in "
                            f"one group of rows of '{name}'.", "Write it in groups of 1,000 rows.")
    _check_text(path, lazy, {n: k for n, k in schema.items() if n not in media}, cells, values)


def _check_text(
    path: Path, lazy: pl.LazyFrame, schema: dict[str, pl.DataType], cells: list[ColumnSize],
    values: int,
) -> None:
    size = path.stat().st_size
    most = min(max(SMALL_BYTES, MOST_TIMES * size), MOST_TEXT_BYTES + BYTES_PER_CELL * values)
    needed = BYTES_PER_CELL * values + sum(column.unpacked_bytes for column in cells)
    if needed <= most and BYTES_PER_CELL * values + sum(c.longest_bytes for c in cells) > most:
        # texts that repeat stand once in the file, and once per row in the table
        lengths = [length for name, kind in schema.items()
                   for length in _lengths(pl.col(name), kind)]
        if lengths:
            named = [length.alias(str(i)) for i, length in enumerate(lengths)]
            told = lazy.select(named).collect(engine="streaming").row(0)
            needed = max(needed, BYTES_PER_CELL * values + sum(n or 0 for n in told))
    if needed > most:
        raise UserError(f"{path} would become {needed / 1e9:,.1f} GB, {needed // size:,} times its "
                        "size.", f"Take a part of it: {most / 1e9:,.1f} GB are the limit.")


def _lengths(values: pl.Expr, kind: Any) -> Iterator[pl.Expr]:
    """The bytes of all texts within a column, one sum per place where texts stand."""
    if isinstance(kind, pl.List | pl.Array):
        yield from _lengths(values.explode(), kind.inner)
    elif isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from _lengths(values.struct.field(field.name), field.dtype)
    elif kind in (pl.String, pl.Categorical, pl.Enum):
        yield values.cast(pl.String).str.len_bytes().cast(pl.UInt64).sum()
