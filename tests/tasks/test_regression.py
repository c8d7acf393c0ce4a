"""Regression's figures are those of scikit-learn's functions, in the data's own units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from mmstudio.tasks.regression import Regression

SPEC = {"mean": 40.0, "deviation": 8.0}


@pytest.mark.parametrize("seed", range(20))
def test_figures_equal_scikit_learns(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = int(chance.integers(2, 60))
    mean, deviation = float(chance.normal(0, 1000)), float(np.exp(chance.normal(0, 4)))
    truth = chance.normal(size=rows).astype(np.float32)
    outputs = (truth + chance.normal(size=rows) * chance.choice([0.1, 1, 3])).astype(np.float32)
    if seed % 5 == 0:
        truth[:] = truth[0]  # no variance to explain
    if seed == 10:
        outputs[:] = truth
    task = Regression(3, {"mean": mean, "deviation": deviation}, loss="squared")
    figures = task.metrics(outputs[:, None], truth)
    own, answered = (x.astype(np.float64) * deviation + mean for x in (truth, outputs))
    assert figures["mean_absolute_error"] == pytest.approx(mean_absolute_error(own, answered))
    assert figures["r2"] == pytest.approx(r2_score(own, answered))
    assert figures["loss"] == pytest.approx(
        mean_squared_error(truth.astype(float), outputs.astype(float)))


def test_one_row_has_an_error_and_no_r2() -> None:
    figures = Regression(3, SPEC).metrics(np.array([[0.5]]), np.array([0.25]))
    assert figures["mean_absolute_error"] == 2.0
    assert np.isnan(figures["r2"])


def test_figures_of_no_row_are_no_numbers() -> None:
    figures = Regression(3, SPEC).metrics(np.zeros((0, 1)), np.zeros(0))
    assert all(np.isnan(v) for v in figures.values())


@pytest.mark.parametrize(("loss", "expected"), [
    ("smooth_l1", (0.5 * 0.25 + 1.5) / 2), ("squared", (0.25 + 4.0) / 2)])
def test_the_losses_by_hand(loss: Any, expected: float) -> None:
    task = Regression(3, SPEC, loss=loss)
    outputs, targets = torch.tensor([[0.5], [-1.0], [7.0]]), torch.tensor([0.0, 1.0, 0.0])
    known = torch.tensor([True, True, False])
    assert task.loss(outputs, targets, known).item() == pytest.approx(expected)


def test_answers_are_in_own_units() -> None:
    low, high = Regression(3, SPEC, unit="years").answers(torch.tensor([[-1.0], [2.5]]))
    assert (low.value, high.value) == (32.0, 60.0)
    assert low.to_json() == {"value": 32.0, "unit": "years", "usual_error": None}
