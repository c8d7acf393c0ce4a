"""Temperatures bring planted scores back to what they say, and sets cover what was asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from mmstudio.evaluation.calibration import (
    COVERAGES,
    answered_curve,
    calibrated_on,
    confidences,
    conformal_sets,
    covered,
    quantile_for,
    reliability,
    temperature_of,
    temperatures_for,
)
from mmstudio.evaluation.scores import Scores, TaskScores
from mmstudio.inference.calibrated import Calibration, SubsetCalibration
from mmstudio.tasks.classification import Classification
from mmstudio.tasks.multilabel import Multilabel

SUBSETS = np.array([[True, True], [True, False], [False, True]])


def planted(rows: int, seed: int, times: tuple[float, ...] = (1.0, 4.0, 0.5)) -> Scores:
    """Two inputs, of which each subset's logits are so many times too large."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(0, 2, (rows, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (shares.cumsum(axis=1) < chance.random((rows, 1))).sum(axis=1).clip(max=3)
    sets = chance.random((rows, 4)) < 1 / (1 + np.exp(-logits))
    numbers = chance.normal(0, 3, rows)
    outputs = np.stack([logits * t for t in times]).astype(np.float32)
    answers = np.stack([numbers + chance.normal(0, t, rows) for t in times])
    known = np.ones(rows, bool)
    present = chance.random((rows, 2)) < 0.8
    present[~present.any(axis=1)] = True
    return Scores(
        None, "validation", None, ("face", "voice"), SUBSETS, np.arange(rows), present,  # type: ignore[arg-type]
        {"who": TaskScores("classification", tuple("abcd"), (), outputs, truth, known),
         "what": TaskScores("multilabel", tuple("abcd"), (), outputs, sets.astype(np.uint8), known),
         "age": TaskScores("regression", (), (), answers[..., None].astype(np.float32), numbers,
                           known)})


def test_planted_temperatures_are_found_per_subset() -> None:
    found = calibrated_on(planted(4000, 0))
    for task in ("who", "what"):
        for inputs, wanted in ((("face", "voice"), 1.0), (("face",), 4.0), (("voice",), 0.5)):
            one = found.of(task, inputs)
            assert one is not None
            assert one.temperature == pytest.approx(wanted, rel=0.08)
    number = found.of("age", ["face"])
    assert number is not None and number.temperature == 1.0
    assert found.of("who", []) is None and found.of("other", ["face"]) is None


def test_other_rows_are_calibrated_and_sets_cover_what_was_asked() -> None:
    found, test = calibrated_on(planted(15000, 0)), planted(8000, 1)
    for name in ("who", "what"):
        for at in range(3):
            rows = np.flatnonzero(test.whole(at))
            task = test.tasks[name]
            before = reliability(*confidences(task, at, rows)).expected_calibration_error
            temperatures = temperatures_for(test, name, at, found)
            after = reliability(
                *confidences(task, at, rows, temperatures)).expected_calibration_error
            assert after < 0.025
            assert at == 0 or before > 0.08
    for name in test.tasks:
        for at in range(3):
            told = covered(test, name, at, found)
            assert tuple(told) == COVERAGES
            for asked, one in told.items():
                assert one.coverage == pytest.approx(asked, abs=0.02)
                assert one.rows == test.whole(at).sum()
    narrow, wide = (covered(test, "age", at, found)[0.9] for at in (2, 1))
    assert narrow.size == pytest.approx(2 * 1.645 * 0.5, rel=0.1)
    assert wide.size == pytest.approx(2 * 1.645 * 4, rel=0.1)


def test_few_right_answers_are_not_taken_for_certain() -> None:
    logits = np.tile([3.0, 0.0, 0.0], (8, 1))
    temperature = temperature_of(logits, np.zeros(8, int))
    sure = np.exp(3 / temperature) / (np.exp(3 / temperature) + 2)
    assert sure == pytest.approx(8 / 9, abs=0.01)  # one more row had a wrong label
    assert temperature_of(np.zeros((3, 1)), np.zeros(3, int)) == 1.0


