"""Rows that are left out by a list beside the experiment file; the data stays as it is.

The list is a CSV file. Its last column says why; the others are columns of the table, and every
row of the table that is equal in all of them is left out. So it holds whatever the order of the
table's rows, and a person can read and edit it.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from mmstudio.data.table import Table
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.reading import read_bytes, reason_of

WHY = "left_out_because"
FILE_NAME = "left_out.csv"
MOST_BYTES = 1 << 30


def excluded_rows(table: Table, name: str | None, folder: Path) -> np.ndarray:
    """``(N,)`` bool, True where a row is left out.

    Args:
        table: The rows.
        name: ``data.leave_out``; None leaves nothing out.
        folder: What it is relative to.

    Raises:
        UserError: The list can't be read, or names a column that the table does not have.
    """
    if name is None:
        return np.zeros(len(table), dtype=bool)
    listed = read_list(folder / name)
    columns = [c for c in listed.columns if c != WHY]
    for column in columns:
        if column not in table.columns:
            raise UserError(f"{name} names a column '{column}' that the table does not have.",
                            nearest(column, table.columns))
    if not columns or not len(listed):
        return np.zeros(len(table), dtype=bool)
    marked = listed.select(columns).unique().with_columns(pl.lit(True).alias(WHY))
    found = table.frame.select(columns).join(
        marked, on=columns, how="left", nulls_equal=True, maintain_order="left")
    left_out: np.ndarray = found[WHY].fill_null(False).to_numpy()
    return left_out


def read_list(path: Path) -> pl.DataFrame:
    """The list as it stands, cells as text, None where empty. Raises UserError."""
    try:
        return pl.read_csv(read_bytes(path, MOST_BYTES), infer_schema=False)
    except FileNotFoundError:
        raise UserError(f"The list of rows to leave out, {path}, is missing.",
                        "Put it back, or remove data.leave_out.") from None
    except Exception as error:
        raise UserError(f"{path} can't be read: {reason_of(error)}.",
                        "It is a CSV file; fix it, or remove data.leave_out.") from None


def with_rows(
    experiment: Experiment, table: Table, folder: Path, reasons: Mapping[int, str],
    more: Collection[str] = (),
) -> str:
    """The text of the list with these rows added.

    Args:
        experiment: Names the list and what a row is known by: the split's ``id``, else the
            inputs' cells and, where a column gives the split, that column.
        table: The rows.
        folder: What ``data.leave_out`` is relative to.
        reasons: Per row to leave out, why.
        more: Further columns that a row is known by: those that are wrong in it.
    """
    data = experiment.data
    if isinstance(data.split, SplitShares) and data.split.id is not None:
        columns = [data.split.id]
    else:
        columns = sorted({c for i in experiment.inputs.values() for c in i.read_columns}
                         & set(table.columns))
        columns += [data.split] if isinstance(data.split, str) else []
        columns += sorted(set(more) & set(table.columns) - set(columns))
    rows = sorted(reasons)
    added = table.frame.select(columns)[rows].with_columns(
        pl.Series(WHY, [reasons[r] for r in rows], dtype=pl.String))
    if data.leave_out is not None:
        before = read_list(folder / data.leave_out)
        if set(before.columns) != set(added.columns):
            # the inputs were others then: what was left out stays so, known by the new columns
            out = np.flatnonzero(excluded_rows(table, data.leave_out, folder))
            before = table.frame.select(columns)[out].with_columns(
                pl.lit("left out before").alias(WHY))
        added = pl.concat([before.select(added.columns), added])
    buffer = io.BytesIO()
    added.unique(columns, keep="first", maintain_order=True).write_csv(buffer)
    return buffer.getvalue().decode()
