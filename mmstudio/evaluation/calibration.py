"""Whether scores are what they say: found on the validation rows, told of others.

One temperature per target and subset of the inputs (Guo et al. 2017): logits are divided by it, so
that answers stay as they are and confidence falls where an input is absent. Sets of labels that
hold the right one as often as was asked for (split conformal prediction with the score of Sadinle
et al. 2019), intervals likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmstudio.evaluation.curves import best_thresholds
from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, REGRESSION, Scores, TaskScores
from mmstudio.inference.calibrated import (
    LEAST_TEMPERATURE,
    MOST_TEMPERATURE,
    Calibration,
    SubsetCalibration,
)

COVERAGES = (0.8, 0.9, 0.95)
"""What sets may be asked to cover."""
BINS = 15
"""Of equal width, from 0 to 1."""
MOST_NUMBERS, LEAST_ROWS = 300_000, 1000
"""A temperature is found on so many logits, of as many rows at least."""
STEPS = 24
"""Of the search: the logarithm of a temperature is found to a ten-thousandth."""
_GOLDEN = (np.sqrt(5) - 1) / 2


def calibrated_on(scores: Scores) -> Calibration:
    """Find temperatures and sets on rows, such as those of the validation.

    A subset is looked at on the rows that have all of its inputs, answered from these alone.

    Args:
        scores: Of rows that the model has not learnt from.
    """
    found: dict[str, dict[frozenset[str], SubsetCalibration]] = {}
    for name, task in scores.tasks.items():
        if task.kind not in (CLASSIFICATION, MULTILABEL, REGRESSION):
            continue
        found[name] = {}
        for at in range(len(scores.subsets)):
            rows = np.flatnonzero(task.seen & scores.whole(at))
            if len(rows):
                found[name][frozenset(scores.subset(at))] = _of_subset(task, at, rows)
    return Calibration(scores.inputs, found)


def _of_subset(task: TaskScores, at: int, rows: np.ndarray) -> SubsetCalibration:
    values = task.values[rows]
    thresholds: tuple[float, ...] = ()
    if task.kind == REGRESSION:
        distances, temperature = np.abs(task.scores(at)[rows, 0] - values), 1.0
    else:
        temperature = temperature_of(
            task.outputs[at][rows], values, several=task.kind == MULTILABEL)
        answers = task.scores(at, temperature)[rows]
        distances = distances_of(task, answers, values)
        if task.kind == MULTILABEL:
            thresholds = tuple(
                best_thresholds(values.astype(bool), answers, task.threshold).tolist())
    return SubsetCalibration(len(rows), temperature, {
        coverage: quantile_for(distances, coverage) for coverage in COVERAGES}, thresholds)


def temperature_of(logits: np.ndarray, truth: np.ndarray, *, several: bool = False) -> float:
    """What logits are to be divided by: the likeliest, as if one more row had a wrong label.

    Without that row, few answers that are all right would be taken for certain.

    Args:
        logits: ``(N, C)``, at least one row.
        truth: ``(N,)`` class numbers; ``(N, C)`` of label sets.
        several: Of label sets.
    """
    most = max(LEAST_ROWS, MOST_NUMBERS // logits.shape[1])
    if len(logits) > most:
        some = np.sort(np.random.default_rng(0).permutation(len(logits))[:most])
        logits, truth = logits[some], truth[some]
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1 and not several:
        return 1.0  # the only class is certain
    loss = _set_loss if several else _class_loss

    def at(log_temperature: float) -> float:
        return loss(logits / np.exp(log_temperature), truth)

    return float(np.exp(_lowest(at, np.log(LEAST_TEMPERATURE), np.log(MOST_TEMPERATURE))))


def _lowest(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest, by the golden section."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = of(left), of(right)
    for _ in range(STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = of(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = of(right)
    return (low + high) / 2


def _class_loss(logits: np.ndarray, truth: np.ndarray) -> float:
    """The sum of cross entropies, and their mean over all wrong labels."""
    own = np.take_along_axis(logits, truth[:, None], axis=1)[:, 0]
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    wrong = (logits.sum(axis=1) - own) / (logits.shape[1] - 1)
    return float((total - own).sum() + (total - wrong).mean())


def _set_loss(logits: np.ndarray, truth: np.ndarray) -> float:
    """Likewise of label sets, all labels of the wrong row being the other way."""
    total = np.logaddexp(0, logits)
    right = total - logits * truth
    return float(right.sum() + (total - logits * (1 - truth.astype(np.float64))).mean(axis=0).sum())


def distances_of(task: TaskScores, scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``(n,)`` how far from 1 the score of each row's label is, or the lowest of its labels.

    Args:
        task: Whose answers they are: of labels.
        scores: ``(n, C)`` of rows whose labels are known and were seen in training.
        values: ``(n,)`` or ``(n, C)`` their labels.
    """
    if task.kind == MULTILABEL:
        return np.asarray(np.where(values.astype(bool), 1 - scores, 0.0).max(axis=1, initial=0.0))
    return np.asarray(1 - np.take_along_axis(scores, values[:, None], axis=1)[:, 0])


def quantile_for(distances: np.ndarray, coverage: float) -> float | None:
    """The distance that covers so many of other rows on average; None where they are too few.

    The ``ceil((n + 1) · coverage)``-th smallest (Vovk et al. 2005).
    """
    rank = int(np.ceil(np.round((len(distances) + 1) * coverage, 9)))
    if rank > len(distances):
        return None
    return float(np.partition(distances, rank - 1)[rank - 1])


def conformal_sets(scores: np.ndarray, quantile: float | None) -> np.ndarray:
    """``(N, C)`` bool, the labels in each row's set, of ``(N, C)`` calibrated scores."""
    if quantile is None:
        return np.ones(scores.shape, bool)
    # the distance is a difference from 1: what it was taken from must not fall out by rounding
    return np.asarray(1 - scores <= quantile)


