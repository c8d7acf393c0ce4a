"""How much outputs speak for an answer, by hand for each kind of task."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmstudio.tasks import TASKS


def test_a_label_has_its_log_odds() -> None:
    task = TASKS.get("classification")(4, {"classes": ["a", "b", "c"]})
    chances = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    found = task.support(np.log(chances)[None] + 7.0, np.log(chances))
    assert found[0] == pytest.approx([math.log(0.5 / 0.5), math.log(0.8 / 0.2)])
    other = task.support(np.log(chances[:1]), np.log(chances[1:]))
    assert other == pytest.approx([math.log(0.3 / 0.7)])


def test_a_sure_label_has_finite_log_odds() -> None:
    task = TASKS.get("classification")(4, {"classes": ["a", "b"]})
    found = task.support(np.array([[90.0, -90.0], [-90.0, 90.0]]), np.array([[1.0, 0], [1.0, 0]]))
    assert found == pytest.approx([180.0, -180.0])


def test_the_only_label_is_certain_whatever_is_there() -> None:
    task = TASKS.get("classification")(4, {"classes": ["a"]})
    assert task.support(np.array([[3.0]]), np.array([[5.0]])).tolist() == [0.0]


def test_several_labels_have_the_sum_of_the_answered_ones() -> None:
    spec = {"classes": ["a", "b", "c"], "counts": [1, 1, 1], "rows": 3, "separator": ";"}
    task = TASKS.get("multilabel")(4, spec, threshold=0.5)
    answered = np.array([[1.0, 2.0, -3.0], [-1.0, -0.5, -2.0]])
    assert task.support(answered, answered) == pytest.approx([3.0, -0.5])
    assert task.support(np.full((2, 3), 0.25), answered) == pytest.approx([0.5, 0.25])


def test_a_number_is_in_its_own_units() -> None:
    task = TASKS.get("regression")(4, {"mean": 40.0, "deviation": 8.0})
    assert task.support(np.array([[0.5], [-1.0]]), np.zeros((2, 1))) == pytest.approx([44.0, 32.0])
