"""Places of samples on a map: what lies near each other is alike to the model."""

from __future__ import annotations

import numpy as np

MOST_PLACED = 2000
"""Rows that t-SNE places; some seconds on one core."""
KEPT = 32
"""Principal components that are kept of a representation."""
_PERPLEXITY = 30.0
_STEPS = 500


def principal(values: np.ndarray, most: int = 2) -> np.ndarray:
    """``(N, D)`` to its first principal components ``(N, min(most, D))`` float32.

    Each one's direction is that in which its largest weight is above 0, so that the same values
    give the same map.
    """
    count = min(most, values.shape[1])
    if not len(values):
        return np.zeros((0, count), np.float32)
    middle = values.mean(axis=0, dtype=np.float64)
    spread = np.zeros((values.shape[1],) * 2)
    step = max(1, (1 << 22) // max(1, values.shape[1]))
    for begin in range(0, len(values), step):
        part = values[begin : begin + step] - middle
        spread += part.T @ part
    directions = np.linalg.eigh(spread)[1][:, ::-1][:, :count]
    largest = np.abs(directions).argmax(axis=0)
    directions = directions * np.where(
        directions[largest, np.arange(directions.shape[1])] < 0, -1, 1)
    found = np.empty((len(values), count), np.float32)
    for begin in range(0, len(values), step):
        found[begin : begin + step] = (values[begin : begin + step] - middle) @ directions
    return found


def flat(values: np.ndarray) -> np.ndarray:
    """The first two principal components ``(N, 2)``; the second is 0 where there is one only."""
    found = principal(values, 2)
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def placed_near(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Places ``(N, 2)`` float32 by t-SNE (van der Maaten and Hinton 2008), of scikit-learn.

    Args:
        values: ``(N, D)``, at most ``MOST_PLACED`` rows are sensible; beyond 32 numbers their
            principal components.
        seed: Of what is drawn.
    """
    if len(values) < 5:
        return flat(values)
    from sklearn.manifold import TSNE

    few = principal(values, KEPT)
    scale = float(few[:, 0].std())
    start = flat(few) * (1e-4 / scale if scale > 0 else 0.0)
    if scale == 0:
        return start
    perplexity = min(_PERPLEXITY, (len(few) - 1) / 3)
    found = TSNE(perplexity=perplexity, init=start, max_iter=_STEPS, random_state=seed,
                 n_jobs=1).fit_transform(few)
    return np.asarray(found, np.float32)


def drawn(rows: int, most: int = MOST_PLACED) -> np.ndarray:
    """Places of at most so many rows, drawn evenly by chance, ascending."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])
