"""Rows without a label, and the labels that can be given to them; needs no model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from mmstudio.data.table import Table
from mmstudio.experiment import Experiment
from mmstudio.tasks.kinds import ONE_LABEL, find_kind

MOST_OFFERED = 10_000
"""Labels of a target; more are typed as they are."""


def spread_rows(table: Table, experiment: Experiment, target: str) -> np.ndarray:
    """Rows without a label that have an input, each unlike the others, spread over the table.

    Of rows whose inputs' cells are equal only the first is asked for. What lies side by side in a
    table is often of one kind: so each next row is far from those before (the places are ordered
    by their binary digits turned round, van der Corput 1935).

    Args:
        table: The rows.
        experiment: Tells the inputs' and the target's columns.
        target: Whose labels are missing.
    """
    read = sorted({c for settings in experiment.inputs.values() for c in settings.read_columns}
                  & set(table.columns))
    if not read:
        return np.zeros(0, np.int64)
    column = experiment.targets[target].column
    frame = table.frame.with_row_index("\0row")
    if column in table.columns:
        frame = frame.filter(pl.col(column).is_null())
    frame = frame.filter(pl.any_horizontal(pl.col(read).is_not_null()))
    rows = frame.unique(read, keep="first", maintain_order=True)["\0row"].to_numpy()
    bits = max(1, int(len(rows) - 1).bit_length()) if len(rows) else 1
    places = np.arange(len(rows))
    turned = np.zeros_like(places)
    for bit in range(bits):
        turned |= ((places >> bit) & 1) << (bits - 1 - bit)
    return np.asarray(rows[np.argsort(turned, kind="stable")], np.int64)


def labels_offered(table: Table, experiment: Experiment) -> Mapping[str, tuple[str, ...]]:
    """Per target with one label each the labels that stand in its column, in order.

    Args:
        table: The rows.
        experiment: Its merges are applied.
    """
    offered: dict[str, tuple[str, ...]] = {}
    for name, settings in experiment.active_targets.items():
        if find_kind(settings.task) is not ONE_LABEL or settings.column not in table.columns:
            continue
        cells = table.column(settings.column).drop_nulls().unique().head(MOST_OFFERED).to_list()
        offered[name] = tuple(sorted({settings.merge.get(c, c) for c in cells}, key=_order))
    return offered


def _order(label: str) -> tuple[bool, float, str]:
    """Numbers by their size, before words."""
    is_number = label.isdecimal() and len(label) < 16
    return not is_number, float(label) if is_number else 0.0, label
