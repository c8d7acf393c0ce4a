"""Confident learning: which labels are likely wrong, from held-out scores.

After Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70. A row counts as of a class when its score
for it reaches the mean score that the rows with this label have; so classes of which a model is
seldom sure are not held against it. Held-out scores: of models that have not learnt the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-6
"""Scores that differ by less are equal."""
MEDIAN_DEVIATION = 1.4826
"""The deviation of a normal distribution in median absolute deviations."""
FAR = 4.0
"""A number so many usual deviations beside its estimate is likely wrong: one row of 16,000 of a
normal distribution is."""


def thresholds_of(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(C,)`` per class the mean score that the rows with this label give it; eq. 2.

    Above 1 for a class that no row has: none is counted into it.

    Args:
        scores: ``(N, C)`` held-out probabilities.
        labels: ``(N,)`` given class numbers.
    """
    return thresholds_from(self_confidences(scores, labels), labels, scores.shape[1])


def thresholds_from(own: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The same from ``own (N,)``, each row's score of its own label, and the number of classes."""
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, own, minlength=classes)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), 2.0)
    return np.asarray(means.clip(min=2 * TOLERANCE))


def confident_classes(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray | None = None
) -> np.ndarray:
    """``(N,)`` the class of which the scores are sure, -1 where they are of none; eq. 1.

    Args:
        scores: ``(N, C)`` held-out probabilities.
        labels: ``(N,)`` given class numbers.
        thresholds: As ``thresholds_of`` gives them; None works them out.
    """
    least = thresholds_of(scores, labels) if thresholds is None else thresholds
    sure = scores >= least - TOLERANCE
    # of several the one with the greatest score of all, as the paper resolves collisions
    several = sure.sum(axis=1) > 1
    found = np.where(several, scores.argmax(axis=1), sure.argmax(axis=1))
    return np.asarray(np.where(sure.any(axis=1), found, -1))


def confident_joint(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray | None = None
) -> np.ndarray:
    """``(C, C)`` int, about how many rows of each given label (line) are of each class (column).

    The counts of ``confident_classes``, scaled so that each line sums to the rows with its label
    (eq. 3). Beyond the paper, each class counts one row at least that has its label rightly.

    Args:
        scores: ``(N, C)`` held-out probabilities.
        labels: ``(N,)`` given class numbers.
        thresholds: As ``thresholds_of`` gives them; None works them out.
    """
    return np.stack([line for _, line in _joint_lines(scores, labels, thresholds)])


