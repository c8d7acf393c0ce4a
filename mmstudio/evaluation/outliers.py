"""Outliers: rows that lie far from all others in a representation.

By the mean distance to the nearest neighbours (Ramaswamy, Rastogi and Shim 2000; the mean after
Angiulli and Pizzuti 2002), against what is usual among all rows.
"""

from __future__ import annotations

import numpy as np

from mmstudio.evaluation.label_errors import MEDIAN_DEVIATION
from mmstudio.evaluation.neighbours import nearest_neighbours

NEIGHBOURS = 5
MOST_AMONG = 10_000
"""Rows among which neighbours are sought; of more, so many are drawn."""
FAR = 5.0
"""Deviations above the median, on a logarithmic scale, from which on a row is an outlier."""
FEWEST = 20
"""Rows below which nothing is usual."""


def remoteness(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """``(n,)`` how far each row lies from its nearest neighbours, in robust deviations.

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
    usual = float(np.median(mean))
    if usual <= 0:  # more than half of them are copies: nothing is far in such a measure
        return np.zeros(len(vectors))
    logs = np.log(np.maximum(mean, 1e-3 * usual) / usual)
    deviation = MEDIAN_DEVIATION * float(np.median(np.abs(logs)))
    return np.asarray(logs / deviation if deviation > 0 else np.zeros(len(logs)))
