"""Outliers: rows that lie far from all others in a representation.

By the mean distance to the nearest neighbours (Ramaswamy, Rastogi and Shim 2000; the mean after
Angiulli and Pizzuti 2002), against what is usual among all rows.
"""

from __future__ import annotations

import numpy as np

from mmstudio.evaluation.neighbours import nearest_neighbours

NEIGHBOURS = 5
MOST_AMONG = 10_000
"""Rows among which neighbours are sought; of more, so many are drawn."""
FAR = 4.0
"""Deviations above the median, on a logarithmic scale, from which on a row is an outlier."""
FEWEST = 20
"""Rows below which nothing is usual."""
UPPER, UPPER_DEVIATIONS = 0.9, 1.2816
"""Deviations are told by this quantile, which lies so many above the median of a normal
distribution: distances have a longer tail above than below, and what repeats makes many of 0."""
LEAST_USUAL = 0.1
"""Of the distance of two rows that are drawn: what is nearer is usual in any data."""


def remoteness(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """``(n,)`` how far each row lies from its nearest neighbours, in usual deviations.

    0 is the median of all rows. Distances are compared by their logarithms, so that it is the same
    in whatever unit.

    Args:
        vectors: ``(n, D)``, leveled.
        seed: Which rows are neighbours where there are many.
    """
    if len(vectors) < FEWEST:
        return np.zeros(len(vectors))
    drawn = np.random.default_rng(seed).permutation(len(vectors))[:MOST_AMONG]
    own = np.full(len(vectors), -1)
    own[drawn] = np.arange(len(drawn))
    _, distances = nearest_neighbours(vectors, vectors[drawn], NEIGHBOURS, own)
    mean = distances.mean(axis=1)
    apart = np.linalg.norm(vectors[drawn] - np.roll(vectors[drawn], 1, axis=0), axis=1)
    least = LEAST_USUAL * float(np.median(apart))
    if least <= 0:  # more than half of them are copies of one: nothing is far in such a measure
        return np.zeros(len(vectors))
    logs = np.log(np.maximum(mean, least))
    middle, upper = np.quantile(logs, (0.5, UPPER))
    deviation = (upper - middle) / UPPER_DEVIATIONS
    return np.asarray((logs - middle) / deviation if deviation > 0 else np.zeros(len(logs)))