def test_quantiles_are_those_of_split_conformal_prediction() -> None:
    distances = np.arange(1, 10) / 10
    assert quantile_for(distances, 0.9) == 0.9  # the 9th of 9
    assert quantile_for(distances, 0.8) == 0.8
    assert quantile_for(distances, 0.5) == 0.5
    assert quantile_for(distances[:8], 0.9) is None
    scores = np.array([[0.7, 0.2, 0.1]])
    assert conformal_sets(scores, 0.85).tolist() == [[True, True, False]]
    assert conformal_sets(scores, None).all()


def test_reliability_is_scikit_learns() -> None:
    chance = np.random.default_rng(0)
    confidence = np.round(chance.random(2000), 3)
    right = chance.random(2000) < confidence**2
    found = reliability(confidence, right, 10)
    share, sure = calibration_curve(right, confidence, n_bins=10)
    there = found.counts > 0
    assert found.confidence[there] == pytest.approx(sure, abs=1e-9)
    assert found.right[there] == pytest.approx(share, abs=1e-9)
    assert found.expected_calibration_error == pytest.approx(
        (np.abs(share - sure) * found.counts[there] / 2000).sum())
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).expected_calibration_error)
    assert reliability(np.array([0.0, 1.0]), np.array([False, True])).counts[[0, -1]].tolist() == [
        1, 1]


def test_what_chance_leaves_of_the_error_is_told() -> None:
    chance = np.random.default_rng(1)
    confidence = chance.beta(4, 1, 400)
    drawn = [reliability(confidence, chance.random(400) < confidence).expected_calibration_error
             for _ in range(300)]
    assert reliability(confidence, confidence > 0).by_chance == pytest.approx(
        np.mean(drawn), rel=0.1)


def test_confidences_are_the_scores_of_the_answers() -> None:
    scores = planted(50, 0)
    rows = np.arange(10, 40)
    temperatures = np.linspace(0.5, 3, 50)
    sure, right = confidences(scores.tasks["who"], 1, rows, temperatures)
    chances = scores.tasks["who"].scores(1, temperatures)[rows]
    assert sure == pytest.approx(chances.max(axis=1))
    assert np.array_equal(right, chances.argmax(axis=1) == scores.tasks["who"].values[rows])


def test_saying_not_sure_leaves_the_surer_answers() -> None:
    confidence, right = np.array([0.9, 0.5, 0.7, 0.7]), np.array([True, False, True, False])
    curve = answered_curve(confidence, right)
    assert curve.confidence.tolist() == [0.9, 0.7, 0.5]
    assert curve.share.tolist() == [0.25, 0.75, 1.0]
    assert curve.accuracy == pytest.approx([1, 2 / 3, 0.5])
    assert curve.least_confidence(0.6) == 0.7 and curve.least_confidence(1.01) is None


@pytest.mark.parametrize("temperature", [0.05, 0.7, 20.0])
def test_answers_stay_whatever_the_temperature(temperature: float) -> None:
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(400, 6, generator=chance)
    logits[:200] = 1 + logits[:200] * 1e-6  # hardly apart
    temperatures = np.full(400, temperature)
    one = Classification(4, {"classes": list("abcdef")})
    many = Multilabel(4, {"classes": list("abcdef")}, threshold=0.3)
    plain, calibrated = one.answers(logits), one.calibrated_answers(logits, temperatures)
    assert [a.label for a in plain] == [a.label for a in calibrated]
    for before, after in zip(many.answers(logits), many.calibrated_answers(logits, temperatures),
                             strict=True):
        assert before.labels is not None and after.labels is not None
        assert set(before.labels) == set(after.labels)
        assert after.threshold is not None
        assert all((after.scores[label] >= after.threshold - 1e-7) == (label in after.labels)
                   or abs(after.scores[label] - after.threshold) < 1e-7 for label in "abcdef")
        assert after.threshold == pytest.approx(
            1 / (1 + (7 / 3) ** (1 / temperature)))


def test_a_subset_that_was_not_looked_at_has_that_of_all_inputs() -> None:
    found = Calibration(("a", "b"), {"t": {
        frozenset("ab"): SubsetCalibration(9, 2.0), frozenset("a"): SubsetCalibration(9, 3.0)}})
    there = np.array([[True, True], [True, False], [False, True], [False, False]])
    assert found.temperatures("t", there).tolist() == [2.0, 3.0, 2.0, 1.0]
    assert found.temperatures("other", there).tolist() == [1.0] * 4
