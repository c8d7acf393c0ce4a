"""Curves of runs as arrays: where their points lie, smoothing, CSV."""

from __future__ import annotations

import numpy as np
import pytest

from mmstudio.training.history import RunHistory
from mmstudio.training.run_curves import (
    STEP_LOSS,
    TRAIN_LOSS,
    VALIDATION_LOSS,
    Curve,
    CurveName,
    RunCurves,
    curves_as_csv,
    smoothed,
)

ACCURACY = CurveName("digit", "accuracy", "validation")


def history() -> RunHistory:
    """Two epochs of two steps, 10 and 30 seconds long, and half of a third."""
    found = RunHistory()
    found.step_epochs, found.step_loss = [0.5, 1.0, 1.5, 2.0, 2.5], [5.0, 4.0, 3.0, 2.0, 1.0]
    found.epochs, found.epoch_seconds = [1, 2], [10.0, 30.0]
    found.train_loss, found.validation_loss = [4.5, 2.5], [4.6, float("nan")]
    found.metrics = {"digit": {"accuracy": {"validation": [0.5, 0.75],
                                            "train": [float("nan")] * 2}}}
    return found


def test_the_time_of_a_point_is_the_epochs_times_added_up() -> None:
    curves = RunCurves.of(history()).curves
    assert list(curves) == [STEP_LOSS, TRAIN_LOSS, VALIDATION_LOSS, ACCURACY]
    assert curves[STEP_LOSS].seconds.tolist() == [5.0, 10.0, 25.0, 40.0, 55.0]
    assert curves[STEP_LOSS].along("epoch").tolist() == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert curves[ACCURACY].along("seconds").tolist() == [10.0, 40.0]
    assert curves[ACCURACY].values.tolist() == [0.5, 0.75]


def test_before_the_first_epochs_end_no_time_is_known() -> None:
    started = RunHistory()
    started.step_epochs, started.step_loss = [0.5], [5.0]
    curves = RunCurves.of(started).curves
    assert list(curves) == [STEP_LOSS]
    assert np.isnan(curves[STEP_LOSS].seconds).all()
    assert RunCurves.of(RunHistory()).curves == {}


def test_smoothing_is_not_drawn_to_zero_at_its_begin() -> None:
    assert smoothed(np.array([2.0, 2.0, 2.0]), 0.9) == pytest.approx([2.0, 2.0, 2.0])
    # (0.5 * 1 + 4) / 1.5 and (0.25 * 1 + 0.5 * 4 + 1) / 1.75
    assert smoothed(np.array([1.0, 4.0, 1.0]), 0.5) == pytest.approx([1.0, 3.0, 3.25 / 1.75])
    values = np.array([1.0, 4.0])
    assert smoothed(values, 0.0) is values


def test_smoothing_equals_the_plain_recurrence() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    mean = weight = 0.0
    expected = []
    for value in values:
        mean, weight = 0.97 * mean + value, 0.97 * weight + 1
        expected.append(mean / weight)
    assert smoothed(values, 0.97) == pytest.approx(expected, abs=1e-9)


def test_an_unknown_value_stays_unknown_and_spoils_no_other() -> None:
    found = smoothed(np.array([float("nan"), 1.0, float("nan"), 4.0]), 0.5)
    # what came before the gap has aged by two: (0.25 * 1 + 4) / 1.25
    assert found == pytest.approx([float("nan"), 1.0, float("nan"), 3.4], nan_ok=True)


def test_csv_has_a_row_per_point_and_no_words_for_what_is_unknown() -> None:
    curve = Curve(np.array([2.0, 4.0]), np.array([1.0, 2.0]), np.array([np.nan, 40.0]),
                  np.array([1.0, 4.0]))
    assert curves_as_csv({"a, b": curve}) == (
        'run,step,epoch,seconds,value\n"a, b",2,1,,1\n"a, b",4,2,40,4\n')
    assert curves_as_csv({"a": curve}, 0.5) == (
        "run,step,epoch,seconds,value,smoothed\na,2,1,,1,1\na,4,2,40,4,3\n")
