"""What scikit-learn is to do for a target: its models, their answers and the figure for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse
from first_click_sets.case import SEPARATOR
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score, r2_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC, SVR

TEMPERATURES = 2.0 ** np.arange(-6, 8)
RESAMPLED = 200

Models = Iterator[tuple[str, Any]]


class Classification:
    """One label per row; answers are the logarithms of probabilities ``(N, C)``."""

    def __init__(self, cells: Sequence[str]) -> None:
        self.classes = sorted(set(cells))

    def truth(self, cells: Sequence[str]) -> np.ndarray:
        """``(N,)`` class numbers; -1, which no answer meets, where training never saw it."""
        return np.array([self.classes.index(c) if c in self.classes else -1 for c in cells])

    def models(self, features: Any, sound: bool) -> Models:
        """Each with its name; boosted trees for sounds alone, where they are quick."""
        sparse = scipy.sparse.issparse(features)
        for c in (1, 10, 100, 1000) if sparse else (0.0003, 0.001, 0.01, 0.1, 1):
            yield "LogisticRegression", LogisticRegression(C=c, max_iter=500)
        if not sparse:
            for c, gamma in itertools.product((1, 10, 100), _gammas(features)):
                yield "SVC", SVC(C=c, gamma=gamma)
        if sound:
            yield "HistGradientBoosting", HistGradientBoostingClassifier(
                max_iter=80, max_leaf_nodes=15, random_state=0)

    def answers(self, model: Any, features: Any) -> np.ndarray:
        """The model's own scores, which are no probabilities yet."""
        scores = np.asarray(model.decision_function(features))
        return scores if scores.ndim == 2 else np.stack([-scores, scores], axis=1)

    def calibrated(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The factor that makes answers the best probabilities of the validation rows."""
        return float(min(TEMPERATURES, key=lambda t: self.loss(answers * t, truth)))

    def loss(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The cross entropy of the rows whose class training saw."""
        known = truth >= 0
        chances = log_softmax(answers[known], axis=1)
        return float(-chances[np.arange(known.sum()), truth[known]].mean())

    def averaged(self, answers: Sequence[np.ndarray]) -> np.ndarray:
        """Late fusion: the mean of the inputs' probabilities."""
        return np.log(np.mean([np.exp(log_softmax(a, axis=1)) for a in answers], axis=0) + 1e-12)

    def figure(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The accuracy."""
        return float(np.mean(answers.argmax(axis=1) == truth))

    def error(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The standard error of the accuracy."""
        p = self.figure(answers, truth)
        return float(np.sqrt(p * (1 - p) / len(truth)))


class Multilabel:
    """Any number of labels per row; answers are probabilities ``(N, C)``."""

    def __init__(self, cells: Sequence[str]) -> None:
        self.classes = sorted({label for cell in cells for label in _labels(cell)})

    def truth(self, cells: Sequence[str]) -> np.ndarray:
        """``(N, C)`` 0 or 1."""
        return np.array([[int(c in _labels(cell)) for c in self.classes] for cell in cells])

    def models(self, features: Any, sound: bool) -> Models:
        """A logistic regression per label."""
        sparse = scipy.sparse.issparse(features)
        for c in (1, 10, 100, 1000) if sparse else (0.0003, 0.001, 0.01, 0.1, 1):
            yield "LogisticRegression", OneVsRestClassifier(LogisticRegression(C=c, max_iter=500))

    def answers(self, model: Any, features: Any) -> np.ndarray:
        """Probabilities."""
        return np.asarray(model.predict_proba(features))

    def calibrated(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """They are probabilities already."""
        return 1.0

    def loss(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The mean squared error of the probabilities."""
        return float(((answers - truth) ** 2).mean())

    def averaged(self, answers: Sequence[np.ndarray]) -> np.ndarray:
        """Late fusion: the mean of the inputs' probabilities."""
        return np.mean(answers, axis=0)

    def figure(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The mean average precision of the labels; 0 for one that no row has, as in the app."""
        return float(np.mean([average_precision_score(truth[:, c], answers[:, c])
                              if truth[:, c].any() else 0.0 for c in range(truth.shape[1])]))

    def error(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The standard error, from rows drawn anew."""
        return _resampled(self, answers, truth)


class Regression:
    """A number per row; answers are numbers ``(N,)``."""

    def __init__(self, cells: Sequence[str]) -> None:
        numbers = np.array(cells, dtype=float)
        self.mean, self.deviation = numbers.mean(), numbers.std()

    def truth(self, cells: Sequence[str]) -> np.ndarray:
        """``(N,)``, as deviations from the training rows' mean."""
        return (np.array(cells, dtype=float) - self.mean) / self.deviation

    def models(self, features: Any, sound: bool) -> Models:
        """Each with its name."""
        sparse = scipy.sparse.issparse(features)
        for alpha in (0.1, 0.3, 1, 3, 10) if sparse else (0.1, 10, 100, 1000, 10_000):
            yield "Ridge", Ridge(alpha)
        if not sparse:
            for c, gamma in itertools.product((0.3, 1, 10, 100), _gammas(features)):
                yield "SVR", SVR(C=c, gamma=gamma)
            yield "HistGradientBoosting", HistGradientBoostingRegressor(
                max_iter=150, max_leaf_nodes=15, random_state=0)

    def answers(self, model: Any, features: Any) -> np.ndarray:
        """Numbers."""
        return np.asarray(model.predict(features))

    def calibrated(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """Numbers stay as they are."""
        return 1.0

    def loss(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The mean squared error."""
        return float(((answers - truth) ** 2).mean())

    def averaged(self, answers: Sequence[np.ndarray]) -> np.ndarray:
        """Late fusion: the mean."""
        return np.mean(answers, axis=0)

    def figure(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """R²."""
        return float(r2_score(truth, answers))

    def error(self, answers: np.ndarray, truth: np.ndarray) -> float:
        """The standard error, from rows drawn anew."""
        return _resampled(self, answers, truth)


Task = Classification | Multilabel | Regression
TASKS: dict[str, type[Task]] = {"classification": Classification, "multilabel": Multilabel,
                                "regression": Regression}


def _labels(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(SEPARATOR) if part.strip()]


def _gammas(features: np.ndarray) -> list[float]:
    """Around the one that scikit-learn would take."""
    usual = 1 / (features.shape[1] * max(features.var(), 1e-9))
    return [usual / 4, usual, usual * 3]


def _resampled(task: Multilabel | Regression, answers: np.ndarray, truth: np.ndarray) -> float:
    chance = np.random.default_rng(0)
    figures = []
    for _ in range(RESAMPLED):
        rows = chance.integers(0, len(truth), len(truth))
        figures.append(task.figure(answers[rows], truth[rows]))
    return float(np.std(figures))
