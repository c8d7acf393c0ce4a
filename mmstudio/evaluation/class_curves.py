"""One class's or label's curves, and what they say at a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmstudio.evaluation.curves import (
    PrecisionRecallCurve,
    RocCurve,
    precision_recall_curve,
    roc_curve,
)
from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import MULTILABEL


@dataclass(frozen=True)
class AtThreshold:
    """What is answered where a score must reach a threshold.

    Attributes:
        precision: Of the rows that are answered with the class, those that are of it; nan of none.
        recall: Of the rows that are of it, those that are answered with it.
        f1: The harmonic mean of both, 0 where neither is anything.
        false_alarms: Of all other rows, those that are answered with it.
        answered: How many rows are answered with it.
    """

    precision: float
    recall: float
    f1: float
    false_alarms: float
    answered: int


@dataclass(frozen=True)
class ClassCurves:
    """The curves of one class against all others.

    Attributes:
        roc: True against false positives.
        precision_recall: Of the same scores.
        threshold: The usual one: that of label sets, else where the class is likelier than not.
        share: Of all rows, those that are of the class: what a precision by chance is.
    """

    roc: RocCurve
    precision_recall: PrecisionRecallCurve
    threshold: float
    share: float
    _scores: np.ndarray
    _hits: np.ndarray

    def at(self, threshold: float) -> AtThreshold:
        """The figures at a threshold."""
        rows, positives = len(self._scores), int(self._hits[-1])
        first = int(np.searchsorted(self._scores, threshold, side="left"))
        answered = rows - first
        right = positives - int(self._hits[first])
        others = rows - positives
        return AtThreshold(
            right / answered if answered else float("nan"),
            right / positives if positives else float("nan"),
            2 * right / (answered + positives) if answered + positives else 0.0,
            (answered - right) / others if others else float("nan"), answered)


def curves_of_class(facts: RowFacts, label: int, at: int = 0) -> ClassCurves:
    """The curves of a class or label, on the rows whose label is known.

    Args:
        facts: Of the target: of classes or of label sets.
        label: The number of the class.
        at: The subset of the inputs that answers.
    """
    task = facts.task
    rows = np.flatnonzero(task.known & facts.scores.counted(at))
    truth = (task.values[rows, label] > 0 if task.kind == MULTILABEL
             else task.values[rows] == label)
    scores = facts.probability(at, label)[rows].astype(np.float64)
    order = np.argsort(scores, kind="stable")
    hits = np.concatenate([[0], truth[order].cumsum()])
    return ClassCurves(
        roc_curve(truth, scores), precision_recall_curve(truth, scores),
        task.threshold if task.kind == MULTILABEL else 0.5, float(truth.mean()) if len(rows) else
        0.0, scores[order], hits)