@dataclass(frozen=True)
class Covered:
    """How often sets hold the right label.

    Attributes:
        coverage: The share of rows whose set, or interval, holds all that is right.
        size: The mean number of labels in a set, or the width of an interval; infinite where the
            validation rows were too few for one.
        rows: How many rows were looked at.
    """

    coverage: float
    size: float
    rows: int


def covered(
    scores: Scores, name: str, at: int, calibration: Calibration
) -> dict[float, Covered]:
    """Per coverage that is asked for how often sets hold what is right.

    On the rows that have all of a subset's inputs, answered from these alone.

    Args:
        scores: Of other rows than those of the calibration.
        name: The target.
        at: The subset's place.
        calibration: What was found on the validation rows.
    """
    task, found = scores.tasks[name], calibration.of(name, scores.subset(at))
    rows = np.flatnonzero(task.seen & scores.whole(at))
    if found is None or not len(rows):
        return {}
    values = task.values[rows]
    answers = task.scores(at, found.temperature)[rows]
    if task.kind == REGRESSION:
        distances = np.abs(answers[:, 0] - values)
    else:
        distances = distances_of(task, answers, values)
    told = {}
    for asked, quantile in found.quantiles.items():
        width = np.inf if quantile is None else quantile
        size = 2 * width if task.kind == REGRESSION else float(
            conformal_sets(answers, quantile).sum(axis=1).mean())
        told[asked] = Covered(float((distances <= width).mean()), size, len(rows))
    return told


@dataclass(frozen=True)
class Reliability:
    """How often answers are right, by how sure they are, in bins of equal width.

    Attributes:
        edges: ``(B + 1,)`` from 0 to 1.
        counts: ``(B,)`` how many answers are in each.
        confidence: ``(B,)`` how sure they are on average; nan in an empty bin.
        right: ``(B,)`` the share of them that is right; likewise.
        by_chance: About what the error below would be, were each answer right with just the
            chance that it says: few rows leave no less.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    right: np.ndarray
    by_chance: float

    @property
    def expected_calibration_error(self) -> float:
        """The mean distance of the two, weighed by the counts; nan without an answer."""
        total = self.counts.sum()
        if not total:
            return float("nan")
        there = self.counts > 0
        apart = np.abs(self.right[there] - self.confidence[there])
        return float((apart * self.counts[there]).sum() / total)


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """Of ``(N,)`` confidences from 0 to 1, and whether each answer is right."""
    edges = np.linspace(0, 1, bins + 1)
    # a bin holds its upper end, as in Guo et al. 2017
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    nothing = np.full(bins, np.nan)
    sums = (np.bincount(which, weights=part, minlength=bins)
            for part in (confidence, right.astype(np.float64)))
    sure, share = (np.divide(s, counts, out=nothing.copy(), where=counts > 0) for s in sums)
    variance = np.bincount(which, weights=confidence * (1 - confidence), minlength=bins)
    # the mean distance of a normal variable from its own mean is so many deviations
    by_chance = np.sqrt(2 / np.pi * variance).sum() / max(1, len(confidence))
    return Reliability(edges, counts, sure, share, float(by_chance))


def confidences(
    task: TaskScores, at: int, rows: np.ndarray, temperatures: float | np.ndarray = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """How sure each answer is, and whether it is right: of a class ``(n,)`` each.

    Of label sets ``(n · C,)``: the probability of each label, and whether the row has it.

    Args:
        task: Of labels.
        at: The subset's place.
        rows: ``(n,)`` places of rows whose label is known; one that training never saw is wrong.
        temperatures: One for all, or ``(N,)`` of all rows.
    """
    if task.kind == MULTILABEL:
        return (task.scores(at, temperatures)[rows].ravel(),
                task.values[rows].ravel().astype(bool))
    logits = task.outputs[at][rows].astype(np.float64)
    answers = logits.argmax(axis=1)
    logits -= np.take_along_axis(logits, answers[:, None], axis=1)
    logits /= np.broadcast_to(temperatures, len(task.known))[rows][:, None]
    return 1 / np.exp(logits, out=logits).sum(axis=1), answers == task.values[rows]


@dataclass(frozen=True)
class AnsweredCurve:
    """What is gained by saying *not sure* below a confidence.

    Attributes:
        confidence: ``(T,)`` falling: what an answer must reach.
        share: ``(T,)`` the share of the rows that is answered.
        accuracy: ``(T,)`` how many of these are right.
    """

    confidence: np.ndarray
    share: np.ndarray
    accuracy: np.ndarray

    def least_confidence(self, accuracy: float) -> float | None:
        """The lowest confidence from which on answers are so accurate; None where none is."""
        good = np.flatnonzero(self.accuracy >= accuracy)
        return float(self.confidence[good[-1]]) if len(good) else None


def answered_curve(confidence: np.ndarray, right: np.ndarray, most: int = 200) -> AnsweredCurve:
    """Of ``(N,)`` confidences, and how right each answer is, 0 to 1; at most ``most`` points."""
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    if len(ends) > most:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, most).astype(int))]
    total = right[order].astype(np.float64).cumsum()[ends]
    return AnsweredCurve(ranked[ends], (ends + 1) / len(ranked), total / (ends + 1))


def temperatures_for(
    scores: Scores, name: str, at: int, calibration: Calibration | None
) -> np.ndarray:
    """``(N,)`` what each row's logits are divided by: by the inputs that count and are there."""
    if calibration is None:
        return np.ones(len(scores))
    return calibration.temperatures(name, scores.present & scores.subsets[at])

