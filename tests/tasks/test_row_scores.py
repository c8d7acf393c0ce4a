"""Row scores: what each row adds to the figure, so that rows can be drawn anew."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score

from mmstudio.tasks import TASKS
from mmstudio.tasks.classification import Classification
from mmstudio.tasks.multilabel import Multilabel
from mmstudio.tasks.regression import Regression
from tests.tasks.test_contract import SPECS


def test_a_right_label_scores_one_and_their_mean_is_the_accuracy() -> None:
    task = Classification(3, {"classes": ["a", "b", "c"]})
    outputs = np.array([[2.0, 1.0, 0.0], [0.0, 0.1, 0.2], [5.0, 9.0, 1.0]], np.float32)
    labels = np.array([0, 1, 1])
    scores = task.row_scores(outputs, labels)
    assert scores.tolist() == [1.0, 0.0, 1.0]
    assert scores.mean() == pytest.approx(task.metrics(outputs, labels)["accuracy"])


@pytest.mark.parametrize("seed", range(5))
def test_several_labels_score_the_rows_f1_as_scikit_learn_does(seed: int) -> None:
    chance = np.random.default_rng(seed)
    outputs = chance.normal(size=(30, 4)).astype(np.float32)
    truth = (chance.random((30, 4)) < 0.4).astype(np.uint8)
    task = Multilabel(3, SPECS["multilabel"], threshold=0.4)
    answers = (expit(outputs.astype(np.float64)) >= 0.4).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of rows without a label
        expected = [f1_score(t, a, zero_division=1.0) for t, a in zip(truth, answers, strict=True)]
    assert task.row_scores(outputs, truth) == pytest.approx(expected)


def test_a_row_without_labels_is_right_when_none_is_answered() -> None:
    task = Multilabel(3, SPECS["multilabel"])
    outputs = np.array([[-3.0] * 4, [-3.0, 3.0, -3.0, -3.0]], np.float32)
    assert task.row_scores(outputs, np.zeros((2, 4), np.uint8)).tolist() == [1.0, 0.0]


def test_a_number_scores_minus_its_error_in_own_units() -> None:
    task = Regression(3, {"mean": 40.0, "deviation": 8.0})
    outputs, truth = np.array([[0.5], [-1.0]], np.float32), np.array([0.25, 1.0], np.float32)
    scores = task.row_scores(outputs, truth)
    assert scores.tolist() == [-2.0, -16.0]
    assert -scores.mean() == task.metrics(outputs, truth)["mean_absolute_error"]


@pytest.mark.parametrize("name", TASKS.names())
def test_no_row_has_no_score_and_the_figure_has_a_name(name: str) -> None:
    task = TASKS.get(name)(3, SPECS[name])
    outputs, truth = np.zeros((0, 4), np.float32), np.zeros((0, 4), np.uint8)
    assert task.row_scores(outputs, truth).shape == (0,)
    assert TASKS.get(name).row_figure
