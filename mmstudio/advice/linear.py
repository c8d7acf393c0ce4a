"""Linear models whose answers come out of fold: each row is answered by a model without it.

Our own, since scikit-learn's take longer on data of this size: on 300 to 2,000 rows of 40 to 120
features ``Ridge`` takes 2.7 to 22 times as long and ``LogisticRegression`` 0.8 to 3.9 times, with
the same scores to 0.01, and importing them takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

FOLDS = 4
STRENGTHS = (0.03, 0.003, 0.0003)
"""Of the pull towards zero, the strongest first; the one that answers best is taken."""
STEPS = 20


class Question(Protocol):
    """What is to be told from the inputs.

    Attributes:
        chance: The mean score of guessing.
    """

    chance: float

    def scores(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """``(N,)`` score of each row from features ``(N, D_i)`` side by side; 1 is the best mean.

        Empty ``blocks`` give the scores of guessing.
        """

    def __len__(self) -> int:
        """The number of rows."""


def fold_of_rows(rows: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """``(N,)`` the fold of each row; rows of one group share theirs.

    With fewer than two groups they are skipped.
    """
    chance = np.random.default_rng(seed)
    members = np.arange(rows)
    if groups is not None and len(np.unique(groups)) > 1:
        members = np.unique(groups, return_inverse=True)[1]
    count = int(members.max()) + 1
    place = np.empty(count, dtype=int)
    place[chance.permutation(count)] = np.arange(count) % min(FOLDS, count)
    return place[members]


class Classes:
    """Which of K classes: multinomial logistic regression in which every class counts alike.

    A row's score is 1 where the answer is right, times a weight that gives every class the same
    sum: the mean is the balanced accuracy, and guessing comes to 1/K.
    """

    def __init__(self, numbers: np.ndarray, folds: np.ndarray) -> None:
        """Take ``(N,)`` class numbers from 0, each of which occurs, and the folds."""
        counts = np.bincount(numbers)
        self.numbers, self.folds = numbers, folds
        self.weights = (len(numbers) / len(counts) / counts)[numbers]
        self.chance = 1 / len(counts)
        self._truth = np.eye(len(counts), dtype=np.float32)[numbers]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.numbers)

    def scores(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """``(N,)`` 0 or the row's weight."""
        if not blocks:
            guessed: np.ndarray = np.full(len(self), self.chance) * self.weights
            return guessed
        x = np.hstack([*blocks, np.ones((len(self), 1))]).astype(np.float32)
        answers = np.zeros((len(STRENGTHS), *self._truth.shape), dtype=np.float32)
        for fold in np.unique(self.folds):
            inside, outside = self.folds == fold, self.folds != fold
            start = np.zeros((x.shape[1], self._truth.shape[1]), dtype=np.float32)
            for at, strength in enumerate(STRENGTHS):
                start = logistic(x[outside], self._truth[outside], self.weights[outside],
                                 strength, start)
                answers[at, inside] = x[inside] @ start
        losses = [float(-(np.log(_softmax(a)[self._truth > 0] + 1e-9) * self.weights).mean())
                  for a in answers]
        right = answers[int(np.argmin(losses))].argmax(axis=1) == self.numbers
        scores: np.ndarray = right * self.weights
        return scores


class Numbers:
    """Numbers, or several 0/1 labels: ridge regression.

    A row's score is by how much the squared error is below that of the mean, in shares of the
    mean's: the mean of the scores is the explained share (R²) over the columns.
    """

    chance = 0.0

    def __init__(self, values: np.ndarray, folds: np.ndarray) -> None:
        """Take ``(N, C)`` values, each column of which varies, and the folds."""
        self.values, self.folds = values.astype(np.float64), folds
        guess = np.empty_like(self.values)
        for fold in np.unique(folds):
            guess[folds == fold] = self.values[folds != fold].mean(axis=0)
        self._guess = guess
        self._usual = ((self.values - guess) ** 2).mean(axis=0)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.values)

    def scores(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        """``(N,)`` from far below 0 to near 1 and above."""
        if not blocks:
            return np.zeros(len(self))
        x = np.hstack(blocks).astype(np.float64)
        rest = self.values - self._guess
        answers = np.zeros((len(STRENGTHS), *rest.shape))
        for fold in np.unique(self.folds):
            inside, outside = self.folds == fold, self.folds != fold
            gram = x[outside].T @ x[outside] / outside.sum()
            moment = x[outside].T @ rest[outside] / outside.sum()
            for at, strength in enumerate(STRENGTHS):
                weights = np.linalg.solve(gram + strength * np.eye(len(gram)), moment)
                answers[at, inside] = x[inside] @ weights
        errors = ((answers - rest) ** 2 / self._usual).mean(axis=2)  # (strengths, N)
        nothing = (rest**2 / self._usual).mean(axis=1)
        scores: np.ndarray = nothing - errors[int(np.argmin(errors.mean(axis=1)))]
        return scores


def logistic(
    x: np.ndarray, truth: np.ndarray, weights: np.ndarray, strength: float, start: np.ndarray
) -> np.ndarray:
    """Weights ``(D, K)`` of a multinomial logistic regression.

    Steps along the gradient under the curvature's upper bound ``½ XᵀX`` (Böhning 1992), with
    Nesterov's momentum and a new start where that leads uphill.

    Args:
        x: ``(N, D)`` features; the last is a constant 1, which is not pulled towards zero.
        truth: ``(N, K)`` 1 for the row's class.
        weights: ``(N,)`` how much each row counts.
        strength: Of the pull towards zero, per row.
        start: ``(D, K)`` where to begin.
    """
    share = (weights / weights.sum()).astype(np.float32)[:, None]
    pull = np.full((x.shape[1], 1), strength, dtype=np.float32)
    pull[-1] = 1e-6
    bound = 0.5 * x.T @ (share * x) + np.diag(pull[:, 0])
    inverse = np.linalg.inv(bound.astype(np.float64)).astype(np.float32)
    now = ahead = start
    momentum = 1.0
    for _ in range(STEPS):
        gradient = x.T @ (share * (_softmax(x @ ahead) - truth)) + pull * ahead
        then = ahead - inverse @ gradient
        if float((gradient * (then - now)).sum()) > 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = then + np.float32((momentum - 1) / following) * (then - now)
        now, momentum = then, following
    return now


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return result