def _joint_lines(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Per class the rows with its label and its line of the joint: all lines may be too many."""
    classes = scores.shape[1]
    sure = confident_classes(scores, labels, thresholds)
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(classes + 1))

    def scaled(label: int) -> np.ndarray:
        own = sure[order[edges[label] : edges[label + 1]]]
        line = np.bincount(own[own >= 0], minlength=classes).astype(float)
        line[label] = max(line[label], 1)
        return np.asarray(line / line.sum() * len(own))

    total = sum(float(scaled(label).sum()) for label in np.unique(labels))
    for label in range(classes):
        line = scaled(label)
        yield order[edges[label] : edges[label + 1]], _rounded(
            (line / total * len(labels) if len(labels) else line)[None])[0]


def _rounded(counts: np.ndarray) -> np.ndarray:
    """Whole numbers with the same sum in each line: those nearest to the next one give way."""
    found = np.round(counts)
    for line, wanted in zip(found, counts, strict=True):
        missing = round(float(wanted.sum() - line.sum()))
        if missing:
            order = np.argsort(wanted - line, kind="stable")
            line[order[::-1][:missing] if missing > 0 else order[:-missing]] += np.sign(missing)
    return found.astype(np.int64)


def likely_errors(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray | None = None
) -> np.ndarray:
    """``(N,)`` bool, the labels that are likely wrong: pruned by noise rate.

    For each pair of a given label and another class, as many rows as the confident joint says,
    those whose scores speak most for the other class (section 3.2, method 4). A row whose greatest
    score is that of its own label is none, and each class keeps one row.

    Args:
        scores: ``(N, C)`` held-out probabilities.
        labels: ``(N,)`` given class numbers.
        thresholds: As ``thresholds_of`` gives them; None works them out.
    """
    wrong = np.zeros(len(labels), dtype=bool)
    if not len(labels):
        return wrong
    for label, (rows, line) in enumerate(_joint_lines(scores, labels, thresholds)):
        if len(rows) < 2:
            continue
        for other in np.flatnonzero(line):
            if other != label:
                order = np.argsort(scores[rows, label] - scores[rows, other], kind="stable")
                wrong[rows[order[: line[other]]]] = True
    own = scores.astype(float)
    own[np.arange(len(labels)), labels] += TOLERANCE
    wrong &= own.argmax(axis=1) != labels
    return wrong


def normalised_margins(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(N,)`` 0 where another class is certain, 1 where the label is, 0.5 where both are even.

    Args:
        scores: ``(N, C)`` probabilities of two classes or more.
        labels: ``(N,)`` given class numbers.
    """
    rows = np.arange(len(labels))
    others = scores.astype(float)
    own = others[rows, labels]
    others[rows, labels] = -np.inf
    return np.asarray((own - others.max(axis=1) + 1) / 2)


def self_confidences(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(N,)`` the score of the given label."""
    return np.asarray(scores[np.arange(len(labels)), labels])


@dataclass(frozen=True)
class Suspicion:
    """What held-out scores say of each row's label.

    Attributes:
        wrong: ``(N,)`` bool, likely an error.
        doubted: ``(N,)`` bool, these and all others for which the scores would say otherwise.
        quality: ``(N,)`` from 0, surely wrong, to 1, surely right.
        suggested: ``(N, …)`` what they would have in its place, as labels are held.
    """

    wrong: np.ndarray
    doubted: np.ndarray
    quality: np.ndarray
    suggested: np.ndarray


def suspect_classes(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray | None = None
) -> Suspicion:
    """Of classes: ``scores (N, C)`` probabilities, ``labels (N,)`` class numbers."""
    suggested = scores.argmax(axis=1)
    return Suspicion(likely_errors(scores, labels, thresholds), np.asarray(suggested != labels),
                     normalised_margins(scores, labels), suggested)


def suspect_sets(scores: np.ndarray, labels: np.ndarray) -> Suspicion:
    """Of label sets: each label by itself is a question of two classes, there or not.

    A row is as good as its worst label, and all that is likely wrong in it is turned.

    Args:
        scores: ``(N, C)`` probabilities that each label applies.
        labels: ``(N, C)`` 0 or 1.
    """
    truth = labels.astype(np.int64)
    wrong = np.zeros(truth.shape, dtype=bool)
    quality = np.ones(truth.shape)
    for c in range(truth.shape[1]):
        both = np.stack([1 - scores[:, c], scores[:, c]], axis=1)
        wrong[:, c] = likely_errors(both, truth[:, c])
        quality[:, c] = normalised_margins(both, truth[:, c])
    some = np.asarray(wrong.any(axis=1))
    return Suspicion(some, some, quality.min(axis=1, initial=1.0),
                     np.where(wrong, 1 - truth, truth).astype(labels.dtype))


def suspect_numbers(estimates: np.ndarray, numbers: np.ndarray) -> Suspicion:
    """Of numbers: those that lie far beside their estimate, as residuals usually go.

    A quality is ``exp(-|r| / s)`` of the residual r and the usual deviation s of residuals, by
    their median absolute deviation, which a share of wrong numbers does not move.

    Args:
        estimates: ``(N,)`` held-out.
        numbers: ``(N,)`` as given.
    """
    rest = numbers.astype(float) - estimates
    if not len(rest):
        nothing = np.zeros(0, dtype=bool)
        return Suspicion(nothing, nothing, np.zeros(0), estimates)
    apart = np.abs(rest - np.median(rest))
    usual = MEDIAN_DEVIATION * float(np.median(apart))
    # more than half of them are exact: what is off at all is far off
    scaled = apart / usual if usual > 0 else np.where(apart > 0, np.inf, 0.0)
    wrong: np.ndarray = scaled > FAR
    return Suspicion(wrong, wrong, np.exp(-scaled), estimates)


def contradicts(
    scores: np.ndarray, labels: np.ndarray, suggested: np.ndarray,
    thresholds: np.ndarray | None = None,
) -> np.ndarray:
    """``(N,)`` bool: these scores speak against the label as the suggestion does.

    Asked of one input's scores alone, they are a witness of their own against the label. Of
    classes, they are sure of the suggested one; of label sets, they hold a label for wrong that is
    turned; of a number, they lie far from it on the same side.

    Args:
        scores: Held-out, of one input, as ``suspected`` takes them.
        labels: As a target's ``Labels`` hold them.
        suggested: What all inputs together suggest.
        thresholds: Of classes, where these are some of the rows only.
    """
    if labels.ndim > 1:
        own = suspect_sets(scores, labels).suggested
        return np.asarray(((own != labels) & (suggested != labels)).any(axis=1))
    if labels.dtype.kind == "i":
        sure = confident_classes(scores, labels, thresholds)
        return np.asarray((sure == suggested) & (suggested != labels))
    return np.asarray(suspect_numbers(scores, labels).wrong
                      & (np.sign(scores - labels) == np.sign(suggested - labels)))


def suspected(
    scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray | None = None
) -> Suspicion:
    """Of labels of whatever kind, as a target's ``Labels`` hold them.

    Args:
        scores: ``(N, C)`` probabilities of classes or of labels, or ``(N,)`` estimates.
        labels: ``(N,)`` class numbers, ``(N, C)`` 0 or 1, or ``(N,)`` numbers.
        thresholds: Of classes, where these are some of the rows only; see ``thresholds_of``.
    """
    if labels.ndim > 1:
        return suspect_sets(scores, labels)
    if labels.dtype.kind == "i":
        return suspect_classes(scores, labels, thresholds)
    return suspect_numbers(scores, labels)


def order_of(suspicion: Suspicion, witnesses: np.ndarray) -> np.ndarray:
    """Numbers of the doubted rows, the likeliest errors first.

    Those that several inputs contradict by themselves stand first, then the other likely errors,
    then what is doubted besides; among themselves by their quality.

    Args:
        suspicion: Of all rows.
        witnesses: ``(N,)`` how many inputs alone contradict the label.
    """
    rows = np.flatnonzero(suspicion.doubted)
    keys = suspicion.quality[rows], ~suspicion.wrong[rows], witnesses[rows] < 2
    return np.asarray(rows[np.lexsort(keys)])
