"""Kernel ridge regression on landmarks, with the answers of cross-validation in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Of the pull towards zero."""
JITTER = 1e-8
"""Of the mean diagonal, added to the landmarks' kernel so that it can be inverted."""


@dataclass(frozen=True)
class Basis:
    """From kernels with the landmarks to coordinates in the space that they span.

    Attributes:
        factor: ``(m, m)`` lower triangular L with ``L Lᵀ`` the landmarks' kernel.
    """

    factor: Array

    @classmethod
    def of(cls, landmarks: np.ndarray) -> Basis:
        """Of the ``(m, m)`` kernel of the landmarks (Williams and Seeger 2001)."""
        from scipy.linalg import cholesky

        kernel = landmarks.astype(np.float64)
        size = max(float(np.trace(kernel)) / len(kernel), 1e-12)
        jitter = JITTER
        while True:
            try:
                eye = np.eye(len(kernel))
                return cls(cholesky(kernel + jitter * size * eye, lower=True))
            except np.linalg.LinAlgError:
                jitter *= 100

    def coordinates(self, kernel: np.ndarray) -> Array:
        """``(n, m)`` kernels with the landmarks to ``(n, m)`` coordinates."""
        from scipy.linalg import solve_triangular

        found: Array = solve_triangular(self.factor, kernel.T.astype(np.float64), lower=True).T
        return found

    def coefficients(self, weights: Array) -> Array:
        """Weights of coordinates ``(m, C)`` to coefficients of the landmarks ``(m, C)``."""
        from scipy.linalg import solve_triangular

        found: Array = solve_triangular(self.factor, weights, lower=True, trans=1)
        return found


class Turned:
    """Rows in the directions in which they vary by themselves: what all targets share.

    Args:
        rows: ``(n, m)`` coordinates.
    """

    def __init__(self, rows: Array) -> None:
        from scipy.linalg import eigh

        sizes, self.turn = eigh(rows.T @ rows, driver="evd", overwrite_a=True)
        self.sizes = sizes.clip(min=0)
        self.rows = rows @ self.turn


class Ridge:
    """Ridge regressions of all strengths on the same rows.

    Args:
        turned: The rows.
        values: ``(n, C)`` what is to be answered.
    """

    def __init__(self, turned: Turned, values: Array) -> None:
        self.mean = values.mean(axis=0)
        self._rest = values - self.mean
        self._sizes, self._turn, self._turned = turned.sizes, turned.turn, turned.rows
        self._moments = self._turned.T @ self._rest

    def weights(self, strength: float) -> Array:
        """``(m, C)`` weights of the coordinates."""
        found: Array = self._turn @ (self._moments / (self._sizes + strength)[:, None])
        return found

    def out_of_fold(self, strength: float, folds: np.ndarray) -> Array:
        """``(n, C)``: each row answered by the regression on the rows of the other folds.

        The same as fitting again without each fold (Golub et al. 1979, for single rows).
        """
        shrunk = self._turned / (self._sizes + strength)
        residual = self._rest - shrunk @ self._moments
        found = np.empty_like(self._rest)
        for fold in np.unique(folds):
            at = np.flatnonzero(folds == fold)
            hat = shrunk[at] @ self._turned[at].T
            found[at] = self._rest[at] - np.linalg.solve(np.eye(len(at)) - hat, residual[at])
        answers: Array = found + self.mean
        return answers


def solved(rows: Array, values: Array, strength: float) -> tuple[Array, Array]:
    """One ridge regression: ``(m, C)`` weights of ``(n, m)`` coordinates, and the ``(C,)`` mean."""
    from scipy.linalg import cho_factor, cho_solve

    mean = values.mean(axis=0)
    factor = cho_factor(rows.T @ rows + strength * np.eye(rows.shape[1]), overwrite_a=True)
    return cho_solve(factor, rows.T @ (values - mean)), mean


def folds_of(count: int, folds: int, groups: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """``(count,)`` the fold of each row, drawn; rows of one group share theirs."""
    chance = np.random.default_rng(seed)
    members = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1]
    many = int(members.max(initial=0)) + 1
    place = np.empty(many, dtype=np.int64)
    place[chance.permutation(many)] = np.arange(many) % folds
    return place[members]
