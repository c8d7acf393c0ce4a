"""Held-out scores of a run's labelled rows: from all inputs together and from each alone.

Training rows are answered by light heads in cross-validation, rows of the other splits by the
model itself, which has not learnt them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mmstudio.advice.features import cheap_features
from mmstudio.advice.probe import block_of
from mmstudio.data.groups import groups_of
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.split import SPLITS
from mmstudio.evaluation.held_out import level, scores_of, softmax
from mmstudio.evaluation.label_errors import self_confidences, thresholds_from
from mmstudio.evaluation.representation import ALL, Represented, represented
from mmstudio.evaluation.scores import KINDS
from mmstudio.inference.predictor import Predictor
from mmstudio.threads import one_thread

MOST_DESCRIBED = 8000
"""Rows up to which plain descriptions stand beside the model's representations."""
MOST_CELLS = 1 << 22
"""Scores, rows by labels, that are held at once; of more, the rows are judged in parts."""
MOST_CROSSED = 1 << 24
"""Scores, rows by labels, that are cross-validated; of more training rows some are passed over."""
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
        thresholds: Of classes, where these are some of the rows only: those of all of them, under
            ``ALL`` and per input; see ``label_errors.thresholds_of``.
    """

    target: str
    rows: np.ndarray
    labels: np.ndarray
    together: np.ndarray
    alone: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    thresholds: dict[str, np.ndarray] = field(default_factory=dict)


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
) -> Iterator[Progress | LabelScores]:
    """Held-out scores of all rows that have a label, per target that is judged and kind of model.

    Args:
        predictor: The run's best model.
        dataset: Where the rows are.
        splits: As ``represented_splits`` gave them.
        descriptions: Of the training rows, as far as there are any.

    Yields:
        Progress, and scores: per target of the training rows, then of the others. Of many labels
        they come in parts, each of which should be let go before the next.
    """
    held_out = [splits[s] for s in SPLITS[1:] if s in splits]
    targets = judged(predictor)
    for at, target in enumerate(targets):
        yield Progress(f"Cross-validating {target}", at, len(targets))
        if "train" in splits:
            yield from _cross_validated(predictor, dataset, splits["train"], target, descriptions)
        yield from _answered(predictor, dataset, held_out, target)


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
    known, classes = _crossed_of(predictor, dataset, some, target)
    rows = some.rows[known]
    if len(rows) < FEWEST:
        return
    labels = dataset.labels[target].values[rows]
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


def _crossed_of(
    predictor: Predictor, dataset: Dataset, some: Represented, target: str
) -> tuple[np.ndarray, int]:
    """Places of the training rows that are cross-validated, and the number of classes."""
    labelled = np.flatnonzero(dataset.labels[target].known[some.rows])
    classes = len(predictor.schema.targets[target].get("classes", ()))
    return labelled[crossed(dataset.labels[target].values[some.rows[labelled]], classes)], classes


def passed_over(predictor: Predictor, dataset: Dataset, some: Represented) -> int:
    """How many labels of training rows are not judged: of too many labels, some are not."""
    return sum(
        int(dataset.labels[target].known[some.rows].sum())
        - len(_crossed_of(predictor, dataset, some, target)[0]) for target in judged(predictor))


def _answered(
    predictor: Predictor, dataset: Dataset, splits: list[Represented], target: str
) -> Iterator[LabelScores]:
    """The model's own scores of the rows that it has not learnt, in parts where they are many."""
    if not splits:
        return
    rows = np.concatenate([s.rows for s in splits])
    places = np.flatnonzero(dataset.labels[target].known[rows])
    if not len(places):
        return
    labels = dataset.labels[target].values[rows[places]]
    names = predictor.model.names
    present = {n: np.concatenate([s.present[:, i] for s in splits])[places]
               for i, n in enumerate(names)}

    def scores(view: str, part: np.ndarray) -> np.ndarray:
        each = [s.together[target] if view == ALL else s.alone[target][view] for s in splits]
        return probabilities(_picked(each, places[part]), labels)

    parts = parts_of(labels, splits[0].together[target])
    thresholds: dict[str, np.ndarray] = {}
    if len(parts) > 1 and labels.ndim == 1:
        thresholds = {view: thresholds_in_parts(
            partial(scores, view), labels, parts, present.get(view)) for view in (ALL, *names)}
    for part in parts:
        yield LabelScores(
            target, rows[places[part]], labels[part], scores(ALL, part),
            {n: scores(n, part) for n in names}, {n: there[part] for n, there in present.items()},
            thresholds)


