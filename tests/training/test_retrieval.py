"""Recall worked out by hand, ties and copies among the candidates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmstudio.training import retrieval as module
from mmstudio.training.retrieval import Retrieval, mean_recall, retrieval


def of(cosines: np.ndarray, contents: np.ndarray | None = None) -> list[Retrieval]:
    """Recall where the cosines of N rows are given: queries are unit vectors."""
    count = len(cosines)
    embeddings = np.zeros((count, 2, count))
    embeddings[:, 0] = np.eye(count)
    embeddings[:, 1] = cosines.T
    if contents is None:
        contents = np.stack([np.arange(count)] * 2, axis=1)
    return retrieval(["a", "b"], embeddings, np.ones((count, 2), dtype=bool), contents)


def test_a_small_matrix_by_hand() -> None:
    count = 12
    cosines = np.tile(np.linspace(0.5, 0.4, count), (count, 1))
    # row 0's own is first, row 1's second, row 2's third …: each as the matrix has them
    forward, backward = of(cosines)
    assert (forward.source, forward.target, forward.rows, forward.candidates) == ("a", "b", 12, 12)
    assert forward.recall == pytest.approx({1: 1 / 12, 5: 5 / 12, 10: 10 / 12})
    assert forward.chance == pytest.approx({1: 1 / 12, 5: 5 / 12, 10: 10 / 12})
    # each of b is as near to all of a: all tie, which is chance
    assert backward.recall == pytest.approx(backward.chance)
    better = cosines.copy()
    better[np.arange(count), np.arange(count)] = 0.9
    better[3, 7] = 0.95
    forward, backward = of(better)
    assert forward.recall == pytest.approx({1: 11 / 12, 5: 1, 10: 1})
    assert backward.recall == pytest.approx({1: 11 / 12, 5: 1, 10: 1})


def test_the_same_to_all_is_chance() -> None:
    forward, backward = of(np.ones((40, 40)))
    for one in (forward, backward):
        assert one.recall == pytest.approx({1: 1 / 40, 5: 5 / 40, 10: 10 / 40})


def test_a_copy_is_one_candidate_and_right_for_all_its_rows() -> None:
    contents = np.array([[0, 0], [1, 0], [2, 1], [3, 2]])  # rows 0 and 1 hold the same of b
    cosines = np.array([
        [0.1, 0.1, 0.9, 0.0],  # 0's own is behind one wrong candidate
        [0.8, 0.8, 0.7, 0.7],
        [0.5, 0.5, 0.6, 0.1],
        [0.9, 0.9, 0.8, 0.7],  # two wrong ones are nearer, not three
    ])
    forward, backward = of(cosines, contents)
    assert (forward.rows, forward.candidates, backward.candidates) == (4, 3, 4)
    assert forward.recall[1] == pytest.approx(2 / 4)
    assert forward.recall[5] == 1
    assert forward.chance[1] == pytest.approx(1 / 3)
    # content 0 of b has two right answers among four; both of its rows ask
    assert backward.chance[1] == pytest.approx((2 * 0.5 + 2 * 0.25) / 4)
    assert backward.recall[1] == pytest.approx(0.5 / 4)  # content 2 ties with one wrong


def test_chance_with_several_right_ones() -> None:
    contents = np.stack([np.repeat(np.arange(5), 4), np.arange(20)], axis=1)
    forward, _ = of(np.random.default_rng(0).random((20, 20)), contents)
    expected = {k: 1 - math.comb(16, k) / math.comb(20, k) for k in (1, 5, 10)}
    assert forward.chance == pytest.approx(expected)


def test_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    embeddings = chance.normal(size=(50, 3, 8))
    embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
    present = chance.random((50, 3)) > 0.3
    contents = chance.integers(0, 30, (50, 3))
    args = (["a", "b", "c"], embeddings, present, contents)
    whole = retrieval(*args)
    assert len(whole) == 6
    monkeypatch.setattr(module, "MOST_NUMBERS", 100)
    assert retrieval(*args) == whole


def test_random_embeddings_are_near_chance() -> None:
    chance = np.random.default_rng(4)
    embeddings = chance.normal(size=(600, 2, 16))
    embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
    numbers = np.stack([np.arange(600)] * 2, axis=1)
    for one in retrieval(["a", "b"], embeddings, np.ones((600, 2), dtype=bool), numbers):
        assert one.recall[10] == pytest.approx(one.chance[10], abs=0.02)


def test_a_pair_that_no_row_has_is_left_out() -> None:
    present = np.array([[True, False], [False, True]])
    found = retrieval(["a", "b"], np.ones((2, 2, 4)), present, np.zeros((2, 2), dtype=int))
    assert found == [] and math.isnan(mean_recall(found))


def test_plain_data() -> None:
    one = Retrieval("image", "words", 30, 28, {1: 0.5, 5: 0.8, 10: 0.9}, {1: 0.1, 5: 0.2, 10: 0.3})
    assert one.to_json() == {
        "from": "image", "to": "words", "rows": 30, "candidates": 28,
        "recall@1": 0.5, "recall@5": 0.8, "recall@10": 0.9,
        "chance@1": 0.1, "chance@5": 0.2, "chance@10": 0.3}
    assert mean_recall([one]) == pytest.approx((0.5 + 0.8 + 0.9) / 3)
