"""The cells of an input: those of its column, or of several columns as one record per row."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from mmstudio.data.table import Table
from mmstudio.experiment import InputSettings
from mmstudio.modalities import MODALITIES


def rows_repeat(inputs: Iterable[InputSettings]) -> bool:
    """Whether equal rows are usual and no copies, as all inputs are numbers and categories."""
    return all(MODALITIES.get(i.modality).several_columns for i in inputs)


def is_there(table: Table, settings: InputSettings) -> bool:
    """Whether a table has a column of an input; of several one is enough, the others are empty."""
    return any(column in table.columns for column in settings.read_columns)


def input_cells(table: Table, settings: InputSettings) -> pl.Series:
    """``(N,)`` cells of an input, None where it is absent.

    Where the input reads several columns, each cell is a record: JSON text of the columns' cells,
    None where all of them are empty. A column that the table hasn't is empty in every row, unless
    it has none of them.

    Raises:
        UserError: There is no such column.
    """
    if not settings.columns:
        return table.column(settings.column)
    if not is_there(table, settings):
        table.column(settings.columns[0])  # raises
    columns = [
        table.column(name).alias(name) if name in table.columns
        else pl.Series(name, [None] * len(table), dtype=pl.String)
        for name in settings.columns]
    record = pl.struct(settings.columns).struct.json_encode()
    filled = pl.any_horizontal(pl.col(name).is_not_null() for name in settings.columns)
    return pl.DataFrame(columns).select(
        pl.when(filled).then(record).otherwise(None).alias(settings.column_words)).to_series()


def check_columns(table: Table, settings: InputSettings) -> None:
    """Refuse a table that lacks a column of an input. Raises UserError."""
    for column in settings.read_columns:
        if column not in table.columns:
            table.column(column)  # raises, and names the nearest


