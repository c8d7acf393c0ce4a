"""Neighbours, outliers and near-duplicates, by numbers that are seen at once."""

from __future__ import annotations

import numpy as np
import pytest

from mmstudio.evaluation import near_duplicates, neighbours
from mmstudio.evaluation.near_duplicates import close_rows, compared_rows
from mmstudio.evaluation.neighbours import nearest_neighbours
from mmstudio.evaluation.outliers import FAR, remoteness


def test_nearest_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    monkeypatch.setattr(neighbours, "BLOCK", 3)
    places, distances = nearest_neighbours(line, line, 2, np.arange(4))
    assert places.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert distances.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6]]
    places, distances = nearest_neighbours(line[:1], line, 9)
    assert places.tolist() == [[0, 1, 2, 3]] and distances[0, 0] == 0


def test_what_lies_far_from_all_is_an_outlier() -> None:
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(300, 8))
    rows[17] += 30
    found = remoteness(rows)
    assert found.argmax() == 17 and found[17] > FAR
    assert (found > FAR).sum() == 1
    assert np.allclose(remoteness(rows * 1000), found)


def test_few_rows_and_copies_have_no_outliers() -> None:
    assert not remoteness(np.arange(10.0)[:, None]).any()
    assert not remoteness(np.ones((50, 2))).any()


def test_where_most_rows_repeat_the_others_are_no_outliers() -> None:
    chance = np.random.default_rng(0)
    phrases = chance.normal(size=(4, 6))
    rows = np.concatenate([phrases[chance.integers(0, 4, 220)], chance.normal(size=(80, 6))])
    assert not (remoteness(rows) > FAR).any()


def test_rows_that_are_close_in_every_input_are_near_duplicates() -> None:
    chance = np.random.default_rng(0)
    one, other = chance.normal(size=(60, 5)), chance.normal(size=(60, 4))
    there = np.ones(60, dtype=bool)
    one[40], other[40] = one[3] + 1e-4, other[3]
    one[50] = one[7]  # but its other input is another
    one[21], other[21] = one[20], other[20]
    lacks = there.copy()
    lacks[21] = False  # the same, but one of them lacks an input
    rows = np.arange(60) * 2
    pairs = close_rows({"a": (one, there), "b": (other, lacks)}, rows)
    assert [(p.one, p.other, p.inputs) for p in pairs] == [(6, 80, ("a", "b"))]
    assert 0.98 < pairs[0].likeness <= 1


def test_an_input_that_repeats_by_nature_makes_no_pair_alone() -> None:
    words = np.repeat(np.eye(3), 20, axis=0)
    there = np.ones(60, dtype=bool)
    assert not close_rows({"words": (words, there)}, np.arange(60))
    pictures = np.random.default_rng(0).normal(size=(60, 4))
    pictures[5] = pictures[4]
    pairs = close_rows({"words": (words, there), "picture": (pictures, there)}, np.arange(60))
    assert [(p.one, p.other) for p in pairs] == [(4, 5)]


def test_of_many_rows_those_held_out_are_compared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = np.array(["train"] * 50 + ["test"] * 10)
    assert len(compared_rows(splits, np.arange(60))) == 60
    monkeypatch.setattr(near_duplicates, "MOST_ROWS", 20)
    found = compared_rows(splits, np.arange(60))
    assert len(found) == 20 and set(range(50, 60)) <= set(found.tolist())
