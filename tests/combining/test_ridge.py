"""Kernel ridge regression: the closed forms against fitting anew."""

from __future__ import annotations

import numpy as np

from mmstudio.combining.ridge import Basis, Ridge, Turned, folds_of, solved


def data(rows: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(rows, 5))
    return x, np.stack([x[:, 0] ** 2, np.sin(x[:, 1])], axis=1)


def radial(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.exp(-np.square(some[:, None] - others[None]).sum(axis=2) / 5)


def test_all_rows_as_landmarks_give_kernel_ridge_regression() -> None:
    x, y = data()
    new, _ = data(7, seed=1)
    kernel = radial(x, x)
    basis = Basis.of(kernel)
    ridge = Ridge(Turned(basis.coordinates(kernel)), y)
    answers = radial(new, x) @ basis.coefficients(ridge.weights(0.1)) + ridge.mean
    dual = np.linalg.solve(kernel + 0.1 * np.eye(len(x)), y - y.mean(axis=0))
    np.testing.assert_allclose(answers, radial(new, x) @ dual + y.mean(axis=0), atol=1e-5)


def test_answers_out_of_fold_are_those_of_fitting_without_the_fold() -> None:
    x, y = data()
    folds = folds_of(len(x), 4)
    found = Ridge(Turned(x), y).out_of_fold(0.5, folds)
    centred = y - y.mean(axis=0)  # the mean is of all rows
    for fold in range(4):
        inside, outside = folds == fold, folds != fold
        weights = np.linalg.solve(
            x[outside].T @ x[outside] + 0.5 * np.eye(5), x[outside].T @ centred[outside])
        np.testing.assert_allclose(
            found[inside], x[inside] @ weights + y.mean(axis=0), atol=1e-9)


def test_one_regression_is_that_of_its_strength() -> None:
    x, y = data()
    weights, mean = solved(x, y, 0.5)
    ridge = Ridge(Turned(x), y)
    np.testing.assert_allclose(weights, ridge.weights(0.5), atol=1e-9)
    np.testing.assert_allclose(mean, ridge.mean)


def test_rows_of_a_group_share_their_fold() -> None:
    groups = np.repeat(np.arange(10), 3)
    folds = folds_of(30, 5, groups)
    assert all(len(set(folds[groups == g])) == 1 for g in range(10))
    assert np.bincount(folds).tolist() == [6] * 5


def test_a_kernel_without_rank_is_inverted_all_the_same() -> None:
    basis = Basis.of(np.ones((6, 6)))
    assert np.isfinite(basis.coordinates(np.ones((2, 6)))).all()
