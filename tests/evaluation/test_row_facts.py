"""What a list of samples says of each row, a class's curves, and the places on a map."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.errors import UserError
from mmstudio.evaluation.class_curves import curves_of_class
from mmstudio.evaluation.map_points import drawn, flat, placed_near, principal
from mmstudio.evaluation.placed_apart import placed_apart
from mmstudio.evaluation.row_facts import Cell, RowFacts
from mmstudio.evaluation.scores import (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    Scores,
    TaskScores,
)

SUBSETS = np.array([[1, 1], [1, 0], [0, 1]], bool)
PRESENT = np.array([[1, 1], [1, 1], [1, 0], [0, 1]], bool)


def logits(*rows: list[list[float]]) -> np.ndarray:
    """Per subset the probabilities of each row, as logits."""
    return np.log(np.array(rows, np.float64)).astype(np.float32)


def facts_of(task: TaskScores) -> RowFacts:
    scores = Scores(Path("run"), "test", None, ("image", "words"), SUBSETS,
                    np.arange(len(task.known)), PRESENT, {"target": task})
    return RowFacts(scores, "target")


@pytest.fixture
def classes() -> RowFacts:
    """Two classes, and a third that training never saw; the last row's label is unknown."""
    both = [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.5, 0.5]]
    image = [[0.8, 0.2], [0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]
    words = [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [0.1, 0.9]]
    return facts_of(TaskScores(
        CLASSIFICATION, ("a", "b"), ("c",), logits(both, image, words), np.array([0, 0, 2, 0]),
        np.array([True, True, True, False])))


def test_of_classes(classes: RowFacts) -> None:
    assert classes.alone == {"image": 1, "words": 2}
    np.testing.assert_allclose(classes.confidence(0), [0.9, 0.7, 0.6, 0.5], atol=1e-6)
    np.testing.assert_allclose(classes.probability(0, 1), [0.1, 0.7, 0.4, 0.5], atol=1e-6)
    # what training never saw has no probability, and what is unknown is not wrong
    np.testing.assert_allclose(classes.wrongness(0), [0.1, 0.7, 1.0, np.nan], atol=1e-6)
    assert classes.is_wrong(0).tolist() == [False, True, True, False]
    # rows without both inputs have nothing to be apart
    np.testing.assert_allclose(classes.apart(), [0.1, 0.7, np.nan, np.nan], atol=1e-6)
    np.testing.assert_allclose(classes.scores_of_row(0, 1), [0.3, 0.7], atol=1e-6)


def test_a_matrix_counts_the_rows_that_its_cells_list(classes: RowFacts) -> None:
    assert classes.confusion(0).tolist() == [[1, 1], [0, 0], [1, 0]]
    assert classes.confusion(2).tolist() == [[1, 1], [0, 0], [0, 0]]  # row 2 has no words
    assert classes.mixups().tolist() == [[0, 1, 1], [2, 0, 1]]
    for at in range(3):
        for truth in range(3):
            for answer in range(2):
                assert len(classes.rows_of(Cell(at, truth, answer))) == (
                    classes.confusion(at)[truth, answer])
    assert classes.rows_of(Cell(0, 2, 0)).tolist() == [2]
    assert classes.rows_of(Cell(1)).tolist() == [0, 1, 2]


def test_of_label_sets() -> None:
    outputs = np.zeros((3, 4, 2), np.float32)
    outputs[0] = [[2, -2], [-2, 2], [2, 2], [-2, -2]]
    facts = facts_of(TaskScores(
        MULTILABEL, ("a", "b"), (), outputs,
        np.array([[1, 0], [1, 1], [0, 1], [0, 0]], np.uint8), np.ones(4, bool)))
    assert facts.confusion(0, 0).tolist() == [[1, 1], [1, 1]]
    assert facts.confusion(0, 1).tolist() == [[2, 0], [0, 2]]
    assert facts.rows_of(Cell(0, 1, 0, 0)).tolist() == [1]
    sure = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(facts.wrongness(0, 0), [1 - sure, sure, sure, 1 - sure], atol=1e-6)
    assert facts.is_wrong(0).tolist() == [False, True, True, False]


def test_of_numbers() -> None:
    outputs = np.array([[[0], [1], [2], [3]], [[0], [0], [0], [0]], [[1], [4], [0], [0]]],
                       np.float32)
    facts = facts_of(TaskScores(
        REGRESSION, (), (), outputs, np.array([10.0, 14, 14, 0]),
        np.array([True, True, True, False]), mean=10.0, deviation=2.0))
    np.testing.assert_allclose(facts.wrongness(0), [0, 2, 0, np.nan])
    np.testing.assert_allclose(facts.apart(), [2, 8, np.nan, np.nan])
    assert facts.rows_of(Cell(2)).tolist() == [0, 1, 3]


def test_many_labels_are_worked_on_in_parts(
    classes: RowFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmstudio.evaluation.row_facts.BLOCK", 2)
    fresh = RowFacts(classes.scores, "target")
    np.testing.assert_array_equal(fresh.wrongness(0), classes.wrongness(0))
    np.testing.assert_array_equal(fresh.apart(), classes.apart())


def test_figures_at_a_threshold(classes: RowFacts) -> None:
    curves = curves_of_class(classes, 0)  # of the rows that are known: .9 and .3 are of it
    at = curves.at(0.5)
    assert (at.precision, at.recall, at.answered) == (0.5, 0.5, 2)
    assert at.false_alarms == 1.0
    assert curves.at(0.29).recall == 1.0
    reached = float(curves._scores[0])  # a score that reaches the threshold counts
    assert curves.at(reached).answered == 3
    assert curves.at(0.95).answered == 0 and np.isnan(curves.at(0.95).precision)
    assert curves.share == pytest.approx(2 / 3)


def test_without_a_known_label_the_curves_are_empty(classes: RowFacts) -> None:
    task = dataclasses.replace(classes.scores.tasks["target"], known=np.zeros(4, bool))
    curves = curves_of_class(facts_of(task), 0)
    assert not len(curves.precision_recall.thresholds) and curves.share == 0.0
    assert np.isnan(curves.roc.area) and np.isnan(curves.at(0.5).precision)
    assert curves.at(0.5).answered == 0


def test_principal_components_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    values = np.random.default_rng(0).normal(size=(50, 6)) @ np.diag([5, 4, 3, 2, 1, 0.5])
    found, wanted = principal(values, 3), PCA(3).fit_transform(values)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-4)
    np.testing.assert_array_equal(found, principal(values.copy(), 3))
    assert flat(values[:, :1]).shape == (50, 2)
    assert flat(np.zeros((0, 3))).shape == (0, 2)


def test_neighbours_stay_together() -> None:
    chance = np.random.default_rng(0)
    groups = np.repeat([0, 1], 20)
    values = chance.normal(size=(40, 5)) + 30 * groups[:, None]
    places = placed_near(values)
    middles = np.array([places[groups == g].mean(axis=0) for g in (0, 1)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == groups).all()
    assert placed_near(np.zeros((8, 3))).tolist() == np.zeros((8, 2)).tolist()
    assert placed_near(values[:3]).shape == (3, 2)


def test_neighbours_are_placed_in_a_process_that_can_be_ended(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    started: list[Any] = []
    popen = subprocess.Popen

    def begun(*command: Any, **how: Any) -> Any:
        started.append(popen(*command, **how))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", begun)
    np.testing.assert_array_equal(placed_apart(values, lambda: False), placed_near(values))
    assert started.pop().returncode == 0
    # more than a pipe holds: all of it arrives though we look away now and then
    large = np.random.default_rng(0).normal(size=(100, 400)).astype(np.float32)
    np.testing.assert_array_equal(placed_apart(large, lambda: False), placed_near(large))
    assert started.pop().returncode == 0
    with pytest.raises(UserError, match="cancelled"):
        placed_apart(np.random.default_rng(0).normal(size=(2000, 32)), lambda: True)
    assert len(started) == 1 and started[0].returncode is not None  # it is gone
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    np.testing.assert_array_equal(placed_apart(values, lambda: False), placed_near(values))


def test_rows_are_drawn_evenly() -> None:
    assert drawn(5, 10).tolist() == [0, 1, 2, 3, 4]
    some = drawn(10_000, 100)
    assert len(np.unique(some)) == 100 and (np.diff(some) > 0).all()
    assert 3000 < some.mean() < 7000
