"""Intervals hold what they say, widen where rows belong together, and are found in a moment."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, r2_score

from mmstudio.evaluation.intervals import (
    Draws,
    average_precision_draws,
    binned_average_precision,
    class_intervals,
    draws_for,
    label_intervals,
    mean_interval,
    r2_interval,
)


def test_95_percent_intervals_hold_the_truth_that_often() -> None:
    # 200 rows, right with a chance of .9; classes of .5, .3 and .2
    held = {"accuracy": 0, "recall": 0, "f1": 0}
    wrong = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
    many = np.random.default_rng(99)
    shares = np.array([0.5, 0.3, 0.2])
    # of class 2: answered with it are .9 · .2, and .05 of the other classes
    truth_f1 = 2 * 0.18 / (0.2 + 0.18 + 0.1 / 2 * 0.8)
    for seed in range(300):
        chance = np.random.default_rng(seed)
        truth = chance.choice(3, 200, p=shares)
        other = np.array([wrong[t][many.integers(2)] for t in truth])
        answers = np.where(chance.random(200) < 0.9, truth, other)
        found = class_intervals(Draws(200, seed=seed, resamples=400), truth, answers, 3)
        held["accuracy"] += found.micro_f1.low <= 0.9 <= found.micro_f1.high
        held["recall"] += found.recall[2].low <= 0.9 <= found.recall[2].high
        held["f1"] += found.f1[2].low <= truth_f1 <= found.f1[2].high
    assert min(held.values()) >= 0.91 * 300, held


def test_rows_that_belong_together_make_intervals_wider() -> None:
    chance = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 50)
    right = chance.random(20)[groups] > 0.3  # a whole group is right or wrong
    alone = class_intervals(Draws(1000), np.zeros(1000, int), (~right).astype(int), 2).micro_f1
    together = class_intervals(
        Draws(1000, groups), np.zeros(1000, int), (~right).astype(int), 2).micro_f1
    assert together.high - together.low > 4 * (alone.high - alone.low)
    one = class_intervals(Draws(1000, np.zeros(1000, int)), np.zeros(1000, int),
                          (~right).astype(int), 2).micro_f1
    assert one == alone


def test_what_has_no_error_is_not_certain() -> None:
    truth = np.array([0] * 50 + [1])
    found = class_intervals(Draws(51), truth, truth, 3)
    assert found.micro_f1.high == 1.0 and found.micro_f1.low == pytest.approx(1 - 3 / 51)
    assert found.recall[1].low == 0.0
    assert np.isnan(found.recall[2].low)


def test_numbers_have_intervals_in_their_unit() -> None:
    chance = np.random.default_rng(1)
    truth = chance.normal(5000, 10, 400)
    answers = truth + chance.normal(0, 2, 400)
    draws = Draws(400)
    error = mean_interval(draws, np.abs(answers - truth))
    assert error.low < 2 * np.sqrt(2 / np.pi) < error.high
    assert error.high - error.low == pytest.approx(
        2 * 1.96 * np.abs(answers - truth).std() / 20, rel=0.15)
    explained = r2_interval(draws, truth, answers)
    rows = [chance.integers(0, 400, 400) for _ in range(500)]
    by_rows = np.quantile([r2_score(truth[r], answers[r]) for r in rows], [0.025, 0.975])
    assert (explained.low, explained.high) == pytest.approx(tuple(by_rows), abs=0.003)


def test_average_precision_is_drawn_at_few_thresholds() -> None:
    chance = np.random.default_rng(2)
    truth = chance.random(2000) < 0.2
    scores = truth + chance.normal(0, 1, 2000)
    assert binned_average_precision(truth, scores) == pytest.approx(
        average_precision_score(truth, scores), abs=0.01)
    drawn = average_precision_draws(Draws(2000), truth, scores)
    assert drawn.mean() == pytest.approx(binned_average_precision(truth, scores), abs=0.01)
    rows = [chance.integers(0, 2000, 2000) for _ in range(300)]
    by_rows = np.std([average_precision_score(truth[r], scores[r]) for r in rows])
    assert drawn.std() == pytest.approx(by_rows, rel=0.2)


def test_a_hundred_thousand_rows_take_about_a_second() -> None:
    chance = np.random.default_rng(3)
    truth = chance.integers(0, 10, 100_000)
    answers = np.where(chance.random(100_000) < 0.9, truth, chance.integers(0, 10, 100_000))
    began = time.perf_counter()
    draws = draws_for(100_000, None, 10)
    one = class_intervals(draws, truth, answers, 10)
    sets = label_intervals(draws, np.eye(10, dtype=bool)[truth], np.eye(10, dtype=bool)[answers])
    assert time.perf_counter() - began < 3.0
    assert one.micro_f1.low < 0.91 < one.micro_f1.high
    assert one.micro_f1.high - one.micro_f1.low == pytest.approx(
        2 * 1.96 * np.sqrt(0.91 * 0.09 / 100_000), rel=0.1)
    assert sets.f1[0].low == pytest.approx(one.f1[0].low, abs=1e-6)
