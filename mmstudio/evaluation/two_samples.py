"""Do two sets of rows come from one distribution? A classifier that tries to tell them apart.

The classifier two-sample test of Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample
Tests": where no classifier tells the sets apart better than chance, they are alike. It differs from
the paper in three ways. The figure is the area under the ROC curve, which does not depend on how
many rows each set has. Every row is answered out of fold, so that all of them count. And the
p-value is that of a permutation test, which is exact with cross-validation too: the classifier is
linear in the labels (least squares, as Fisher's discriminant is), so a thousand labellings cost
hardly more than one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmstudio.advice.features import leading_components
from mmstudio.evaluation.held_out import level
from mmstudio.threads import one_thread

FOLDS = 4
STRENGTH = 0.003
"""Of the pull towards zero, for features whose variances add up to 1."""
PERMUTATIONS = 999
LEADING = 24
"""Components of the rows of which the squares are features too: sets may differ in their spread."""
FEWEST = 10
"""Rows of either set below which nothing is told."""


@dataclass(frozen=True)
class TwoSamples:
    """How well two sets of rows are told apart.

    Attributes:
        auc: 0.5 for not at all, 1 for wholly: the chance that a row of the second set looks more
            like the second set than one of the first does.
        p_value: How often labels by chance are told apart as well.
    """

    auc: float
    p_value: float


def two_sample_test(known: np.ndarray, new: np.ndarray, seed: int = 0) -> TwoSamples | None:
    """Try to tell two sets of rows apart; None where either has too few.

    Args:
        known: ``(n, D)``.
        new: ``(m, D)``.
        seed: Of the folds and the permutations.
    """
    if min(len(known), len(new)) < FEWEST:
        return None
    x = _features(np.concatenate([known, new]))
    truth = np.repeat([0.0, 1.0], [len(known), len(new)])
    chance = np.random.default_rng(seed)
    # folds know nothing of the labels, or permuted ones would not be like them
    folds = chance.permutation(len(x)) % FOLDS
    labels = np.stack([truth, *(chance.permutation(truth) for _ in range(PERMUTATIONS))], axis=1)
    with one_thread():
        figures = _aucs(x, labels, folds)
    as_well = int((figures[1:] >= figures[0] - 1e-12).sum())
    return TwoSamples(float(figures[0]), (1 + as_well) / (1 + PERMUTATIONS))


def _features(rows: np.ndarray) -> np.ndarray:
    """``(n, k)`` the leading components and the squares of the first, with a constant."""
    components = leading_components(rows.astype(np.float32))
    first = level(components[:, :LEADING])
    both = level(np.hstack([components, first**2 * max(1, first.shape[1])]))
    return np.hstack([both, np.ones((len(rows), 1))]).astype(np.float64)


def _aucs(x: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """``(P,)`` area under the curve of each labelling ``(n, P)``, pairs of one fold compared."""
    won, pairs = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    pull = np.eye(x.shape[1]) * STRENGTH
    pull[-1, -1] = 1e-9
    for fold in range(FOLDS):
        inside, outside = folds == fold, folds != fold
        gram = x[outside].T @ x[outside] / outside.sum() + pull
        weights = np.linalg.solve(gram, x[outside].T @ labels[outside] / outside.sum())
        ranks = _ranks(x[inside] @ weights)
        ones = labels[inside].sum(axis=0)
        won += (ranks * labels[inside]).sum(axis=0) - ones * (ones + 1) / 2
        pairs += ones * (inside.sum() - ones)
    return np.asarray(won / np.maximum(pairs, 1))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks from 1 in each column ``(n, P)``; equal scores get the mean of theirs."""
    order = np.argsort(scores, axis=0)
    ordered = np.take_along_axis(scores, order, axis=0)
    places = np.arange(len(scores))[:, None]
    starts = np.vstack([np.ones((1, scores.shape[1]), bool), ordered[1:] != ordered[:-1]])
    ends = np.vstack([starts[1:], np.ones((1, scores.shape[1]), bool)])
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=0)
    last = np.minimum.accumulate(np.where(ends, places, len(scores))[::-1], axis=0)[::-1]
    ranks = np.empty_like(scores)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks
