"""Figures of answers, by scikit-learn's definitions.

They are counted here: a page shows them at once, and importing scikit-learn's metrics takes longer
than all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PerClass:
    """Figures of each of C classes or labels; 0 where one is not defined, as scikit-learn has it.

    Attributes:
        precision: ``(C,)`` of the rows that are answered with it, the share that is of it.
        recall: ``(C,)`` of the rows that are of it, the share that is answered with it.
        f1: ``(C,)`` the harmonic mean of both.
        support: ``(C,)`` how many rows are of it.
        answered: ``(C,)`` how many rows are answered with it.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    answered: np.ndarray


def confusion_matrix(truth: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """``(C, C)`` int64: how many rows of class i are answered with class j.

    Args:
        truth: ``(N,)`` class numbers.
        answers: ``(N,)`` class numbers.
        classes: C.
    """
    cells = np.bincount(truth * classes + answers, minlength=classes * classes)
    return cells.reshape(classes, classes)


def class_counts(
    truth: np.ndarray, answers: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``(C,)`` each: rows that are right, of the class, and answered with it.

    Enough for all but the confusion matrix, which of many classes fills the memory.
    """
    return (np.bincount(truth[truth == answers], minlength=classes),
            np.bincount(truth, minlength=classes), np.bincount(answers, minlength=classes))


def label_counts(
    truth: np.ndarray, answers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As ``class_counts``, of label sets ``(N, C)`` bool."""
    truth, answers = truth.astype(bool), answers.astype(bool)
    return (truth & answers).sum(axis=0), truth.sum(axis=0), answers.sum(axis=0)


def per_class(hits: np.ndarray, support: np.ndarray, answered: np.ndarray) -> PerClass:
    """Figures of each class from its counts; these may be ``(…, C)``."""
    return PerClass(_share(hits, answered), _share(hits, support),
                    _share(2 * hits, support + answered), support, answered)


def macro_f1(hits: np.ndarray, support: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """``(…,)`` the mean F1 of the classes that some row has or is answered with."""
    there = (support + answered) > 0
    total = np.where(there, _share(2 * hits, support + answered), 0.0).sum(axis=-1)
    return np.asarray(total / there.sum(axis=-1).clip(min=1))


def micro_f1(hits: np.ndarray, support: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """``(…,)`` the F1 of all labels' counts together."""
    return _share(2 * hits.sum(axis=-1), support.sum(axis=-1) + answered.sum(axis=-1))


@dataclass(frozen=True)
class Residuals:
    """How far numbers are off, in the data's own units.

    Attributes:
        mean_absolute_error: The mean distance.
        root_mean_squared_error: The root of the mean square.
        median_absolute_error: The distance that half of the rows keep.
        mean_error: Answers less truth: above 0 they are too high.
        max_error: The largest distance.
        r2: The share of the variance that is explained; nan of fewer than two rows.
    """

    mean_absolute_error: float
    root_mean_squared_error: float
    median_absolute_error: float
    mean_error: float
    max_error: float
    r2: float


def residual_figures(truth: np.ndarray, answers: np.ndarray) -> Residuals:
    """Of ``(N,)`` numbers, at least one."""
    errors = answers.astype(np.float64) - truth.astype(np.float64)
    sizes = np.abs(errors)
    return Residuals(
        float(sizes.mean()), float(np.sqrt(np.square(errors).mean())), float(np.median(sizes)),
        float(errors.mean()), float(sizes.max()), r2_score(truth, answers))


def r2_score(truth: np.ndarray, answers: np.ndarray) -> float:
    """The share of the variance that is explained; nan of fewer than two rows."""
    if len(truth) < 2:
        return float("nan")
    truth = truth.astype(np.float64)
    rest = float(np.square(answers - truth).sum())
    total = float(np.square(truth - truth.mean()).sum())
    if total == 0.0:
        return 1.0 if rest == 0.0 else 0.0
    return 1 - rest / total


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, 0 where there is no whole."""
    found: np.ndarray = np.zeros(np.shape(whole), np.float64)
    np.divide(part, whole, out=found, where=np.asarray(whole) > 0)
    return found
