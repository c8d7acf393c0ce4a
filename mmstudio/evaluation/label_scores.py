"""Held-out scores of a run's labelled rows: from all inputs together and from each alone.

Training rows are answered by light heads in cross-validation, rows of the other splits by the
model itself, which has not learnt them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mmstudio.advice.features import cheap_features
from mmstudio.advice.probe import block_of
from mmstudio.data.groups import groups_of
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.split import SPLITS
from mmstudio.evaluation.held_out import level, scores_of, softmax
from mmstudio.evaluation.representation import Represented, represented
from mmstudio.evaluation.scores import KINDS
from mmstudio.inference.predictor import Predictor
from mmstudio.threads import one_thread

MOST_DESCRIBED = 8000
"""Rows up to which plain descriptions stand beside the model's representations."""
FEWEST = 40
"""Training rows with a label, below which cross-validation tells nothing."""


@dataclass(frozen=True)
class LabelScores:
    """One target's held-out scores of some rows, all from models of one kind.

    Attributes:
        target: Its name.
        rows: ``(n,)`` their numbers in the table, each with a known label.
        labels: ``(n, …)`` as the target's ``Labels`` hold them.
        together: Scores from all inputs: ``(n, C)`` probabilities, or ``(n,)`` estimates.
        alone: Per input the same from it alone.
        present: Per input ``(n,)`` bool; the scores of absent inputs mean nothing.
    """

    target: str
    rows: np.ndarray
    labels: np.ndarray
    together: np.ndarray
    alone: dict[str, np.ndarray]
    present: dict[str, np.ndarray]


def represented_splits(
    predictor: Predictor, dataset: Dataset
) -> Iterator[Progress | dict[str, Represented]]:
    """Have the rows of all splits represented, each as far as it has an input.

    Yields:
        Progress, last per split its rows; splits without rows are left out.
    """
    found = {}
    for split in SPLITS:
        rows = dataset.rows(split)
        if not len(rows):
            continue
        with predictor.answering(split):
            for step in represented(predictor, dataset, rows):
                if isinstance(step, Represented):
                    found[split] = step
                else:
                    yield replace(step, message=f"Representing {split} rows")
    yield found


def descriptions_of(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray
) -> Iterator[Progress | dict[str, np.ndarray]]:
    """Have the inputs of rows described without labels, where the rows are not too many.

    Yields:
        Progress, last per input ``(n, k)``, 0 where it is absent; none of too many rows.
    """
    found: dict[str, np.ndarray] = {}
    if len(rows) <= MOST_DESCRIBED:
        for at, name in enumerate(predictor.inputs):
            yield Progress(f"Looking at {name}", at, len(predictor.inputs))
            found[name] = _described(predictor, dataset, rows, name)
    yield found


def judged(predictor: Predictor) -> tuple[str, ...]:
    """The targets whose labels are understood here; those of tasks of the user's own aren't."""
    return tuple(name for name, task in predictor.tasks.items() if task in KINDS)


def label_scores(
    predictor: Predictor, dataset: Dataset, splits: dict[str, Represented],
    descriptions: dict[str, np.ndarray],
) -> Iterator[Progress | list[LabelScores]]:
    """Held-out scores of all rows that have a label, per target that is judged and kind of model.

    Args:
        predictor: The run's best model.
        dataset: Where the rows are.
        splits: As ``represented_splits`` gave them.
        descriptions: Of the training rows, as far as there are any.

    Yields:
        Progress, last the scores: of the training rows, then of the others.
    """
    found: list[LabelScores] = []
    held_out = [splits[s] for s in SPLITS[1:] if s in splits]
    targets = judged(predictor)
    for at, target in enumerate(targets):
        yield Progress(f"Cross-validating {target}", at, len(targets))
        if "train" in splits:
            found += _cross_validated(predictor, dataset, splits["train"], target, descriptions)
        found += _answered(predictor, dataset, held_out, target)
    yield found


def _described(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray, name: str
) -> np.ndarray:
    there = np.diff(dataset.decoded[name].starts)[rows] > 0
    some = rows[there].tolist()
    arrays = [a for a in (dataset.decoded[name].row(r) for r in some) if a is not None]
    values = [v for v in (dataset.values[name][r] for r in some) if v is not None]
    if not arrays or len(arrays) != len(values):
        return np.zeros((len(there), 0), np.float32)
    with one_thread():
        features = cheap_features(
            predictor.inputs[name], arrays, values, predictor.schema.inputs[name])
    return block_of(features, there, len(predictor.inputs)).linear


def _cross_validated(
    predictor: Predictor, dataset: Dataset, some: Represented, target: str,
    descriptions: dict[str, np.ndarray],
) -> Iterator[LabelScores]:
    """The training rows' scores; nothing where too few have a label."""
    known = dataset.labels[target].known[some.rows]
    rows = some.rows[known]
    if len(rows) < FEWEST:
        return
    labels = dataset.labels[target].values[rows]
    classes = len(predictor.schema.targets[target].get("classes", ()))
    seed = predictor.experiment.training.seed
    groups = groups_of(predictor.experiment, dataset.table, rows)

    def scores(features: list[np.ndarray], chosen: np.ndarray) -> np.ndarray:
        # both of like weight, whatever their numbers of columns
        x = np.hstack([level(part[known][chosen]) for part in features if part.shape[1]])
        return scores_of(x, labels[chosen], None if groups is None else groups[chosen],
                         classes, seed)

    every = np.ones(len(rows), dtype=bool)
    own = {n: [x, descriptions[n]] if n in descriptions else [x] for n, x in some.inputs.items()}
    inputs = np.hstack([x for x in (some.shared, *some.inputs.values())])
    told = [d for d in descriptions.values() if d.shape[1]]
    together = scores([inputs, *([np.hstack(told)] if told else [])], every)
    alone, present = {}, {}
    for i, (name, features) in enumerate(own.items()):
        there = some.present[known, i]
        alone[name], present[name] = np.zeros_like(together), there
        if there.sum() >= FEWEST:
            alone[name][there] = scores(features, there)
        else:
            present[name] = np.zeros(len(rows), dtype=bool)
    yield LabelScores(target, rows, labels, together, alone, present)


def _answered(
    predictor: Predictor, dataset: Dataset, splits: list[Represented], target: str
) -> Iterator[LabelScores]:
    """The model's own scores of the rows that it has not learnt."""
    if not splits:
        return
    rows = np.concatenate([s.rows for s in splits])
    known = dataset.labels[target].known[rows]
    if not known.any():
        return
    labels = dataset.labels[target].values[rows[known]]

    def scores(outputs: list[np.ndarray]) -> np.ndarray:
        return probabilities(np.concatenate(outputs)[known], labels)

    yield LabelScores(
        target, rows[known], labels, scores([s.together[target] for s in splits]),
        {n: scores([s.alone[target][n] for s in splits]) for n in predictor.model.names},
        {n: np.concatenate([s.present[:, i] for s in splits])[known]
         for i, n in enumerate(predictor.model.names)})


def probabilities(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A task's outputs as scores of labels like these: ``(n, C)`` probabilities, or estimates."""
    if labels.ndim > 1:
        return np.asarray(1 / (1 + np.exp(-outputs.astype(np.float64).clip(-500, 500))))
    if labels.dtype.kind == "i":
        return softmax(outputs)
    return np.asarray(outputs.reshape(len(outputs)).astype(np.float64))
