"""Table to model: read, split, learn the schema, decode; one call for all who need data."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.input_cells import check_columns, is_there
from mmstudio.data.labels import read_labels
from mmstudio.data.merged_labels import merged
from mmstudio.data.schema import Schema, fit_schema, modality_of, values_of
from mmstudio.data.split import split_of
from mmstudio.data.store import Decoded, decode_all
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.modalities.base import Value
from mmstudio.tasks.kinds import Labels


@dataclass(frozen=True)
class Progress:
    """How far some work on data is."""

    message: str
    done: int
    total: int


@dataclass(frozen=True)
class KeptFront:
    """What the fixed first part of an input's encoder gives, worked out once.

    Attributes:
        rows: Of those that are never varied; ``(T, D)`` float32 each.
        length: T of a batch whose longest content is so long.
    """

    rows: Decoded
    length: Callable[[int], int]


@dataclass(frozen=True)
class Dataset:
    """All rows of a table, ready for batches.

    Attributes:
        table: The rows.
        splits: ``(N,)`` split of each row.
        schema: What was learnt from the training rows.
        values: Per input every row's path or text.
        decoded: Per input the decoded rows.
        labels: Per target every row's label, and whether it is known.
        encoded: Per input whose encoder is frozen, the features that it gave for the rows that are
            used, where they were computed once; batches then hold these.
        fronts: Per input whose encoder begins with a fixed rule, such as a spectrogram, what that
            gives for rows that are never varied; batches of such rows hold it.
        paired: Rows that have two inputs and no label are used too: alignment needs none.
        describers: Per input what gives the descriptions ``(B, D)`` of some rows, where kernel
            machines ask for them.
    """

    table: Table
    splits: np.ndarray
    schema: Schema
    values: dict[str, list[Value | None]]
    decoded: dict[str, Decoded]
    labels: dict[str, Labels]
    encoded: dict[str, Decoded] = field(default_factory=dict)
    fronts: dict[str, KeptFront] = field(default_factory=dict)
    paired: bool = False
    describers: dict[str, Callable[[np.ndarray], Any]] = field(default_factory=dict)

    @property
    def labelled(self) -> np.ndarray:
        """``(N,)`` bool: the rows that have a label."""
        known = np.zeros(len(self.table), dtype=bool)
        for labels in self.labels.values():
            known |= labels.known
        return known

    @property
    def used(self) -> np.ndarray:
        """``(N,)`` bool: the rows that are in a split and have a label; see ``paired``."""
        learnt = self.labelled
        if self.paired:
            learnt = learnt | (self.input_counts > 1)
        return np.asarray(learnt & (self.splits != ""))

    def rows(self, split: str) -> np.ndarray:
        """The rows of a split that have at least one input and one label; see ``paired``."""
        return np.flatnonzero((self.splits == split) & (self.input_counts > 0) & self.used)

    def labelled_rows(self, split: str) -> np.ndarray:
        """The rows of a split that have at least one input and one label."""
        return np.flatnonzero((self.splits == split) & (self.input_counts > 0) & self.labelled)

    @property
    def input_counts(self) -> np.ndarray:
        """``(N,)`` how many inputs each row has."""
        counts = np.zeros(len(self.table), dtype=np.int64)
        for decoded in self.decoded.values():
            counts += np.diff(decoded.starts) > 0
        return counts


def prepare(
    experiment: Experiment,
    folder: Path,
    *,
    schema: Schema | None = None,
    table: Table | None = None,
    splits: np.ndarray | None = None,
    earlier: Schema | None = None,
) -> Iterator[Progress | Dataset]:
    """Make the data of an experiment ready.

    Args:
        experiment: Names the table, the split, the inputs and the targets.
        folder: What ``data.table`` is relative to.
        schema: A run's schema; None learns it from the training rows.
        table: Another table than the experiment's.
        splits: ``(N,)`` its split; None takes the experiment's.
        earlier: What of an earlier run's schema stands in place of what is learnt.

    Yields:
        Progress, last the dataset.

    Raises:
        UserError: What the user can mend, naming the file, row or key.
    """
    if table is None:
        yield Progress("Reading the table", 0, 1)
        table = read_table(folder / experiment.data.table)
    table = merged(table, experiment)
    if splits is None:
        splits = split_of(experiment, table, folder)
    if schema is None:
        for settings in experiment.active_inputs.values():
            check_columns(table, settings)
    values: dict[str, list[Value | None]] = {
        n: values_of(table, i) if schema is None or is_there(table, i)
        # to a trained model, a table without an input's column is one in which it is absent
        else [None] * len(table)
        for n, i in experiment.active_inputs.items()
    }
    if schema is None:
        yield Progress("Looking at the training rows", 0, 1)
        schema = fit_schema(experiment, table, splits, values)
        if earlier is not None:
            schema = Schema(schema.inputs | earlier.inputs, schema.targets | earlier.targets)
    decoded = {}
    for name, settings in experiment.active_inputs.items():
        message = f"Reading {name}"
        for step in decode_all(modality_of(settings), schema.inputs[name], values[name]):
            if isinstance(step, int):
                yield Progress(message, step, len(table))
            else:
                decoded[name] = step
        errors = decoded[name].errors
        if errors and len(errors) == sum(v is not None for v in values[name]):
            first = next(iter(errors.values()))
            raise UserError(f"Not one row of input '{name}' can be read. {first}",
                            "Check the column and the folder that its paths start from.")
    used = splits != ""
    labels = {n: labels_of(experiment, table, schema, used, n) for n in experiment.active_targets}
    yield Dataset(table, splits, schema, values, decoded, labels,
                  paired=experiment.training.alignment > 0)


def prepared(
    experiment: Experiment,
    folder: Path,
    *,
    schema: Schema | None = None,
    table: Table | None = None,
    splits: np.ndarray | None = None,
) -> Generator[Progress, None, Dataset]:
    """As ``prepare``, for ``yield from``: passes the progress on and gives the dataset back."""
    for item in prepare(experiment, folder, schema=schema, table=table, splits=splits):
        if isinstance(item, Dataset):
            return item
        yield item
    raise UserError("The data gave no rows.", "Check data.table.")


def labels_of(
    experiment: Experiment, table: Table, schema: Schema, used: np.ndarray, name: str
) -> Labels:
    """A target's labels; all are unknown in a table without its column.

    Args:
        experiment: Names the column and the task.
        table: All rows, merged labels and all.
        schema: What the labels are.
        used: ``(N,)`` bool, the rows that are in a split.
        name: The target.
    """
    target = experiment.targets[name]
    there = target.column in table.columns
    cells = table.column(target.column).to_list() if there else [None] * len(table)
    return read_labels(target.task, schema.targets[name], cells, used, name)
