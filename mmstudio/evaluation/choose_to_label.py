"""Which unlabelled rows to label first: those of which the model is unsure, each unlike the others.

Of the rows of which the model is least sure, twenty times as many as asked for, clusters are made,
and the row at the middle of each is taken: weighted k-means as of Zhdanov 2019, "Diverse mini-batch
Active Learning", with the margin between the two best answers as uncertainty. By uncertainty alone
many rows of one kind would be asked for; a greedy cover of all rows asks for what is odd, from
which a model learns less than from rows drawn by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Dataset, Progress, prepared
from mmstudio.errors import UserError
from mmstudio.evaluation.held_out import level
from mmstudio.evaluation.label_review import written
from mmstudio.evaluation.label_scores import judged, probabilities
from mmstudio.evaluation.representation import Represented, represented
from mmstudio.inference.predictor import Predictor
from mmstudio.threads import one_thread

MOST_CHOSEN = 1000
"""More can't be asked for at once: the clusters' distances would not be held."""
MOST_ROWS = 20_000
"""Unlabelled rows among which is chosen; of more, so many are drawn."""
CANDIDATES = 20
"""Times as many of the least sure rows as are asked for."""
LEAST = 1e-3
"""Uncertainty of a row of which the model is certain: where it is of all, clusters decide."""
STEPS = 15


@dataclass(frozen=True)
class ToLabel:
    """A row that is worth a label.

    Attributes:
        row: Its number in the table, from 0.
        uncertainty: 0 where the model is certain, 1 where two answers are even; 1 of all rows
            where no target tells it.
        suggested: Per target what the model would answer, as it would stand in the table; nothing
            of tasks that are not built in.
    """

    row: int
    uncertainty: float
    suggested: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"row": self.row, "uncertainty": self.uncertainty, "suggested": self.suggested}


def uncertainties(scores: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """``(n,)`` from 0, certain, to 1: two classes are even, or a label is there or not.

    None of numbers and of a single class, whose answers don't tell it.

    Args:
        scores: ``(n, C)`` probabilities, or ``(n,)`` estimates.
        labels: Any of the target, as its ``Labels`` hold them: they tell the kind.
    """
    if labels.ndim > 1:
        return np.asarray(1 - np.abs(2 * scores - 1).min(axis=1))
    if labels.dtype.kind != "i" or scores.shape[1] < 2:
        return None
    two = np.sort(scores, axis=1)[:, -2:]
    return np.asarray(1 - (two[:, 1] - two[:, 0]))


def chosen(
    vectors: np.ndarray, uncertainty: np.ndarray, count: int, seed: int = 0
) -> np.ndarray:
    """Places of ``count`` different rows, the most useful first.

    A row is the more useful the more uncertainty its cluster holds. Which of equally unsure rows
    are looked at is drawn: a table's first ones may be all of one kind.

    Args:
        vectors: ``(n, D)`` unlabelled rows.
        uncertainty: ``(n,)``.
        count: How many; all, where there are fewer.
        seed: Of what is drawn.
    """
    drawn = np.random.default_rng(seed).permutation(len(uncertainty))
    ranked = drawn[np.argsort(-uncertainty[drawn], kind="stable")]
    candidates = ranked[: CANDIDATES * count]
    x = vectors[candidates].astype(np.float64)
    weight = np.maximum(uncertainty[candidates], LEAST)
    count = min(count, len(x))
    if not count:
        return np.zeros(0, dtype=np.int64)
    with one_thread():
        centres = x[_first_centres(x, weight, count, seed)]
        for _ in range(STEPS):
            own = _squares(x, centres).argmin(axis=1)
            for k in range(count):
                if (inside := own == k).any():
                    centres[k] = np.average(x[inside], axis=0, weights=weight[inside])
        apart = _squares(x, centres)
    held = np.bincount(apart.argmin(axis=1), weight, minlength=count)
    taken: list[int] = []
    for k in np.argsort(-held, kind="stable"):
        apart[taken, k] = np.inf
        taken.append(int(apart[:, k].argmin()))
    return np.asarray(candidates[taken])


def _first_centres(x: np.ndarray, weight: np.ndarray, count: int, seed: int) -> list[int]:
    """The least sure row, then rows by chance, the likelier the further off (Arthur 2007)."""
    chance = np.random.default_rng(seed)
    found = [int(weight.argmax())]
    apart = ((x - x[found[0]]) ** 2).sum(axis=1)
    while len(found) < count:
        odds = weight * apart
        odds[found] = 0.0
        if odds.sum() <= 0:  # all that is left are copies
            odds = np.ones(len(x))
            odds[found] = 0.0
        found.append(int(chance.choice(len(x), p=odds / odds.sum())))
        apart = np.minimum(apart, ((x - x[found[-1]]) ** 2).sum(axis=1))
    return found


def _squares(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """``(n, k)`` squared distances."""
    found: np.ndarray = (x**2).sum(axis=1)[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)
    return found


def choose_to_label(
    run: Path, count: int, device: str = "auto"
) -> Iterator[Progress | list[ToLabel]]:
    """Choose rows of a run's table that have an input and no label, the most useful first.

    Args:
        run: The run folder, in a project's ``runs``.
        count: How many, at most; up to ``MOST_CHOSEN``.
        device: As in ``training.device``.

    Yields:
        Progress, last the rows.

    Raises:
        UserError: No such run, too many are asked for, or every row has a label.
    """
    if count > MOST_CHOSEN:
        raise UserError(f"{count:,} rows are too many to be chosen at once.",
                        f"Ask for {MOST_CHOSEN:,} at most, label them and train again.")
    predictor = Predictor(run, device)
    folder = predictor.run.path.resolve().parent.parent
    dataset = yield from prepared(predictor.experiment, folder, schema=predictor.schema)
    dataset = predictor.with_features(dataset)
    there = dataset.input_counts > 0
    rows = np.flatnonzero(there & ~_labelled(predictor, dataset))
    if not len(rows):
        raise UserError("Every row that has an input has a label.",
                        "Add rows with empty label cells to the table.")
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST_ROWS])
    for step in represented(predictor, dataset, rows):
        if isinstance(step, Represented):
            yield _told(predictor, dataset, step, count)
        else:
            yield step


def _labelled(predictor: Predictor, dataset: Dataset) -> np.ndarray:
    """``(N,)`` bool: rows whose label cells are filled, in a split or in none, all of them."""
    filled = np.ones(len(dataset.table), dtype=bool)
    for target in predictor.experiment.active_targets.values():
        if target.column in dataset.table.columns:
            filled &= dataset.table.column(target.column).is_not_null().to_numpy()
    return filled


def _told(
    predictor: Predictor, dataset: Dataset, unlabelled: Represented, count: int
) -> list[ToLabel]:
    scores = {n: probabilities(o, dataset.labels[n].values)
              for n, o in unlabelled.together.items() if n in judged(predictor)}
    told = [u for n, s in scores.items()
            if (u := uncertainties(s, dataset.labels[n].values)) is not None]
    unsure = np.max(told, axis=0) if told else np.ones(len(unlabelled.rows))
    answers = {n: _answers(s, dataset.labels[n].values) for n, s in scores.items()}
    return [ToLabel(
        int(unlabelled.rows[at]), float(unsure[at]),
        {n: written(predictor.schema.targets[n], each[at]) for n, each in answers.items()})
        for at in chosen(level(unlabelled.shared), unsure, count)]


def _answers(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(n, …)`` what scores say, as ``labels`` of the target are held."""
    if labels.ndim > 1:
        return np.asarray(scores >= 0.5)
    return np.asarray(scores.argmax(axis=1) if labels.dtype.kind == "i" else scores)
