"""Figures and curves are scikit-learn's, with classes absent, ties, and one class only."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics
from sklearn.exceptions import UndefinedMetricWarning

from mmstudio.evaluation.curves import best_thresholds, precision_recall_curve, roc_curve
from mmstudio.evaluation.figures import (
    class_counts,
    confusion_matrix,
    label_counts,
    macro_f1,
    micro_f1,
    per_class,
    residual_figures,
)

CASES = [  # rows, classes, classes that the rows have
    (1, 3, (1,)), (40, 2, (0, 1)), (60, 5, (0, 2, 3)), (300, 4, (2,)), (1000, 12, tuple(range(12))),
]


@pytest.mark.parametrize(("rows", "classes", "there"), CASES)
def test_a_classifications_figures(rows: int, classes: int, there: tuple[int, ...]) -> None:
    chance = np.random.default_rng(rows)
    truth, answers = chance.choice(there, rows), chance.integers(0, classes, rows)
    names = list(range(classes))
    assert np.array_equal(confusion_matrix(truth, answers, classes),
                          metrics.confusion_matrix(truth, answers, labels=names))
    counts = class_counts(truth, answers, classes)
    found = per_class(*counts)
    wanted = metrics.precision_recall_fscore_support(
        truth, answers, labels=names, zero_division=0)
    for one, other in zip((found.precision, found.recall, found.f1, found.support), wanted,
                          strict=True):
        assert one == pytest.approx(other, abs=1e-12)
    assert macro_f1(*counts) == pytest.approx(
        metrics.f1_score(truth, answers, average="macro", zero_division=0), abs=1e-12)
    assert micro_f1(*counts) == pytest.approx(metrics.accuracy_score(truth, answers), abs=1e-12)


@pytest.mark.parametrize(("rows", "labels"), [(1, 2), (50, 3), (400, 9)])
def test_label_sets_figures(rows: int, labels: int) -> None:
    chance = np.random.default_rng(rows)
    truth = chance.random((rows, labels)) < np.linspace(0, 0.6, labels)  # one that no row has
    answers = chance.random((rows, labels)) < 0.4
    counts = label_counts(truth, answers)
    found = per_class(*counts)
    wanted = metrics.precision_recall_fscore_support(
        truth, answers, zero_division=0)
    for one, other in zip((found.precision, found.recall, found.f1, found.support), wanted,
                          strict=True):
        assert one == pytest.approx(other, abs=1e-12)
    assert micro_f1(*counts) == pytest.approx(
        metrics.f1_score(truth, answers, average="micro", zero_division=0), abs=1e-12)


@pytest.mark.parametrize("rows", [2, 3, 500])
def test_residuals(rows: int) -> None:
    chance = np.random.default_rng(rows)
    truth = chance.normal(1000, 3, rows)
    answers = truth + chance.normal(0.2, 1, rows)
    found = residual_figures(truth, answers)
    assert found.mean_absolute_error == pytest.approx(
        metrics.mean_absolute_error(truth, answers), abs=1e-9)
    assert found.root_mean_squared_error == pytest.approx(
        metrics.root_mean_squared_error(truth, answers), abs=1e-9)
    assert found.median_absolute_error == pytest.approx(
        metrics.median_absolute_error(truth, answers), abs=1e-9)
    assert found.max_error == pytest.approx(metrics.max_error(truth, answers), abs=1e-9)
    assert found.r2 == pytest.approx(metrics.r2_score(truth, answers), abs=1e-9)
    assert found.mean_error == pytest.approx(np.mean(answers - truth), abs=1e-9)


@pytest.mark.parametrize("rows", [1, 2, 7, 200, 3000])
@pytest.mark.parametrize("kind", ["some", "none", "all"])
@pytest.mark.parametrize("places", [1, 6], ids=["ties", "few ties"])
def test_curves(rows: int, kind: str, places: int) -> None:
    chance = np.random.default_rng(rows + places)
    truth = {"some": chance.random(rows) < 0.3, "none": np.zeros(rows, bool),
             "all": np.ones(rows, bool)}[kind]
    scores = np.round(np.clip(0.3 * truth + chance.random(rows), 0, 1), places)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = metrics.roc_curve(truth, scores, pos_label=1)
        every = metrics.roc_curve(truth, scores, pos_label=1, drop_intermediate=False)
        recalls = metrics.precision_recall_curve(truth, scores, pos_label=1)
        precision = metrics.average_precision_score(truth, scores, pos_label=1)
    found = roc_curve(truth, scores)
    for one, other in zip((found.false_positive_rate, found.true_positive_rate, found.thresholds),
                          wanted, strict=True):
        assert one == pytest.approx(other, abs=1e-12, nan_ok=True)
    assert roc_curve(truth, scores, every=True).thresholds == pytest.approx(every[2])
    if 0 < truth.sum() < rows:
        assert found.area == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)
    else:
        assert np.isnan(found.area)
    curve = precision_recall_curve(truth, scores)
    for one, other in zip((curve.precision, curve.recall, curve.thresholds), recalls, strict=True):
        assert one == pytest.approx(other, abs=1e-12)
    assert curve.average_precision == pytest.approx(precision, abs=1e-12)


def test_undefined_is_what_scikit_learn_warns_of() -> None:
    with pytest.warns(UndefinedMetricWarning):
        metrics.roc_curve([1, 1], [0.2, 0.3], pos_label=1)
    assert np.isnan(roc_curve(np.ones(2, bool), np.array([0.2, 0.3])).area)


def test_the_best_threshold_has_the_highest_f1() -> None:
    chance = np.random.default_rng(0)
    truth = chance.random((500, 3)) < (0.1, 0.5, 0.0)
    scores = np.round(np.clip(0.2 * truth + 0.8 * chance.random((500, 3)), 0, 1), 2)
    found = best_thresholds(truth, scores)
    assert found[2] == 0.5
    for label in range(2):
        tried = [metrics.f1_score(truth[:, label], scores[:, label] >= t)
                 for t in np.unique(scores[:, label])]
        assert metrics.f1_score(truth[:, label], scores[:, label] >= found[label]) == max(tried)
    assert best_thresholds(np.array([[True], [False]]), np.array([[0.8], [0.2]]))[0] == 0.5
