"""A target's cells as it reads them: columns of yes and no joined, labels that mean another one.

The data stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, TargetSettings
from mmstudio.tasks.kinds import ONE_LABEL, find_kind
from mmstudio.tasks.kinds.label_set import SEPARATOR

YES = ("1", "1.0", "true", "yes", "y", "t")
NO = ("0", "0.0", "-1", "false", "no", "n", "f")


def merged(table: Table, experiment: Experiment, *, lenient: bool = False) -> Table:
    """The table as the targets read it; the same one where there is nothing to do.

    A target's ``columns`` become one column called like the target, and ``merge`` gives labels
    their other name. Columns of a target that is switched off are not looked at.

    Args:
        table: The rows.
        experiment: Names the targets.
        lenient: Take a cell of ``columns`` that says neither yes nor no as empty.

    Raises:
        UserError: Of a target's ``columns`` some are missing or hold another word than yes and no,
            or the table has a column of the target's name.
    """
    joined = [_joined(table, name, t, lenient) for name, t in experiment.active_targets.items()
              if t.columns and any(c in table.columns for c in t.columns)]
    if joined:
        table = table.with_frame(table.frame.with_columns(joined))
    columns = []
    inputs = {c for i in experiment.inputs.values() for c in i.read_columns}
    for target in experiment.targets.values():
        if target.merge and target.column in table.columns and target.column not in inputs:
            # an unknown task is refused where it is used
            kind = find_kind(target.task) or ONE_LABEL
            columns.append(kind.merged(table.column(target.column), target.merge, target.options))
    if not columns:
        return table
    return table.with_frame(table.frame.with_columns(columns))


def odd_switches(table: Table, experiment: Experiment) -> Iterator[tuple[str, str, list[int]]]:
    """What ``merged`` refuses: target, column, and the rows that say neither yes nor no."""
    for name, target in experiment.active_targets.items():
        for column in target.columns:
            if column in table.columns:
                odd = _odd(table.column(column).str.to_lowercase())
                if odd:
                    yield name, column, odd


def neither(table: Table, target: str, column: str, row: int) -> UserError:
    """Says that a cell of a target's ``columns`` is neither yes nor no."""
    return UserError(
        f"'{column}', row {row + 1}: '{str(table.cell(row, column))[:60]}' says neither "
        f"yes nor no, but is one of the columns of targets.{target}.",
        "Write 1 or 0 or empty the cell, or take the column off the list.")


def _odd(lower: pl.Series) -> list[int]:
    return (~lower.is_in([*YES, *NO])).arg_true().to_list()


def free_separator(labels: Sequence[str]) -> str:
    """What may stand between labels, as none of them holds it."""
    return next((s for s in (SEPARATOR, "|", "\x1f") if not any(s in x for x in labels)), "\x1e")


def _joined(table: Table, name: str, target: TargetSettings, lenient: bool) -> pl.Series:
    """Per row the names of the columns that say yes.

    An empty cell beside others says no; where all are empty the labels are unknown.
    """
    if target.column in table.columns:
        raise UserError(f"targets.{name} joins columns, but the table has a column '{name}' too.",
                        "Give the target another name.")
    separator = str(target.options.get("separator", SEPARATOR))
    for column in target.columns:
        if separator and separator in column:
            raise UserError(f"The column '{column}' of targets.{name} holds \"{separator}\", which "
                            "stands between labels.",
                            f"Set targets.{name}.separator to what no column's name holds.")
    cells = {c: table.column(c).str.to_lowercase() for c in target.columns}
    for column, lower in cells.items():
        odd = _odd(lower)
        if odd and not lenient:
            raise neither(table, name, column, odd[0])
        if odd:
            cells[column] = lower.scatter(odd, None)
    frame = pl.DataFrame(list(cells.values()))
    labels = pl.concat_str(
        [pl.when(pl.col(c).is_in(YES)).then(pl.lit(c)) for c in target.columns],
        separator=separator, ignore_nulls=True)
    empty = pl.all_horizontal(pl.col(c).is_null() for c in target.columns)
    # the separator alone says that none applies
    told = pl.when(labels == "").then(pl.lit(separator)).otherwise(labels)
    return frame.select(
        pl.when(empty).then(None).otherwise(told).alias(target.column)).to_series()
