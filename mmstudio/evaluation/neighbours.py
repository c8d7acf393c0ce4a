"""Nearest neighbours of rows in a representation, block by block."""

from __future__ import annotations

import numpy as np

from mmstudio.threads import one_thread

BLOCK = 1024
"""Rows whose distances to all are held at once."""


def nearest_neighbours(
    vectors: np.ndarray, among: np.ndarray, count: int, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` nearest of ``among`` for each vector, the nearest first.

    Args:
        vectors: ``(n, D)``.
        among: ``(m, D)`` with m of 1 or more.
        count: How many; as many as there are, where they are fewer.
        own: ``(n,)`` the place of each vector itself in ``among``, -1 where it is none: nothing is
            its own neighbour.

    Returns:
        Places in ``among`` and Euclidean distances, both ``(n, k)``; an infinite distance where
        there is no other row.
    """
    count = min(count, len(among))
    places = np.zeros((len(vectors), count), dtype=np.int64)
    distances = np.zeros((len(vectors), count))
    others = among.astype(np.float64)
    squares = (others**2).sum(axis=1)
    with one_thread():
        for begin in range(0, len(vectors), BLOCK):
            some = vectors[begin : begin + BLOCK].astype(np.float64)
            apart = squares - 2 * some @ others.T
            apart += (some**2).sum(axis=1, keepdims=True)
            if own is not None:
                itself = own[begin : begin + BLOCK]
                mine = np.flatnonzero(itself >= 0)
                apart[mine, itself[mine]] = np.inf
            near = np.argpartition(apart, count - 1, axis=1)[:, :count]
            found = np.take_along_axis(apart, near, axis=1)
            order = np.argsort(found, axis=1, kind="stable")
            places[begin : begin + BLOCK] = np.take_along_axis(near, order, axis=1)
            distances[begin : begin + BLOCK] = np.sqrt(
                np.take_along_axis(found, order, axis=1).clip(min=0))
    return places, distances
