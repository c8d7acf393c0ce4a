"""A few rows of the data, decoded, and how many there are of all: enough for a dry step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import Dataset, Progress, labels_of, prepare
from mmstudio.data.schema import fit_schema, values_of
from mmstudio.data.split import split_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.modalities.base import Value

ROWS = 32
"""Decoded, evenly spread over the training rows."""
LEARNT_ROWS = 2000
"""At most so many contents teach the schema: vocabularies and sizes are those of all, nearly."""


@dataclass(frozen=True)
class DryData:
    """Some training rows.

    Attributes:
        dataset: These rows alone, decoded.
        train_rows: How many training rows there are in all.
        validation_rows: And how many to validate on.
        used: ``(N,)`` bool, which of all rows are used.
        values: Per input every row's path or text.
    """

    dataset: Dataset
    train_rows: int
    validation_rows: int
    used: np.ndarray
    values: dict[str, list[Value | None]]


def dry_data(experiment: Experiment, folder: Path) -> Iterator[Progress | DryData]:
    """Read the table, and decode a few of its training rows.

    Args:
        experiment: A completed experiment.
        folder: What ``data.table`` is relative to.

    Yields:
        Progress, last the data.

    Raises:
        UserError: As ``prepare``.
    """
    yield Progress("Reading the table", 0, 1)
    whole = read_table(folder / experiment.data.table)
    table = merged(whole, experiment)
    splits = split_of(experiment, table, folder)
    values = {n: values_of(table, i) for n, i in experiment.active_inputs.items()}
    yield Progress("Looking at the training rows", 0, 1)
    train = np.flatnonzero(splits == "train")
    few = set(_spread(train, LEARNT_ROWS))
    schema = fit_schema(experiment, table, splits, {
        n: _only(column, train, few) for n, column in values.items()})
    inputs = sum(np.array([v is not None for v in column]) for column in values.values())
    known = np.zeros(len(table), dtype=bool)
    for name in experiment.active_targets:
        known |= labels_of(experiment, table, schema, splits != "", name).known
    if experiment.training.alignment > 0:
        known |= inputs > 1
    used = known & (splits != "")
    usable = np.flatnonzero(used & (inputs > 0) & (splits == "train"))
    if not len(usable):
        raise UserError("No training row has an input and a label.",
                        "Check the columns and the split.")
    rows = _spread(usable, ROWS)
    for item in prepare(experiment, folder, schema=schema,
                        table=Table(whole.path, whole.folder, whole.frame[rows]),
                        splits=np.full(len(rows), "train")):
        if isinstance(item, Dataset):
            yield DryData(dataclasses.replace(item, paired=False), len(usable),
                          int((used & (inputs > 0) & (splits == "validation")).sum()), used, values)
        else:
            yield item


def _only(column: list[Value | None], train: np.ndarray, few: set[int]) -> list[Value | None]:
    """A column in which only these rows' contents are there, and one at least."""
    kept: list[Value | None] = [v if row in few else None for row, v in enumerate(column)]
    if all(v is None for v in kept):
        there = [row for row in train.tolist() if column[row] is not None]
        for row in there[:LEARNT_ROWS]:
            kept[row] = column[row]
    return kept


def _spread(rows: np.ndarray, most: int) -> list[int]:
    """At most so many of the rows, evenly spread."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)
    found: list[int] = rows[places].tolist()
    return found
