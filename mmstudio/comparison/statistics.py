"""How sure a figure is: rows or groups of rows are resampled, and few seeds count as few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 2000
LEVEL = 0.05
"""How often the truth may lie outside of an interval."""
MANY_UNITS = 3000
"""From twice as many on, rows or groups are drawn some at a time."""
CHUNK = 4_000_000
"""Drawn units held in memory at once."""


@dataclass(frozen=True)
class Interval:
    """A mean with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


class Resampled:
    """The means of several contestants over the same draws of test rows.

    A bootstrap of clusters (Davison and Hinkley 1997, section 3.8): the rows of one group, such as
    those of one speaker, are drawn together, as many groups as there were, with replacement, and
    the same for all contestants, so that differences are paired. Seeds are too few to be drawn:
    their part is normal, with the variance of a mean of S seeds, less what of it the rows alone
    explain, which would count twice. A single seed tells nothing about others: its interval is
    that of the rows alone.

    Few groups or seeds tell little of their own spread. That of G groups is widened by
    G / (G - 1), and all of it by Student's t over the normal quantile: the t of the groups' and
    of the seeds' degrees of freedom, weighed by their parts in the variance (Cochran and Cox
    1957, section 4.14).

    Args:
        scores: Per contestant ``(S, N)``, a row per seed; N is the same for all.
        groups: ``(N,)`` whole numbers: rows that are equal in it are drawn together; None draws
            each by itself.
        shares: Whether scores lie between 0 and 1.
        resamples: Number of draws.
        seed: Of the draws.
    """

    def __init__(
        self, scores: Mapping[str, np.ndarray], *, groups: np.ndarray | None = None,
        shares: bool = True, resamples: int = RESAMPLES, seed: int = 0,
    ) -> None:
        self._scores = {key: np.asarray(s, dtype=np.float64) for key, s in scores.items()}
        self._shares = shares
        chance = np.random.default_rng(seed)
        units = _Units(next(iter(self._scores.values())).shape[1], groups)
        self._units = units
        sums = np.stack([units.sums(own.mean(axis=0)) for own in self._scores.values()])
        by_rows = _draws(sums, units.sizes, resamples, chance)
        # fewer draws from so few than there are doubts: Rao and Wu 1988
        by_rows = (by_rows - by_rows.mean(axis=0)) * np.sqrt(units.count / max(1, units.count - 1))
        self._by_rows = dict(zip(self._scores, by_rows.T, strict=True))
        self._seeds = {key: _of_seeds(own, units) for key, own in self._scores.items()}

    @property
    def groups(self) -> int | None:
        """How many groups of rows there are; None where each row is drawn by itself."""
        return self._units.count if self._units.are_groups else None

    def mean(self, key: str) -> Interval:
        """A contestant's mean score."""
        own = self._scores[key]
        mean, spread = float(own.mean()), self._spread({key: 1})
        if not self._shares:
            return _interval(mean, spread, LEVEL)
        if np.ptp(own) == 0:
            result = _widened(Interval(mean, mean, mean), 3 / self._units.count)
            return Interval(mean, max(0.0, result.low), min(1.0, result.high))
        # the nearer to an end, the less room: on the scale of log odds there is as much of it
        middle, ends = _log_odds(mean), _log_odds(mean + spread.ends())
        low, high = _share(middle + spread.wider(LEVEL) * (ends - middle))
        return Interval(mean, float(low), float(high))

    def difference(self, key: str, other: str, level: float = LEVEL) -> Interval:
        """How much higher a contestant's mean is than another's, on the same rows.

        Args:
            key: The one.
            other: The other.
            level: How often the truth may lie outside.
        """
        each = self._scores[key].mean(axis=0) - self._scores[other].mean(axis=0)
        result = _interval(float(each.mean()), self._spread({key: 1, other: -1}), level)
        if self._shares and key != other and np.ptp(each) == 0:
            return _widened(result, 3 / self._units.count)
        return result

    def corrected(self, pairs: Sequence[tuple[str, str]]) -> list[Interval]:
        """The differences of several pairs, wide enough that all that they tell is right together.

        Holm's procedure (1979): of m differences, those that can be told from 0 at an m-th of the
        level are; the others are then held against the level over their own number, until none
        can be told. Each interval is of the level that its difference was held against last.
        """
        found: dict[int, Interval] = {}
        waiting = list(range(len(pairs)))
        while waiting:
            held = {i: self.difference(*pairs[i], LEVEL / len(waiting)) for i in waiting}
            told = [i for i, one in held.items() if one.low > 0 or one.high < 0]
            found |= {i: held[i] for i in told or waiting}
            waiting = [i for i in waiting if i not in found]
        return [found[i] for i in range(len(pairs))]

    def variances(self, key: str, other: str) -> tuple[float, float]:
        """The variance of a difference that comes from the rows, and from the seeds."""
        rows = float(np.var(self._by_rows[key] - self._by_rows[other]))
        return rows, self._seeds[key].variance + self._seeds[other].variance

    def _spread(self, signs: Mapping[str, int]) -> _Spread:
        """Of a sum of means, each with its sign."""
        rows = np.sum([sign * self._by_rows[key] for key, sign in signs.items()], axis=0)
        return _Spread(
            rows, sum(self._seeds[key].variance for key in signs),
            self._units.freedom, max(1, sum(self._seeds[key].freedom for key in signs)))


