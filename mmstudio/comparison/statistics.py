"""How sure a figure is: test rows and seeds are drawn anew, two thousand times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
SHARE = 0.95
"""Of the resampled values that an interval holds."""
MANY_ROWS = 3000
"""From twice as many on, rows are drawn some at a time."""
CHUNK = 4_000_000
"""Drawn rows held in memory at once."""


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


class Resampled:
    """The means of several contestants over the same draws of test rows.

    A hierarchical bootstrap (Davison and Hinkley 1997, section 3.8). In each draw there are as
    many rows as there were, with replacement and the same for all contestants, so that
    differences are paired; and of each contestant one seed less than it has, with replacement.
    One less, as with few seeds drawing all would make the spread too small by (S - 1) / S (Rao
    and Wu 1988). What seeds do is shrunk by what of it the rows alone explain, which would count
    twice. A single seed tells nothing about others: its interval is that of the rows alone.

    Args:
        scores: Per contestant ``(S, N)``, a row per seed; N is the same for all.
        shares: Whether scores lie between 0 and 1.
        resamples: Number of draws.
        seed: Of the draws.
    """

    def __init__(
        self, scores: Mapping[str, np.ndarray], *, shares: bool = True,
        resamples: int = RESAMPLES, seed: int = 0,
    ) -> None:
        self._scores = {key: np.asarray(s, dtype=np.float64) for key, s in scores.items()}
        self._shares = shares
        chance = np.random.default_rng(seed)
        over_seeds = np.stack([own.mean(axis=0) for own in self._scores.values()])
        by_rows = _row_draws(over_seeds, resamples, chance)
        self._by_rows = dict(zip(self._scores, by_rows.T, strict=True))
        self._effects = {key: _seed_effects(own) for key, own in self._scores.items()}
        self._both = {}
        for key, effects in self._effects.items():
            seeds = len(effects)
            drawn = chance.integers(0, seeds, (resamples, max(1, seeds - 1)))
            self._both[key] = self._by_rows[key] + effects[drawn].mean(axis=1)

    def mean(self, key: str) -> Interval:
        """A contestant's mean score."""
        own = self._scores[key]
        result = _interval(float(own.mean()), self._both[key])
        if not self._shares:
            return result
        if np.ptp(own) == 0:
            result = _widened(result, 3 / own.shape[1])
        return Interval(result.mean, max(0.0, result.low), min(1.0, result.high))

    def difference(self, key: str, other: str) -> Interval:
        """How much higher a contestant's mean is than another's, on the same rows."""
        mine, theirs = self._scores[key].mean(axis=0), self._scores[other].mean(axis=0)
        result = _interval(float((mine - theirs).mean()), self._both[key] - self._both[other])
        if self._shares and key != other and np.ptp(mine - theirs) == 0:
            return _widened(result, 3 / len(mine))
        return result

    def variances(self, key: str, other: str) -> tuple[float, float]:
        """The variance of a difference that comes from the rows, and from the seeds."""
        rows = float(np.var(self._by_rows[key] - self._by_rows[other]))
        seeds = sum(float(np.var(e, ddof=1)) / len(e)
                    for e in (self._effects[key], self._effects[other]) if len(e) > 1)
        return rows, seeds


def _seed_effects(scores: np.ndarray) -> np.ndarray:
    """``(S, N)`` to ``(S,)``: how far each seed lies off the mean, less what chance would do.

    Seeds that only answer other rows right have unequal means too; that part of their variance,
    the interaction's mean square over N, is taken out.
    """
    seeds, rows = scores.shape
    by_seed = scores.mean(axis=1)
    effects = by_seed - by_seed.mean()
    spread = float((effects ** 2).sum())
    if seeds < 2 or rows < 2 or spread == 0.0:
        return np.zeros(seeds)
    rest = scores - scores.mean(axis=0) - effects[:, None]
    by_chance = float((rest ** 2).sum()) / ((rows - 1) * rows)
    shrunk: np.ndarray = effects * np.sqrt(max(0.0, 1 - by_chance / spread))
    return shrunk


def _row_draws(scores: np.ndarray, resamples: int, chance: np.random.Generator) -> np.ndarray:
    """``(R, N)`` scores to ``(resamples, R)`` means over drawn rows."""
    exact = scores.mean(axis=1)
    together = max(1, scores.shape[1] // MANY_ROWS)
    if together > 1:
        # means of a few rows, drawn at random, spread as the rows themselves do
        rows = scores.shape[1] // together
        mixed = scores[:, chance.permutation(scores.shape[1])[:rows * together]]
        scores = mixed.reshape(len(scores), rows, together).mean(axis=2)
    rows = scores.shape[1]
    means = np.empty((resamples, len(scores)))
    size = max(1, min(resamples, CHUNK // rows))
    for first in range(0, resamples, size):
        many = min(size, resamples - first)
        drawn = chance.integers(0, rows, (many, rows)) + rows * np.arange(many)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=many * rows).reshape(many, rows)
        means[first:first + many] = counts.astype(np.float64) @ scores.T / rows
    # the few rows that were too many for a group move the middle a little
    means += exact - scores.mean(axis=1)
    return means


def _interval(mean: float, draws: np.ndarray) -> Interval:
    rest = (1 - SHARE) / 2
    # an end that is 0 but for the last bit is 0: it decides what can be told
    low, high = np.round(np.quantile(draws, [rest, 1 - rest]), 12)
    return Interval(mean, float(low), float(high))


def _widened(interval: Interval, margin: float) -> Interval:
    """Where no row differs there is nothing to draw from, and yet not all is known.

    None of N rows being otherwise leaves up to 3 / N (Hanley and Lippman-Hand 1983).
    """
    return Interval(interval.mean, min(interval.low, interval.mean - margin),
                    max(interval.high, interval.mean + margin))
