"""Shapley values and interactions, against their definition by orders and small known cases."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from mmstudio.training.shapley import (
    all_subsets,
    pairs,
    shapley_interactions,
    shapley_values,
)


def number_of(members: set[int]) -> int:
    return sum(2 ** i for i in members)


def by_orders(values: np.ndarray, count: int) -> np.ndarray:
    """The mean, over all orders, of what an input adds when it comes."""
    found = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        there: set[int] = set()
        for i in order:
            found[i] += values[number_of(there | {i})] - values[number_of(there)]
            there.add(i)
    return found / len(orders)


def test_subsets_are_told_by_their_bits() -> None:
    assert all_subsets(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]
    assert all_subsets(0).shape == (1, 0)
    assert all(number_of(set(np.flatnonzero(row))) == s for s, row in enumerate(all_subsets(4)))


def test_a_glove_game_by_hand() -> None:
    """Inputs 0 and 1 are left gloves, 2 is a right one; a pair is worth 1 (Shapley: 1/6, 1/6, 2/3).

    Interactions: 0 and 1 replace each other, each completes 2.
    """
    values = np.zeros(8)
    for members in ({0, 2}, {1, 2}, {0, 1, 2}):
        values[number_of(members)] = 1
    assert shapley_values(values) == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]
    assert shapley_interactions(values) == pytest.approx([-0.5, 0.5, 0.5])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_values_are_those_of_all_orders_and_add_up(count: int) -> None:
    values = np.random.default_rng(count).normal(size=2 ** count)
    found = shapley_values(values)
    assert found == pytest.approx(by_orders(values, count), abs=1e-12)
    assert found.sum() == pytest.approx(values[-1] - values[0], abs=1e-12)


def test_what_adds_up_has_no_interaction_and_its_own_shares() -> None:
    shares = np.array([2.0, -1.0, 0.5, 0.0])
    values = 3.0 + all_subsets(4) @ shares
    assert shapley_values(values) == pytest.approx(shares)
    assert shapley_interactions(values) == pytest.approx(np.zeros(6), abs=1e-12)


def test_a_product_of_two_is_their_interaction_alone() -> None:
    subsets = all_subsets(3)
    values = 4.0 * (subsets[:, 0] & subsets[:, 2])
    assert shapley_values(values) == pytest.approx([2.0, 0.0, 2.0])
    assert shapley_interactions(values) == pytest.approx([0.0, 4.0, 0.0])


def test_rows_are_worked_out_side_by_side() -> None:
    values = np.random.default_rng(0).normal(size=(8, 5))
    assert shapley_values(values)[:, 3] == pytest.approx(shapley_values(values[:, 3]))
    assert shapley_interactions(values)[:, 3] == pytest.approx(shapley_interactions(values[:, 3]))
