"""The rows that a probe looks at, and what it is told about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmstudio.advice.features import cheap_features
from mmstudio.advice.linear import Classes, Numbers, fold_of_rows
from mmstudio.advice.probe import Block, block_of
from mmstudio.data.input_cells import input_cells
from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import Dataset, Progress, prepare
from mmstudio.data.split import split_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, SplitShares
from mmstudio.modalities import MODALITIES
from mmstudio.threads import one_thread

MOST_ROWS = 2000
"""A probe looks at no more rows."""
WHOLE_ROWS = 5000
"""A table up to this long is decoded whole, as training does, so that it is done but once."""
LEAST_ROWS = 60
LEAST_PER_CLASS = 8
MOST_CLASSES = 20
"""The most frequent classes or labels; the others are left out of the probe."""


@dataclass(frozen=True)
class Facts:
    """What is counted without any model.

    Attributes:
        inputs: Per active input its modality.
        training_rows: How many rows the model is trained on.
        present: Per input the share of training rows that have it.
        long: Inputs that are long sequences, as far as they were looked at.
    """

    inputs: dict[str, str]
    training_rows: int
    present: dict[str, float]
    long: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """What the probe is asked about: rows of training and validation only."""

    target: str
    question: Classes | Numbers
    blocks: dict[str, Block]
    groups: np.ndarray | None


def counted(experiment: Experiment, folder: Path) -> tuple[Facts, Table, np.ndarray]:
    """The facts, the table and the split of each row, without opening a file of media.

    Raises:
        UserError: The table can't be read.
    """
    table = read_table(folder / experiment.data.table)
    splits = split_of(experiment, merged(table, experiment), folder)
    training = splits == "train"
    inputs = experiment.active_inputs
    present = {
        name: float(input_cells(table, i).is_not_null().to_numpy()[training].mean())
        for name, i in inputs.items()}
    facts = Facts({n: i.modality for n, i in inputs.items()}, int(training.sum()), present)
    return facts, table, splits


def decoded(
    experiment: Experiment, folder: Path, table: Table, splits: np.ndarray
) -> Iterator[Progress | Dataset]:
    """The data, decoded; of a long table only some rows of training and validation.

    Raises:
        UserError: As ``prepare``.
    """
    if len(table) > WHOLE_ROWS:
        usable = np.flatnonzero((splits == "train") | (splits == "validation"))
        rows = _drawn(usable, MOST_ROWS, experiment.training.seed)
        table = Table(table.path, table.folder, table.frame[rows.tolist()])
        splits = splits[rows]
    yield from prepare(experiment, folder, table=table, splits=splits)


def long_inputs(dataset: Dataset, facts: Facts) -> tuple[str, ...]:
    """The texts of many words and the sounds of several seconds, by their median."""
    found = []
    for name, modality in facts.inputs.items():
        lengths = np.diff(dataset.decoded[name].starts)
        usual = float(np.median(lengths[lengths > 0])) if (lengths > 0).any() else 0.0
        limit = MODALITIES.get(modality)().long_from(dataset.schema.inputs[name])
        if limit is not None and usual >= limit:
            found.append(name)
    return tuple(found)


def drawn(experiment: Experiment, dataset: Dataset) -> Iterator[Progress | Sample]:
    """Rows of training and validation with the first target's labels and cheap features.

    Raises:
        UserError: Too few rows for a probe.
    """
    target = next(iter(experiment.active_targets))
    rows, answers, is_classes = _labelled(experiment, dataset, target)
    groups = _groups(experiment, dataset.table, rows)
    folds = fold_of_rows(len(rows), groups, experiment.training.seed)
    blocks = {}
    for at, (name, settings) in enumerate(experiment.active_inputs.items()):
        yield Progress(f"Looking at {name}", at, len(experiment.active_inputs))
        held = dataset.decoded[name]
        there = [(int(r), held.row(r)) for r in rows]
        known = [(dataset.values[name][r], a) for r, a in there if a is not None]
        present = np.array([a is not None for _, a in there])
        features = np.zeros((0, 1), dtype=np.float32)
        if known:
            with one_thread():
                features = cheap_features(
                    settings.modality, [a for _, a in known],
                    [v for v, _ in known if v is not None], dataset.schema.inputs[name])
        blocks[name] = block_of(features, present, len(experiment.active_inputs))
    question = Classes(answers, folds) if is_classes else Numbers(answers, folds)
    yield Sample(target, question, blocks, groups)


def _labelled(
    experiment: Experiment, dataset: Dataset, target: str
) -> tuple[np.ndarray, np.ndarray, bool]:
    """The rows, their labels, and whether these are class numbers."""
    labels = dataset.labels[target]
    rows = np.sort(np.concatenate([dataset.rows("train"), dataset.rows("validation")]))
    rows = _drawn(rows[labels.known[rows]], MOST_ROWS, experiment.training.seed)
    values = labels.values[rows]
    is_classes = values.ndim == 1 and values.dtype.kind == "i"
    if is_classes:
        counts = np.bincount(values, minlength=1)
        common = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        common = common[counts[common] >= LEAST_PER_CLASS]
        kept = np.isin(values, common)
        rows, values = rows[kept], values[kept]
        kinds = len(np.unique(values))
        values = np.unique(values, return_inverse=True)[1]
    else:
        values = values.reshape(len(rows), -1).astype(np.float64)
        if values.shape[1] > 1 or labels.values.ndim > 1:
            counts = np.minimum(values.sum(axis=0), (1 - values).sum(axis=0))
            common = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
            values = values[:, common[counts[common] >= LEAST_PER_CLASS]]
        kinds = 1 + values.shape[1] if len(rows) and values.size else 0
    if len(rows) < LEAST_ROWS or kinds < 2:
        raise UserError(
            f"A look at the data needs at least {LEAST_ROWS} labelled rows, and "
            f"{LEAST_PER_CLASS} of each class.", "")
    return rows, values, is_classes


def _groups(experiment: Experiment, table: Table, rows: np.ndarray) -> np.ndarray | None:
    """``(N,)`` numbers of the groups that rows are kept together by."""
    split = experiment.data.split
    column = experiment.data.group or (split.group if isinstance(split, SplitShares) else None)
    if column is None or column not in table.columns:
        return None
    cells = table.column(column).fill_null("").to_numpy()[rows].astype(str)
    numbers: np.ndarray = np.unique(cells, return_inverse=True)[1]
    return numbers


def _drawn(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
