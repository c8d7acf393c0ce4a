"""Held-out scores of labelled rows: light heads by cross-validation on what is known of the rows.

A row's scores come from a head that has not learnt its label. The features it stands on may have:
a model's representation of its own training rows was learnt with their labels, a little of which it
may know by heart. So plain descriptions, made without labels, stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmstudio.advice.linear import fold_of_rows, logistic
from mmstudio.threads import one_thread

STRENGTHS = (0.03, 0.003, 0.0003, 0.00003)
"""Of the pull towards zero, the strongest first."""
LEAST = 1e-9

Fit = Callable[[np.ndarray, np.ndarray, float, np.ndarray], np.ndarray]
"""Features and labels of some rows, a strength and where to begin, to weights ``(D, C)``."""


def level(features: np.ndarray) -> np.ndarray:
    """``(n, D)`` float32, centred columns of equal variance that add up to 1."""
    if not features.size:
        return features.astype(np.float32)
    centred = features - features.mean(axis=0)
    deviation = centred.std(axis=0)
    scaled = centred / np.where(deviation > 1e-6, deviation, np.inf)
    return np.asarray(scaled / np.sqrt(max(1, scaled.shape[1])), dtype=np.float32)


def class_scores(
    features: np.ndarray, labels: np.ndarray, classes: int, folds: np.ndarray
) -> np.ndarray:
    """``(n, C)`` float64 probabilities of classes, each row's by a head without it.

    Multinomial logistic regression; how strongly it is pulled towards zero is chosen by the
    log-loss of all rows.

    Args:
        features: ``(n, D)``, leveled.
        labels: ``(n,)`` class numbers.
        classes: C.
        folds: ``(n,)`` the fold of each row.
    """
    truth = np.eye(classes, dtype=np.float32)[labels]
    return softmax(_chosen(features, truth, folds, _classes_fitted, _log_loss))


def set_scores(features: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """``(n, C)`` float64 probabilities that each label applies; ``labels (n, C)`` are 0 or 1."""
    found = np.zeros(labels.shape)
    for c in range(labels.shape[1]):
        there = labels[:, c].astype(np.int64)
        found[:, c] = (class_scores(features, there, 2, folds)[:, 1]
                       if 0 < there.sum() < len(there) else there)
    return found


def number_scores(features: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """``(n,)`` float64 estimates of numbers ``(n,)``, by ridge regression."""
    return _chosen(features, labels.astype(np.float64)[:, None], folds, _ridge, _error)[:, 0]


def scores_of(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, classes: int, seed: int
) -> np.ndarray:
    """Held-out scores for labels of whatever kind, as a target's ``Labels`` hold them.

    Args:
        features: ``(n, D)``.
        labels: ``(n,)`` class numbers, ``(n, C)`` 0 or 1, or ``(n,)`` numbers.
        groups: ``(n,)`` what keeps rows together in one fold, or None.
        classes: How many there are, for class numbers.
        seed: Of the folds.
    """
    folds = fold_of_rows(len(labels), groups, seed)
    x = level(features)
    if labels.ndim > 1:
        return set_scores(x, labels, folds)
    if labels.dtype.kind == "i":
        return class_scores(x, labels, classes, folds)
    return number_scores(x, labels, folds)


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Probabilities ``(…, C)`` float64 of scores on a logarithmic scale."""
    powers = np.exp(outputs.astype(np.float64) - outputs.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _chosen(
    features: np.ndarray, truth: np.ndarray, folds: np.ndarray, fit: Fit,
    loss: Callable[[np.ndarray, np.ndarray], float],
) -> np.ndarray:
    """The answers ``(n, C)`` of the strength with which they are best."""
    x = np.hstack([features, np.ones((len(features), 1), np.float32)])
    answers = np.zeros((len(STRENGTHS), *truth.shape))
    with one_thread():
        for fold in np.unique(folds):
            inside, outside = folds == fold, folds != fold
            weights = np.zeros((x.shape[1], truth.shape[1]), dtype=np.float32)
            for at, strength in enumerate(STRENGTHS):
                if outside.any():
                    weights = fit(x[outside], truth[outside], strength, weights)
                answers[at, inside] = x[inside] @ weights
    return np.asarray(answers[int(np.argmin([loss(a, truth) for a in answers]))])


def _classes_fitted(
    x: np.ndarray, truth: np.ndarray, strength: float, start: np.ndarray
) -> np.ndarray:
    return logistic(x, truth, np.ones(len(x)), strength, start)


def _log_loss(answers: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(softmax(answers)[truth > 0] + LEAST).mean())


def _ridge(x: np.ndarray, truth: np.ndarray, strength: float, start: np.ndarray) -> np.ndarray:
    pull = np.full(x.shape[1], strength)
    pull[-1] = LEAST  # the constant is not pulled towards zero
    wide = x.astype(np.float64)
    found: np.ndarray = np.linalg.solve(
        wide.T @ wide / len(x) + np.diag(pull), wide.T @ truth / len(x))
    return found


def _error(answers: np.ndarray, truth: np.ndarray) -> float:
    return float(((answers - truth) ** 2).mean())
