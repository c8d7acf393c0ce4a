"""Kernels of one part of a description: how alike two samples are in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

LARGEST = 6.0
"""Of a measurement, in deviations from the mean: what lies further off counts as that."""


@dataclass(frozen=True)
class Measured:
    """A radial kernel ``exp(-w |x - y|² / s)`` of standardised measurements.

    Attributes:
        mean: ``(D,)`` of the rows that it was fitted on.
        scale: ``(D,)`` one over their deviation, 0 where nothing varies.
        spread: s, the median of the squared distances between rows.
    """

    mean: np.ndarray
    scale: np.ndarray
    spread: float

    @classmethod
    def fit(cls, rows: np.ndarray, seed: int = 0) -> Measured:
        """Learn from ``(n, D)`` rows."""
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        varies = deviation > 1e-5 * np.maximum(1, np.abs(mean))
        scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0)
        found = cls(mean.astype(np.float32), scale.astype(np.float32), 1.0)
        some = rows[np.random.default_rng(seed).permutation(len(rows))[:500]]
        placed = found.placed(some)
        apart = squared_distances(placed, placed)
        apart = apart[np.triu_indices(len(apart), 1)]
        return cls(found.mean, found.scale, max(1e-6, float(np.median(apart)) if len(apart) else 1))

    def placed(self, rows: np.ndarray) -> np.ndarray:
        """``(n, D)`` rows in deviations from the mean, float32."""
        placed = np.clip((rows - self.mean) * self.scale, -LARGEST, LARGEST)
        return np.asarray(placed, dtype=np.float32)


def squared_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """``(n, m)`` between rows ``(n, D)`` and ``(m, D)``, float32."""
    found = (np.square(some).sum(axis=1)[:, None] + np.square(others).sum(axis=1)[None]
             - 2 * some @ others.T)
    return np.asarray(np.maximum(found, 0), dtype=np.float32)


@dataclass(frozen=True)
class Counted:
    """The cosine of weighted counts: what few rows hold weighs more (Salton and Buckley 1988).

    Attributes:
        weights: ``(D,)`` ``1 + log((1 + n) / (1 + n_d))``, where n_d of n rows hold it.
    """

    weights: np.ndarray

    @classmethod
    def fit(cls, rows: Any) -> Counted:
        """Learn from sparse ``(n, D)`` rows."""
        holding = np.bincount(rows.indices, minlength=rows.shape[1])
        return cls((1 + np.log((1 + rows.shape[0]) / (1 + holding))).astype(np.float32))

    def placed(self, rows: Any) -> Any:
        """Sparse ``(n, D)`` rows, weighted and of length 1."""
        from scipy.sparse import diags

        weighted = rows @ diags(self.weights)
        sizes = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return (diags(1 / np.maximum(sizes, 1e-9)) @ weighted).tocsr()


def placed_counts(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """As ``Counted.placed``, of dense ``(B, D)`` counts."""
    return torch.nn.functional.normalize(values * weights, dim=1, eps=1e-9)


def placed_measurements(
    values: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """As ``Measured.placed``."""
    return ((values - mean) * scale).clamp(-LARGEST, LARGEST)
