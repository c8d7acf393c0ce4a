"""Labels that mean another one, as ``merge`` of a target says; the data stays as it is."""

from __future__ import annotations

import polars as pl

from mmstudio.data.labels import SEPARATOR
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment, TargetSettings


def merged(table: Table, experiment: Experiment) -> Table:
    """The table as the targets' ``merge`` makes it; the same one where there is nothing to do."""
    columns = []
    inputs = {c for i in experiment.inputs.values() for c in i.read_columns}
    for target in experiment.targets.values():
        if target.merge and target.column in table.columns and target.column not in inputs:
            cells = table.column(target.column)
            columns.append(_multiple(cells, target) if target.task == "multilabel"
                           else cells.replace(target.merge))
    if not columns:
        return table
    return table.with_frame(table.frame.with_columns(columns))


def _multiple(cells: pl.Series, target: TargetSettings) -> pl.Series:
    separator = target.options.get("separator", SEPARATOR)
    parts = (
        None if cell is None else [p.strip() for p in cell.split(separator)] for cell in cells)
    return pl.Series(cells.name, [
        None if found is None
        else separator.join(dict.fromkeys(target.merge.get(p, p) for p in found))
        for found in parts
    ], dtype=pl.String)
