"""Multilabel's figures are those of scikit-learn's functions of the same names."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import average_precision_score, f1_score, log_loss

from mmstudio.tasks.multilabel import Multilabel, average_precision, positive_weights


def task_of(count: int, **options: Any) -> Multilabel:
    classes = [str(i) for i in range(count)]
    return Multilabel(3, {"classes": classes, "counts": [1] * count, "rows": 4}, **options)


@pytest.mark.parametrize("seed", range(20))
def test_figures_equal_scikit_learns(seed: int) -> None:
    chance = np.random.default_rng(seed)
    count, rows = int(chance.integers(2, 9)), int(chance.integers(1, 60))
    outputs = chance.normal(size=(rows, count)).astype(np.float32) * chance.choice([0.1, 1, 3])
    if seed % 2 == 0:
        outputs = outputs.round(1)  # equal scores
    truth = (chance.random((rows, count)) < chance.random(count)).astype(np.uint8)
    if seed % 3 == 0:
        truth[:, 0] = 0  # a label that no row has
    if seed % 4 == 0:
        truth[:, -1] = 1
    if seed % 5 == 0:
        outputs[:, 0] = -15  # a label that is never answered
    threshold = 0.5 if seed % 2 else 0.3
    figures = task_of(count, threshold=threshold).metrics(outputs, truth)
    chances = expit(outputs.astype(np.float64))
    answers = (chances >= threshold).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels without a figure
        precision = average_precision_score(truth, outputs, average="macro")
        micro = f1_score(truth, answers, average="micro")
        macro = f1_score(truth, answers, average="macro")
    assert figures["macro_average_precision"] == pytest.approx(precision)
    assert figures["micro_f1"] == pytest.approx(micro)
    assert figures["macro_f1"] == pytest.approx(macro)
    entropy = np.mean([log_loss(truth[:, c], chances[:, c], labels=[0, 1]) for c in range(count)])
    assert figures["loss"] == pytest.approx(entropy, rel=1e-4)


def test_average_precision_by_hand() -> None:
    # found in the order 1, 0, 1, 1: (1/1 + 2/3 + 3/4) / 3
    truth = np.array([True, False, True, True])
    assert average_precision(truth, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx(29 / 36)
    assert average_precision(truth, np.zeros(4)) == 0.75
    assert average_precision(~truth & truth, np.zeros(4)) == 0.0


def test_figures_of_huge_outputs_are_finite() -> None:
    outputs = np.array([[1e4, -1e4], [-1e4, -1e4]], dtype=np.float32)
    figures = task_of(2).metrics(outputs, np.array([[1, 0], [1, 0]], dtype=np.uint8))
    assert figures["loss"] == pytest.approx(2500)
    assert figures["micro_f1"] == pytest.approx(2 / 3)


def test_figures_of_no_row_are_no_numbers() -> None:
    figures = task_of(2).metrics(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.uint8))
    assert all(np.isnan(v) for v in figures.values())


def test_the_loss_by_hand() -> None:
    outputs = torch.tensor([[2.0, -1.0], [9.0, 9.0]])
    targets = torch.tensor([[1, 1], [0, 0]], dtype=torch.uint8)
    loss = task_of(2).loss(outputs, targets, torch.tensor([True, False]))
    assert loss.item() == pytest.approx((np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2)


def test_rare_labels_weigh_more_in_training_only() -> None:
    spec = {"classes": ["a", "b"], "counts": [2, 8], "rows": 10}
    task = Multilabel(3, spec, class_weights=True)
    outputs, targets = torch.zeros(1, 2), torch.tensor([[1, 0]], dtype=torch.uint8)
    known, plain = torch.tensor([True]), np.log(2)
    assert task.train().loss(outputs, targets, known).item() == pytest.approx(
        (4 * plain + plain) / 2)
    assert task.eval().loss(outputs, targets, known).item() == pytest.approx(plain)


def test_weights_keep_within_bounds() -> None:
    # in every row, in half of them, in one of many
    assert positive_weights([1000, 500, 1], 1000).tolist() == pytest.approx([0.01, 1.0, 100.0])


def test_answers_are_the_labels_that_reach_the_threshold() -> None:
    spec = {"classes": ["cat", "dog", "owl"], "counts": [1, 1, 1], "rows": 3}
    outputs = torch.tensor([[0.2, 0.9, 0.4], [0.1, 0.2, 0.1]]).logit()
    first, second = Multilabel(3, spec, threshold=0.35).answers(outputs)
    assert first.labels == ("dog", "owl")
    assert list(first.scores) == ["dog", "owl", "cat"]
    assert first.scores == pytest.approx({"dog": 0.9, "owl": 0.4, "cat": 0.2})
    assert second.labels == ()
    assert second.to_json() == {"labels": [], "scores": second.scores, "threshold": 0.35}
