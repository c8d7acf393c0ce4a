"""Held-out scores: no row's own label is in them."""

from __future__ import annotations

import numpy as np
import pytest

from mmstudio.evaluation import held_out
from mmstudio.evaluation.held_out import level, number_scores, scores_of, set_scores


def rows(seed: int = 0, count: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes that lie apart."""
    chance = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return (2 * np.eye(6)[labels] + 0.7 * chance.normal(size=(count, 6))).astype(np.float32), labels


def test_classes_are_told() -> None:
    x, labels = rows()
    scores = scores_of(x, labels, None, 3, seed=0)
    assert np.allclose(scores.sum(axis=1), 1)
    assert (scores.argmax(axis=1) == labels).mean() > 0.9


def test_a_row_s_own_label_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    # beyond the choice of one strength for all rows, which no single row decides
    monkeypatch.setattr(held_out, "STRENGTHS", (0.003,))
    x, labels = rows()
    before = scores_of(x, labels, None, 3, seed=0)[5]
    labels[5] = (labels[5] + 1) % 3
    assert np.allclose(scores_of(x, labels, None, 3, seed=0)[5], before, atol=1e-6)


def test_labels_by_chance_are_not_told() -> None:
    chance = np.random.default_rng(1)
    x, labels = chance.normal(size=(300, 20)), chance.integers(0, 2, 300)
    scores = scores_of(x, labels, None, 2, seed=0)
    assert 0.4 < (scores.argmax(axis=1) == labels).mean() < 0.6


def test_groups_stay_together() -> None:
    chance = np.random.default_rng(2)
    groups = np.arange(200) // 4  # four copies each, with a label by chance
    x = np.repeat(chance.normal(size=(50, 30)), 4, axis=0)
    labels = np.repeat(chance.integers(0, 2, 50), 4)
    apart = scores_of(x, labels, None, 2, seed=0)
    together = scores_of(x, labels, groups, 2, seed=0)
    # by its copies in other folds a row would be known
    assert (apart.argmax(axis=1) == labels).mean() > 0.8
    assert (together.argmax(axis=1) == labels).mean() < 0.65


def test_label_sets_and_numbers() -> None:
    x, labels = rows()
    sets = np.eye(3, dtype=np.uint8)[labels]
    sets = np.column_stack([sets, np.ones(len(sets), dtype=np.uint8)])  # one that all rows have
    folds = np.arange(len(sets)) % 4
    found = set_scores(level(x), sets, folds)
    assert ((found > 0.5) == sets).mean() > 0.9 and (found[:, 3] == 1).all()
    numbers = x[:, 0] - 2 * x[:, 1]
    assert np.abs(number_scores(level(x), numbers, folds) - numbers).mean() < 0.1
    assert scores_of(x, numbers, None, 0, seed=0).shape == (len(x),)


def test_a_column_that_does_not_vary_says_nothing() -> None:
    x = level(np.array([[1.0, 0.0], [1.0, 2.0]]))
    assert x[:, 0].tolist() == [0, 0] and np.isfinite(x).all()
