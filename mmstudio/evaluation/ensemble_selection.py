"""Which models answer together best, and how much each counts: greedy selection.

After Caruana, Niculescu-Mizil, Crew and Ksikes 2004, "Ensemble selection from libraries of models":
sorted initialisation, then whichever model helps most is added, again and again, with replacement.
The best ensemble on the way is taken, not the last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ROUNDS = 25
"""Models that are added, those of the beginning included."""
MOST_TO_BEGIN = 5
"""It begins with the mean of the best models, of at most so many."""

Score = Callable[[np.ndarray], tuple[float, ...]]
"""How good weights ``(K,)`` that add up to 1 are: the first numbers that differ decide, more is
better."""


def greedy_weights(models: int, score: Score, rounds: int = ROUNDS) -> np.ndarray:
    """How much each model counts: ``(K,)`` that add up to 1, most of them 0.

    Args:
        models: K, one or more; of equally good ones the first is taken.
        score: How good some weights are.
        rounds: As ``ROUNDS``.
    """
    each = np.eye(models, dtype=np.int64)
    order = sorted(range(models), key=lambda k: score(each[k].astype(float)), reverse=True)
    begun = [each[order[:n]].sum(axis=0) for n in range(1, min(MOST_TO_BEGIN, models) + 1)]
    best = counts = max(begun, key=lambda tried: score(tried / tried.sum()))
    highest = score(best / best.sum())
    for _ in range(rounds - int(counts.sum())):
        counts = max((counts + one for one in each), key=lambda tried: score(tried / tried.sum()))
        reached = score(counts / counts.sum())
        if reached > highest:
            best, highest = counts, reached
    return np.asarray(best / best.sum())
