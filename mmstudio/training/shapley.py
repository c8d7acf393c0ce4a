"""Shapley values and their pairwise interactions, from the values of all subsets."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np


def all_subsets(count: int) -> np.ndarray:
    """``(2^M, M)`` bool: row s holds the inputs whose bit is set in s; nothing first, all last."""
    return np.asarray((np.arange(2 ** count)[:, None] >> np.arange(count)) % 2 == 1)


def shapley_values(values: np.ndarray) -> np.ndarray:
    """What each input adds, averaged over all orders in which they could come (Shapley 1953).

    ``φ_i = Σ_S |S|! (M - |S| - 1)! / M! · (v(S+i) - v(S))`` over the subsets S without i. They
    add up to ``v(all) - v(nothing)``.

    Args:
        values: ``(2^M, …)`` in the order of ``all_subsets``.

    Returns:
        ``(M, …)`` float64.
    """
    count = _inputs(values)
    subsets = all_subsets(count)
    found = []
    for i in range(count):
        without = np.flatnonzero(~subsets[:, i])
        sizes = subsets[without].sum(axis=1)
        weights = np.array([1 / (count * comb(count - 1, int(s))) for s in sizes])
        found.append(np.tensordot(weights, values[without + 2 ** i] - values[without], axes=1))
    return np.stack(found) if found else np.zeros((0, *values.shape[1:]))


def pairs(count: int) -> list[tuple[int, int]]:
    """Every two of so many inputs."""
    return list(combinations(range(count), 2))


def shapley_interactions(values: np.ndarray) -> np.ndarray:
    """What two inputs add together beyond what each adds alone (Grabisch and Roubens 1999).

    ``I_ij = Σ_S |S|! (M - |S| - 2)! / (M - 1)! · (v(S+ij) - v(S+i) - v(S+j) + v(S))`` over
    the subsets S without i and j. Above 0 they complete each other, below 0 they say the same.

    Args:
        values: ``(2^M, …)`` in the order of ``all_subsets``.

    Returns:
        ``(M (M - 1) / 2, …)`` float64, in the order of ``pairs``.
    """
    count = _inputs(values)
    subsets = all_subsets(count)
    found = []
    for i, j in pairs(count):
        without = np.flatnonzero(~subsets[:, i] & ~subsets[:, j])
        sizes = subsets[without].sum(axis=1)
        weights = np.array([1 / ((count - 1) * comb(count - 2, int(s))) for s in sizes])
        each = (values[without + 2 ** i + 2 ** j] - values[without + 2 ** i]
                - values[without + 2 ** j] + values[without])
        found.append(np.tensordot(weights, each, axes=1))
    return np.stack(found) if found else np.zeros((0, *values.shape[1:]))


def _inputs(values: np.ndarray) -> int:
    """How many inputs so many subsets are of."""
    return (len(values) - 1).bit_length()