def _picked(each: list[np.ndarray], places: np.ndarray) -> np.ndarray:
    """Lines of arrays that stand one after the other; only these are brought together."""
    found = np.empty((len(places), *each[0].shape[1:]), each[0].dtype)
    start = 0
    for array in each:
        inside = (places >= start) & (places < start + len(array))
        found[inside] = array[places[inside] - start]
        start += len(array)
    return found


def thresholds_in_parts(
    scores: Callable[[np.ndarray], np.ndarray], labels: np.ndarray, parts: list[np.ndarray],
    there: np.ndarray | None,
) -> np.ndarray:
    """The thresholds of all rows, of which a part at a time is looked at.

    Args:
        scores: Gives the ``(n, C)`` probabilities of rows at such places.
        labels: ``(N,)`` class numbers of all rows.
        parts: As ``parts_of`` gives them.
        there: ``(N,)`` bool, which rows count; None for all.
    """
    own, classes = np.zeros(len(labels)), 0
    for part in parts:
        some = scores(part)
        own[part], classes = self_confidences(some, labels[part]), some.shape[1]
    counted = np.ones(len(labels), dtype=bool) if there is None else there
    return thresholds_from(own[counted], labels[counted], classes)


def parts_of(labels: np.ndarray, outputs: np.ndarray) -> list[np.ndarray]:
    """Places of rows that are judged together, at most ``MOST_CELLS`` scores unless of one class.

    Rows of one class stay together, as a label is judged by all rows that have it: with the
    thresholds of all rows the parts come to what the whole would. Label sets are cut row by row.

    Args:
        labels: ``(n, …)`` of all rows.
        outputs: ``(…, C)`` that tell how many scores a row has.
    """
    count = len(labels)
    most = max(1, MOST_CELLS // (outputs.shape[1] if outputs.ndim > 1 else 1))
    if count <= most or (labels.dtype.kind == "f" and labels.ndim == 1):
        return [np.arange(count)]
    if labels.ndim > 1:
        return [np.arange(begin, min(count, begin + most)) for begin in range(0, count, most)]
    order = np.argsort(labels, kind="stable")
    ends = np.flatnonzero(np.diff(labels[order], append=-1)) + 1
    parts, begin = [], 0
    while begin < count:
        fitting = ends[(ends > begin) & (ends <= begin + most)]
        end = int(fitting[-1] if len(fitting) else ends[ends > begin][0])
        parts.append(np.sort(order[begin:end]))
        begin = end
    return parts


def crossed(labels: np.ndarray, classes: int) -> np.ndarray:
    """Places of the rows that are cross-validated, at most ``MOST_CROSSED`` scores.

    Of one label each, those of the most frequent classes, which can be told from few rows; of
    label sets, rows that are drawn.

    Args:
        labels: ``(n, …)`` of all training rows.
        classes: Scores of a row.
    """
    most = MOST_CROSSED // max(1, classes)
    if len(labels) <= most or (labels.dtype.kind == "f" and labels.ndim == 1):
        return np.arange(len(labels))
    if labels.ndim > 1:
        return np.sort(np.random.default_rng(0).permutation(len(labels))[:most])
    counts = np.bincount(labels)
    frequent = np.argsort(-counts, kind="stable")
    fitting = frequent[np.cumsum(counts[frequent]) <= most]
    return np.flatnonzero(np.isin(labels, fitting))


def probabilities(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A task's outputs as scores of labels like these: ``(n, C)`` probabilities, or estimates."""
    if labels.ndim > 1:
        return np.asarray(1 / (1 + np.exp(-outputs.astype(np.float64).clip(-500, 500))))
    if labels.dtype.kind == "i":
        return softmax(outputs)
    return np.asarray(outputs.reshape(len(outputs)).astype(np.float64))
