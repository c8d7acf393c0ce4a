"""What a threshold does: ROC and precision-recall curves, and the thresholds that suit best.

By scikit-learn's definitions; a row is answered with a label where its score reaches the
threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RocCurve:
    """As scikit-learn's ``roc_curve``, thresholds falling; the first takes no row.

    Attributes:
        false_positive_rate: ``(T,)``; nan where every row has the label.
        true_positive_rate: ``(T,)``; nan where none has.
        thresholds: ``(T,)``, the first infinite.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    thresholds: np.ndarray

    @property
    def area(self) -> float:
        """As scikit-learn's ``roc_auc_score``; nan where there are no rows of either kind."""
        if np.isnan(self.false_positive_rate[-1]) or np.isnan(self.true_positive_rate[-1]):
            return float("nan")
        heights = (self.true_positive_rate[1:] + self.true_positive_rate[:-1]) / 2
        return float((np.diff(self.false_positive_rate) * heights).sum())


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """As scikit-learn's ``precision_recall_curve``, thresholds rising; the last takes no row.

    Attributes:
        precision: ``(T + 1,)``, the last 1.
        recall: ``(T + 1,)``, the last 0; 1 throughout where no row has the label.
        thresholds: ``(T,)``.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray

    @property
    def average_precision(self) -> float:
        """As scikit-learn's ``average_precision_score``."""
        return float(-(np.diff(self.recall) * self.precision[:-1]).sum())

    @property
    def f1(self) -> np.ndarray:
        """``(T,)`` at each threshold."""
        precision, recall = self.precision[:-1], self.recall[:-1]
        both = precision + recall
        found: np.ndarray = np.zeros(len(both))
        np.divide(2 * precision * recall, both, out=found, where=both > 0)
        return found


def roc_curve(truth: np.ndarray, scores: np.ndarray, *, every: bool = False) -> RocCurve:
    """The curve of one label.

    Args:
        truth: ``(N,)`` bool; of no rows the curve is empty.
        scores: ``(N,)``.
        every: Keep each threshold; otherwise those on a straight line between others are left
            out, as scikit-learn does unless it is told not to.
    """
    hits, misses, thresholds = _counts(truth, scores)
    if not every and len(thresholds) > 2:
        bends = np.diff(misses, 2).astype(bool) | np.diff(hits, 2).astype(bool)
        kept = np.concatenate([[True], bends, [True]])
        hits, misses, thresholds = hits[kept], misses[kept], thresholds[kept]
    hits, misses = (np.concatenate([[0.0], counts]) for counts in (hits, misses))
    nothing = np.full(len(hits), np.nan)
    return RocCurve(
        misses / misses[-1] if misses[-1] else nothing,
        hits / hits[-1] if hits[-1] else nothing,
        np.concatenate([[np.inf], thresholds]))


def precision_recall_curve(truth: np.ndarray, scores: np.ndarray) -> PrecisionRecallCurve:
    """The curve of one label; arguments as in ``roc_curve``."""
    hits, misses, thresholds = _counts(truth, scores)
    taken = hits + misses
    precision = np.divide(hits, taken, out=np.zeros(len(taken)), where=taken > 0)
    recall = hits / hits[-1] if len(hits) and hits[-1] else np.ones(len(hits))
    return PrecisionRecallCurve(
        np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1])


def best_thresholds(truth: np.ndarray, scores: np.ndarray, usual: float = 0.5) -> np.ndarray:
    """Per label the threshold of the highest F1; the highest of those that are equal in it.

    Half-way to the next lower score, so that what is a little lower in other rows is found too.

    Args:
        truth: ``(N, C)`` bool, of rows that the figures are not told of, such as the validation.
        scores: ``(N, C)`` from 0 to 1.
        usual: That of labels which no row has.
    """
    found = np.full(truth.shape[1], usual)
    for label in range(truth.shape[1]):
        if not truth[:, label].any():
            continue
        curve = precision_recall_curve(truth[:, label], scores[:, label])
        best = len(curve.f1) - 1 - int(curve.f1[::-1].argmax())
        lower = curve.thresholds[best - 1] if best else 0.0
        found[label] = (curve.thresholds[best] + lower) / 2
    return found


def _counts(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per different score, falling: how many rows reach it that have the label, or have not."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    if not len(ranked):
        return np.zeros(0), np.zeros(0), ranked
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = truth[order].astype(np.int64).cumsum()[ends]
    return hits.astype(np.float64), (ends + 1 - hits).astype(np.float64), ranked[ends]
