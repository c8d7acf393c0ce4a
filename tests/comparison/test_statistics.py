"""Intervals, held against what they must be by other means."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binom, norm, t

from mmstudio.comparison.statistics import Resampled
from tests.comparison.made_up import answers


@pytest.mark.parametrize(("right", "rows"), [(80, 100), (270, 300), (35, 60)])
def test_one_seeds_interval_is_that_of_a_binomial(right: int, rows: int) -> None:
    interval = Resampled({"a": answers(right, rows)[None]}, resamples=20_000).mean("a")
    low, high = binom.ppf([0.025, 0.975], rows, right / rows) / rows
    assert interval.mean == pytest.approx(right / rows)
    assert interval.low == pytest.approx(low, abs=1.01 / rows)
    assert interval.high == pytest.approx(high, abs=1.01 / rows)


def test_a_difference_is_paired_row_by_row() -> None:
    chance = np.random.default_rng(1)
    one = chance.random(400)
    # row by row alike: the spread of the rows themselves must not count
    other = one - 0.02 + 0.01 * chance.normal(size=400)
    drawn = Resampled({"a": one[None], "b": other[None]})
    interval = drawn.difference("a", "b")
    each = one - other
    half = norm.ppf(0.975) * each.std() / np.sqrt(400)
    assert interval.mean == pytest.approx(each.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.1)
    assert (drawn.mean("a").high - drawn.mean("a").low) / 2 > 10 * half


def test_seeds_add_their_own_spread_without_a_bias_for_few() -> None:
    """The variance over draws is that of the mean of S seeds: the sample variance over S."""
    by_seed = np.array([0.70, 0.80, 0.96])
    scores = np.repeat(by_seed[:, None], 50, axis=1)  # no row differs from another
    drawn = Resampled({"a": scores}, shares=False, resamples=50_000)
    rows, seeds = drawn.variances("a", "a")
    assert rows == 0.0
    assert seeds == pytest.approx(2 * by_seed.var(ddof=1) / 3)
    interval = drawn.mean("a")
    half = t.ppf(0.975, 2) * by_seed.std(ddof=1) / np.sqrt(3)  # 4.30, not 1.96
    assert interval.mean == pytest.approx(by_seed.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.02)


def test_rows_of_a_group_are_worth_what_the_groups_are() -> None:
    """Forty equal rows of each of twelve speakers tell no more than one row of each."""
    one, other = np.random.default_rng(2).random((2, 12))
    alone = Resampled({"a": one[None], "b": other[None]})
    groups = np.repeat(np.arange(12), 40)
    together = Resampled({"a": np.repeat(one, 40)[None], "b": np.repeat(other, 40)[None]},
                         groups=groups)
    assert (alone.groups, together.groups) == (None, 12)
    for key in (["a"], ["a", "b"]):
        found, due = (d.mean(*key) if len(key) == 1 else d.difference(*key)
                      for d in (together, alone))
        assert (found.mean, found.low, found.high) == pytest.approx((due.mean, due.low, due.high))
    half = t.ppf(0.975, 11) * (one - other).std(ddof=1) / np.sqrt(12)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_groups_of_unequal_size_count_as_fewer() -> None:
    scores = np.random.default_rng(2).random((1, 100))
    even = np.repeat(np.arange(10), 10)
    uneven = np.concatenate([np.zeros(82), np.repeat(np.arange(1, 10), 2)]).astype(int)
    assert [Resampled({"a": scores}, groups=g)._units.freedom for g in (even, uneven)] == (
        pytest.approx([9.0, 1.0]))


def test_many_comparisons_are_told_as_holm_does() -> None:
    """At a third of the level, then a half, then the whole; where one fails, so do the rest."""
    chance = np.random.default_rng(4)
    noise = (chance.normal(0, 1, (4, 400)) - np.zeros((4, 1))).round(3)
    noise -= noise.mean(axis=1, keepdims=True)
    gains = (0.0, 0.30, 0.15, 0.02)
    drawn = Resampled({str(i): (noise[i] + gain)[None] for i, gain in enumerate(gains)},
                      shares=False)
    pairs = [("1", "0"), ("2", "0"), ("3", "0")]
    assert drawn.corrected(pairs) == [
        drawn.difference("1", "0", 0.05 / 3), drawn.difference("2", "0", 0.05 / 2),
        drawn.difference("3", "0", 0.05 / 2)]
    first, second, third = drawn.corrected(pairs)
    assert first.low > 0 > second.low
    assert drawn.difference("2", "0").low > 0  # by itself it would be told
    assert third.low < 0
    assert drawn.corrected(pairs[1:2]) == [drawn.difference("2", "0")]
    assert drawn.corrected([]) == []


def test_intervals_of_twelve_groups_cover_the_truth() -> None:
    """Rows drawn one by one would do so in 72 of 100 trials."""
    chance, hits, trials = np.random.default_rng(3), 0, 200
    groups = np.repeat(np.arange(12), 40)
    for trial in range(trials):
        level = np.clip(chance.normal(0.8, 0.09, 12), 0, 1)[groups]
        scores = (chance.random(480) < level).astype(float)[None]
        interval = Resampled({"a": scores}, groups=groups, resamples=400, seed=trial).mean("a")
        hits += interval.low <= 0.8 <= interval.high
    assert 0.90 <= hits / trials <= 0.99


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    chance, hits, trials = np.random.default_rng(3), 0, 200
    for trial in range(trials):
        rows = chance.normal(0, 0.1, 80)
        skills = chance.normal(0.8, 0.02, 5)
        scores = (chance.random((5, 80)) < np.clip(skills[:, None] + rows, 0, 1)).astype(float)
        interval = Resampled({"a": scores}, resamples=400, seed=trial).mean("a")
        hits += interval.low <= 0.8 <= interval.high
    assert 0.88 <= hits / trials <= 0.99


def test_rows_that_are_all_alike_still_leave_a_doubt() -> None:
    drawn = Resampled({"a": answers(50, 50)[None], "b": answers(50, 50)[None]})
    assert drawn.mean("a").low == pytest.approx(1 - 3 / 50)
    assert drawn.mean("a").high == 1.0
    assert drawn.difference("a", "b").high == pytest.approx(3 / 50)


def test_errors_have_no_such_bounds() -> None:
    errors = -np.full((1, 50), 7.0)
    interval = Resampled({"a": errors}, shares=False).mean("a")
    assert (interval.low, interval.mean, interval.high) == (-7.0, -7.0, -7.0)


def test_the_same_seed_draws_the_same_and_the_order_of_chunks_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = {"a": np.random.default_rng(0).random((3, 40))}
    first = Resampled(scores).mean("a")
    assert Resampled(scores).mean("a") == first
    monkeypatch.setattr("mmstudio.comparison.statistics.CHUNK", 4000)
    again = Resampled(scores).mean("a")
    assert again.mean == first.mean
    assert again.low == pytest.approx(first.low, abs=0.02)


@pytest.mark.parametrize("rows", [6001, 20_000])
def test_many_rows_are_drawn_some_at_a_time_and_spread_alike(rows: int) -> None:
    scores = (np.random.default_rng(0).random(rows) < 0.8).astype(float)
    interval = Resampled({"a": scores[None]}).mean("a")
    half = norm.ppf(0.975) * scores.std() / np.sqrt(rows)
    assert interval.mean == pytest.approx(scores.mean())
    assert (interval.low + interval.high) / 2 == pytest.approx(scores.mean(), abs=0.1 * half)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.1)


def test_thirty_runs_of_a_thousand_rows_take_less_than_a_second() -> None:
    chance = np.random.default_rng(0)
    scores = {str(i): (chance.random((3, 1000)) < 0.9).astype(float) for i in range(10)}
    began = time.process_time()
    drawn = Resampled(scores)
    for key in scores:
        drawn.difference(key, "0")
    assert time.process_time() - began < 1.0