@dataclass(frozen=True)
class _Spread:
    """How far a mean may be off.

    Attributes:
        draws: ``(R,)`` what drawn rows make of it.
        by_seeds: The variance that seeds add.
        rows_freedom: Degrees of freedom of the rows' part.
        seeds_freedom: Of the seeds'.
    """

    draws: np.ndarray
    by_seeds: float
    rows_freedom: float
    seeds_freedom: float

    def ends(self) -> np.ndarray:
        """``(2,)`` the ends of the middle 95 % of what rows and seeds make of it."""
        from scipy.special import ndtri

        ends = np.quantile(self.draws, [LEVEL / 2, 1 - LEVEL / 2])
        of_seeds = np.sqrt(self.by_seeds) * ndtri(1 - LEVEL / 2)
        wide: np.ndarray = np.array([-1, 1]) * np.hypot(ends, of_seeds) if of_seeds else ends
        return wide

    def wider(self, level: float) -> float:
        """By what the ends are to be multiplied for an interval of another level."""
        from scipy.special import ndtri, stdtrit

        rows, seeds = (stdtrit(f, 1 - level / 2) for f in (self.rows_freedom, self.seeds_freedom))
        share = self.by_seeds / (self.draws.var() + self.by_seeds) if self.by_seeds else 0.0
        return float(((1 - share) * rows + share * seeds) / ndtri(1 - LEVEL / 2))


class _Units:
    """What is drawn: the rows, or groups of them.

    Attributes:
        are_groups: Whether rows were told to belong together.
        sizes: ``(G,)`` rows of each.
        count: G.
        freedom: Degrees of freedom of the spread between them: as if of equal ones, fewer where
            some are much larger than others.
    """

    def __init__(self, rows: int, groups: np.ndarray | None) -> None:
        self._of_row = None if groups is None else np.unique(groups, return_inverse=True)[1]
        self.are_groups = groups is not None
        self.sizes = self.sums(np.ones(rows))
        self.count = len(self.sizes)
        self.freedom = max(1.0, rows ** 2 / float((self.sizes ** 2).sum()) - 1)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """``(N,)`` values of rows to ``(G,)``."""
        if self._of_row is None:
            return values
        return np.bincount(self._of_row, weights=values)


@dataclass(frozen=True)
class _Seeds:
    """What is known of the seeds' part in a mean's variance.

    Attributes:
        variance: Of the mean of all seeds.
        freedom: Its degrees of freedom.
    """

    variance: float
    freedom: int


def _of_seeds(scores: np.ndarray, units: _Units) -> _Seeds:
    """The part of seeds in the variance of ``(S, N)`` scores' mean, less what chance would do.

    Seeds that only answer other rows right have unequal means too; that part, the interaction's
    mean square over the number of groups, is taken out.
    """
    seeds, rows = scores.shape
    if seeds < 2:
        return _Seeds(0.0, 0)
    by_seed = scores.mean(axis=1)
    whole = float(by_seed.var(ddof=1)) / seeds
    rest = scores - scores.mean(axis=0) - (by_seed - by_seed.mean())[:, None]
    squares = sum(float((units.sums(one) ** 2).sum()) for one in rest)
    by_chance = squares / (rows ** 2 * (seeds - 1) * seeds) * units.count / max(1, units.count - 1)
    return _Seeds(max(0.0, whole - by_chance), seeds - 1)


def _draws(
    sums: np.ndarray, sizes: np.ndarray, resamples: int, chance: np.random.Generator
) -> np.ndarray:
    """``(R, G)`` sums over groups of ``sizes`` to ``(resamples, R)`` means over drawn groups."""
    together = max(1, len(sizes) // MANY_UNITS)
    if together > 1:
        # sums of a few, taken at random, spread as these themselves do
        kept = chance.permutation(len(sizes))[:len(sizes) // together * together]
        sums = sums[:, kept].reshape(len(sums), -1, together).sum(axis=2)
        sizes = sizes[kept].reshape(-1, together).sum(axis=1)
    units = len(sizes)
    means = np.empty((resamples, len(sums)))
    size = max(1, min(resamples, CHUNK // units))
    for first in range(0, resamples, size):
        many = min(size, resamples - first)
        drawn = chance.integers(0, units, (many, units)) + units * np.arange(many)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=many * units).reshape(many, units)
        counts = counts.astype(np.float64)
        means[first:first + many] = counts @ sums.T / (counts @ sizes)[:, None]
    return means


def _interval(mean: float, spread: _Spread, level: float) -> Interval:
    # an end that is 0 but for the last bit is 0: it decides what can be told
    low, high = np.round(mean + spread.wider(level) * spread.ends(), 12)
    return Interval(mean, float(low), float(high))


def _log_odds(share: Any) -> Any:
    share = np.clip(share, 1e-12, 1 - 1e-12)
    return np.log(share / (1 - share))


def _share(log_odds: np.ndarray) -> Any:
    return 1 / (1 + np.exp(-log_odds))


def _widened(interval: Interval, margin: float) -> Interval:
    """Where no row differs there is nothing to draw from, and yet not all is known.

    None of N rows, or groups, being otherwise leaves up to 3 / N (Hanley and Lippman-Hand 1983).
    """
    return Interval(interval.mean, min(interval.low, interval.mean - margin),
                    max(interval.high, interval.mean + margin))
