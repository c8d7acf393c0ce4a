"""95 % intervals: rows, or groups of them, are drawn anew, and every figure is told of each draw.

A bootstrap of clusters (Davison and Hinkley 1997, section 3.8): the rows of one group, such as
those of one speaker, are drawn together. All figures here follow from sums over the rows, so sums
over units are drawn in place of rows: many rows, taken at random some at a time, spread as they do
by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmstudio.evaluation.figures import macro_f1, micro_f1

RESAMPLES, FEW_RESAMPLES = 1000, 200
"""Draws, and those where there are more than ``MANY_CLASSES`` labels."""
MANY_CLASSES = 100
MOST_UNITS = 1000
LEVEL = 0.05
"""How often the truth may lie outside."""
BINS = 128
"""Of scores: a precision-recall curve is drawn anew at so many thresholds."""


@dataclass(frozen=True)
class Interval:
    """The ends of a figure's 95 % interval; nan where nothing is known of it."""

    low: float
    high: float

    def to_json(self) -> list[float]:
        """As the command line prints it."""
        return [self.low, self.high]


UNKNOWN = Interval(float("nan"), float("nan"))


class Draws:
    """The same draws of rows for all figures.

    Fewer than two groups tell nothing of others: rows are then drawn by themselves. Few groups tell
    little of their own spread: intervals are wider by G / (G - 1) and by Student's t over the
    normal quantile.

    Args:
        rows: N.
        groups: ``(N,)`` whole numbers: rows that are equal in it are drawn together.
        resamples: Number of draws.
        seed: Of the draws.
    """

    def __init__(
        self, rows: int, groups: np.ndarray | None = None, *, resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> None:
        chance = np.random.default_rng(seed)
        unit = np.arange(rows)
        if groups is not None:
            found = np.unique(groups, return_inverse=True)[1].reshape(-1)
            unit = found if len(found) and found.max() > 0 else unit
        sizes = np.bincount(unit)
        self.freedom = max(1.0, rows**2 / max(1.0, float(np.square(sizes).sum())) - 1)
        if len(sizes) > MOST_UNITS:
            unit = (chance.permutation(len(sizes)) % MOST_UNITS)[unit]
        self._unit = unit
        self._order = np.argsort(unit, kind="stable")
        self._begins = np.flatnonzero(np.diff(unit[self._order], prepend=-1))
        self.units = int(unit.max(initial=0)) + 1
        self._drawn = chance.multinomial(
            self.units, np.full(self.units, 1 / self.units), resamples).astype(np.float32)

    def of_rows(self, values: np.ndarray) -> np.ndarray:
        """``(N,)`` or ``(N, K)`` values to their sums over drawn rows, ``(R,)`` or ``(R, K)``."""
        columns = values.reshape(len(values), -1)
        sums = np.add.reduceat(columns[self._order], self._begins, axis=0, dtype=np.float64)
        return (self._drawn @ sums.astype(np.float32)).astype(np.float64).reshape(
            len(self._drawn), *values.shape[1:])

    def counts(self, numbers: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
        """``(R, most)`` how many of some rows have each number, in each draw.

        Args:
            numbers: ``(n,)`` from 0 to ``most`` - 1.
            rows: ``(n,)`` the rows that have them.
            most: How many numbers there are.
        """
        sums = np.bincount(self._unit[rows] * most + numbers, minlength=self.units * most)
        return (self._drawn @ sums.reshape(self.units, most).astype(np.float32)).astype(np.float64)

    def interval(
        self, value: float, draws: np.ndarray, rows: int, *, share: bool = True
    ) -> Interval:
        """The interval of a figure.

        Args:
            value: The figure.
            draws: ``(R,)`` the same of each draw, nan where it is not defined.
            rows: How many rows it goes by.
            share: Whether it lies between 0 and 1.
        """
        from scipy.special import ndtri, stdtrit

        draws = draws[np.isfinite(draws)]
        if not np.isfinite(value) or rows == 0 or len(draws) < 2:
            return UNKNOWN
        if np.ptp(draws) == 0:
            # where no row differs nothing can be drawn, and yet not all is known: up to 3 / N
            # may be otherwise (Hanley and Lippman-Hand 1983)
            margin = 3 / min(rows, self.freedom + 1) if share else 0.0
            return Interval(max(0.0, value - margin), min(1.0, value + margin)) if share else (
                Interval(value, value))
        ends = np.quantile(draws, [LEVEL / 2, 1 - LEVEL / 2])
        wider = float(stdtrit(self.freedom, 1 - LEVEL / 2) / ndtri(1 - LEVEL / 2))
        wider *= float(np.sqrt((self.freedom + 1) / self.freedom))
        if share:
            # the nearer to an end, the less room: on the scale of log odds there is as much of it
            middle = _log_odds(np.asarray(value))
            ends = 1 / (1 + np.exp(-(middle + wider * (_log_odds(ends) - middle))))
        else:
            ends = value + wider * (ends - value)
        return Interval(min(float(ends[0]), value), max(float(ends[1]), value))


@dataclass(frozen=True)
class ClassIntervals:
    """Of each class or label, and of all together.

    Attributes:
        precision: Per class.
        recall: Per class.
        f1: Per class.
        macro_f1: As scikit-learn's ``f1_score(average="macro")``.
        micro_f1: Likewise; of single labels the accuracy.
    """

    precision: list[Interval]
    recall: list[Interval]
    f1: list[Interval]
    macro_f1: Interval
    micro_f1: Interval


def draws_for(rows: int, groups: np.ndarray | None, classes: int) -> Draws:
    """So many draws as can be told of so many classes in about a second."""
    return Draws(rows, groups,
                 resamples=RESAMPLES if classes <= MANY_CLASSES else FEW_RESAMPLES)


def class_intervals(
    draws: Draws, truth: np.ndarray, answers: np.ndarray, classes: int
) -> ClassIntervals:
    """Intervals of a classification.

    Args:
        draws: Of its N rows.
        truth: ``(N,)`` class numbers.
        answers: ``(N,)`` class numbers.
        classes: How many there are.
    """
    every, right = np.arange(len(truth)), np.flatnonzero(truth == answers)
    drawn = (draws.counts(truth[right], right, classes), draws.counts(truth, every, classes),
             draws.counts(answers, every, classes))
    found = tuple(np.bincount(n, minlength=classes) for n in (truth[right], truth, answers))
    return _of_counts(draws, found, drawn, len(truth))


def label_intervals(draws: Draws, truth: np.ndarray, answers: np.ndarray) -> ClassIntervals:
    """Intervals of label sets ``(N, C)`` bool."""
    parts = (truth & answers, truth, answers)
    return _of_counts(draws, tuple(p.sum(axis=0) for p in parts),
                      tuple(draws.of_rows(p.astype(np.float32)) for p in parts), len(truth))


def average_precision_draws(draws: Draws, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """``(R,)`` the average precision of one label in each draw; nan where no row has it.

    The scores are taken at ``BINS`` thresholds with as many rows between any two; what that does
    to the figure of all rows is taken off again by whoever knows it.

    Args:
        draws: Of the N rows.
        truth: ``(N,)`` bool.
        scores: ``(N,)``.
    """
    cuts = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(cuts, scores, side="right")
    every, most = np.arange(len(truth)), len(cuts) + 1
    counts = draws.counts(bins + most * truth, every, 2 * most)
    return _average_precision(counts[:, most:], counts[:, :most])


def binned_average_precision(truth: np.ndarray, scores: np.ndarray) -> float:
    """What ``average_precision_draws`` makes of all rows."""
    cuts = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(cuts, scores, side="right")
    hits, misses = (np.bincount(bins[rows], minlength=len(cuts) + 1)[None].astype(np.float64)
                    for rows in (truth, ~truth))
    return float(_average_precision(hits, misses)[0])


def mean_interval(
    draws: Draws, values: np.ndarray, of: Callable[[np.ndarray], np.ndarray] = np.asarray,
    *, share: bool = False,
) -> Interval:
    """The interval of a mean over rows, or of what is made of it.

    Args:
        draws: Of the N rows.
        values: ``(N,)`` of each row.
        of: Makes the figure of means, such as a root.
        share: Whether it lies between 0 and 1.
    """
    count = draws.of_rows(np.ones(len(values), np.float32))
    return draws.interval(float(of(values.mean())), of(draws.of_rows(values) / count),
                          len(values), share=share)


def r2_interval(draws: Draws, truth: np.ndarray, answers: np.ndarray) -> Interval:
    """The interval of the share of the variance that is explained; ``(N,)`` numbers each."""
    from mmstudio.evaluation.figures import r2_score

    middle = truth - truth.mean()  # sums of squares of numbers far from 0 lose their digits
    sums = draws.of_rows(np.stack(
        [np.ones(len(truth)), middle, np.square(middle), np.square(answers - truth)], axis=1))
    total = sums[:, 2] - np.square(sums[:, 1]) / sums[:, 0]
    drawn = 1 - np.divide(sums[:, 3], total, out=np.full(len(total), np.nan), where=total > 0)
    return draws.interval(r2_score(truth, answers), drawn, len(truth), share=False)


def _of_counts(
    draws: Draws, found: tuple[np.ndarray, ...], drawn: tuple[np.ndarray, ...], rows: int
) -> ClassIntervals:
    """From counts of hits, support and answered, ``(C,)`` and of each draw ``(R, C)``."""
    hits, support, answered = found
    sums, many, taken = drawn
    both = ((hits, answered, sums, taken), (hits, support, sums, many),
            (2 * hits, support + answered, 2 * sums, many + taken))
    each = [[draws.interval(part[c] / whole[c] if whole[c] else float("nan"),
                            _ratio(parts[:, c], wholes[:, c]), int(whole[c]))
             for c in range(len(hits))] for part, whole, parts, wholes in both]
    precision, recall, f1 = each
    return ClassIntervals(
        precision, recall, f1,
        draws.interval(float(macro_f1(*found)), macro_f1(*drawn), rows),
        draws.interval(float(micro_f1(*found)), micro_f1(*drawn), rows))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.full(len(whole), np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found


def _average_precision(hits: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """``(R,)`` from counts ``(R, B)`` per bin of scores, rising."""
    gained = hits[:, ::-1]
    found = gained.cumsum(axis=1)
    taken = found + misses[:, ::-1].cumsum(axis=1)
    precision = np.divide(found, taken, out=np.zeros(taken.shape), where=taken > 0)
    return _ratio((gained * precision).sum(axis=1), found[:, -1])


def _log_odds(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(share / (1 - share)))
