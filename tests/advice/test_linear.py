"""The linear models: known answers, out of fold, groups kept together."""

from __future__ import annotations

import numpy as np
import pytest

from mmstudio.advice.linear import FOLDS, Classes, Numbers, fold_of_rows, logistic


def test_rows_of_a_group_share_their_fold() -> None:
    groups = np.arange(200) // 7
    folds = fold_of_rows(200, groups, 0)
    assert set(folds) == set(range(FOLDS))
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))


def test_one_group_is_no_group() -> None:
    assert set(fold_of_rows(50, np.zeros(50), 0)) == set(range(FOLDS))


def test_every_class_counts_alike() -> None:
    numbers = np.array([0] * 90 + [1] * 10)
    question = Classes(numbers, fold_of_rows(100, None, 0))
    assert question.chance == 0.5
    assert question.scores([]).mean() == pytest.approx(0.5)
    # a model that always says the frequent class knows nothing
    always = (numbers == 0) * question.weights
    assert always.mean() == pytest.approx(0.5)


def test_a_plain_hint_is_learnt_and_noise_is_not(chance: np.random.Generator) -> None:
    numbers = chance.integers(0, 3, 300)
    question = Classes(numbers, fold_of_rows(300, None, 0))
    assert question.scores([np.eye(3)[numbers]]).mean() == pytest.approx(1.0)
    noise = question.scores([chance.normal(size=(300, 20))]).mean()
    assert noise == pytest.approx(1 / 3, abs=0.1)
    assert question.scores([np.zeros((300, 0))]).mean() == pytest.approx(1 / 3, abs=0.05)


def test_the_explained_share_is_r2(chance: np.random.Generator) -> None:
    known, unknown = chance.normal(size=(2, 2000, 1))
    question = Numbers(known + 0.5 * unknown, fold_of_rows(2000, None, 0))
    assert question.scores([]).mean() == 0
    # the variance of the known part by that of all: 1 / 1.25
    assert question.scores([known]).mean() == pytest.approx(0.8, abs=0.03)


def test_logistic_regression_finds_the_least_loss(chance: np.random.Generator) -> None:
    x = np.hstack([chance.normal(size=(80, 3)), np.ones((80, 1))]).astype(np.float32)
    truth = np.eye(3, dtype=np.float32)[chance.integers(0, 3, 80)]
    start = np.zeros((4, 3), dtype=np.float32)
    for _ in range(5):
        start = logistic(x, truth, np.ones(80), 0.01, start)
    powers = np.exp(x @ start)
    gradient = x.T @ (powers / powers.sum(axis=1, keepdims=True) - truth) / 80
    gradient[:-1] += 0.01 * start[:-1]
    assert np.abs(gradient).max() < 1e-4
