"""Groups, such as speakers or families, whose rows lie in two splits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from mmstudio.data.checks.examined import Examined
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.data.propose import determines
from mmstudio.experiment import SplitShares
from mmstudio.tasks.kinds import kind_of

FEWEST_GROUPS = 10
LEAST_WHOLE = 0.8
"""A column that nobody named counts as the group where so many of its groups are whole …"""
LEAST_GAIN = 0.3
"""… and so many more than chance would leave whole."""


def group_problems(examined: Examined) -> Iterator[Problem]:
    """Groups in two splits: of the column that the experiment names, else of such as look so."""
    data = examined.experiment.data
    named = data.split.group if isinstance(data.split, SplitShares) else None
    named = named or data.group
    columns = [named] if named is not None else _unnamed(examined)
    for column in columns:
        if column not in examined.table.columns:
            continue
        frame = _rows_by_group(examined, column)
        whole = frame["splits"] == 1
        if column != named and not _looks_like_a_group(frame, examined.splits):
            continue
        for group, rows in frame.filter(~whole).select("group", "rows").iter_rows():
            yield _problem(examined, column, group, np.array(rows))


def _problem(examined: Examined, column: str, group: str, rows: np.ndarray) -> Problem:
    splits = examined.splits[rows]
    names, counts = np.unique(splits, return_counts=True)
    parts = ", ".join(f"{count} in {name}" for name, count in zip(names, counts, strict=True))
    strayed = rows[splits != names[counts.argmax()]].tolist()
    return problem(
        strayed[0], column, "straddling_group",
        f"The rows of '{group}' lie in {len(names)} splits: {parts}.",
        f"Split again by '{column}'.", rows=strayed, detail={"group": column})


def _rows_by_group(examined: Examined, column: str) -> pl.DataFrame:
    """Groups of two rows or more: ``group``, ``rows``, ``splits`` (how many) and ``size``."""
    frame = pl.DataFrame({
        "group": examined.table.column(column),
        "split": pl.Series(examined.splits.tolist(), dtype=pl.String),
    }).with_row_index("row")
    frame = frame.filter(pl.col("group").is_not_null() & (pl.col("split") != ""))
    return frame.group_by("group", maintain_order=True).agg(
        rows=pl.col("row"), splits=pl.col("split").n_unique(), size=pl.len(),
    ).filter(pl.col("size") > 1)


def _looks_like_a_group(frame: pl.DataFrame, splits: np.ndarray) -> bool:
    """Whether the split was plainly made by this column, but for a few groups."""
    if len(frame) < FEWEST_GROUPS:
        return False
    whole = float((frame["splits"] == 1).sum()) / len(frame)
    used = splits[splits != ""]
    shares = np.unique(used, return_counts=True)[1] / max(1, len(used))
    by_chance = float(np.mean([(shares ** size).sum() for size in frame["size"]]))
    return LEAST_WHOLE <= whole < 1 and whole - by_chance >= LEAST_GAIN


def _unnamed(examined: Examined) -> list[str]:
    """Columns that are none of inputs, targets and split, and that no label determines.

    Families of instruments look like a group where the split is stratified by the instrument.
    """
    experiment = examined.experiment
    used = {c for i in experiment.inputs.values() for c in i.read_columns}
    used |= {c for t in experiment.targets.values() for c in (t.column, *t.columns)}
    used |= {experiment.data.split} if isinstance(experiment.data.split, str) else set()
    labels = [t.column for t in experiment.targets.values()
              if kind_of(t.task).one_label and t.column in examined.table.columns]
    return [c for c in examined.table.columns if c not in used
            and not any(determines(examined.table, label, c) for label in labels)]
