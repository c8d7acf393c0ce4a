"""The time of a search: what is spent, what is left, and how many finals fit in that."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mmstudio.search.study import TrialRecord

Timed = TypeVar("Timed")
EXPLORING = 0.5
"""Of a search's time, for its trials; the rest is for the finals."""
LEAST_MINUTES = 0.1
FINAL_TO_TRIAL = 1.5
"""How much longer than a trial a final is taken to last before one was measured: it fits quick
models too, and its answers are scored."""
LEAST_FINALS = 2
"""Two are needed for a contest: time for them is held back from the trials."""
SCORING_SHARE = 0.1
"""Of the finals' time, for the look at the test rows, before that was measured."""


class Stopwatch:
    """Counts the time in which a generator works: none while nobody asks for its next event.

    Args:
        now: A clock in seconds.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or time.perf_counter
        self._total, self._began = 0.0, math.nan

    @property
    def seconds(self) -> float:
        """So far, what is under way included."""
        return self._total + (0.0 if math.isnan(self._began) else self._now() - self._began)

    def timed(self, events: Iterator[Timed]) -> Iterator[Timed]:
        """The same events."""
        while True:
            self._began = self._now()
            try:
                event = next(events)
            except StopIteration:
                return
            finally:
                self._total, self._began = self.seconds, math.nan
            yield event


class SearchClock:
    """What is left of a search's minutes.

    Trials of several processes count together; what this process does besides counts too.

    Args:
        minutes: Of the whole search; None has no end.
        spent_s: What went into it before this process began.
        now: A clock in seconds.
    """

    def __init__(
        self, minutes: float | None, spent_s: float = 0.0,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.now = now
        self.limit_s = math.inf if minutes is None else 60 * minutes
        self._spent_s, self._watch = spent_s, Stopwatch(now)

    def timed(self, events: Iterator[Timed]) -> Iterator[Timed]:
        """The search's events, their time counted."""
        return self._watch.timed(events)

    def left_s(self, trials: Sequence[TrialRecord] = ()) -> float:
        """Seconds left of the whole search.

        Args:
            trials: Those that are over, other processes' too.
        """
        together = sum(t.seconds for t in trials)
        return self.limit_s - max(together, self._spent_s + self._watch.seconds)

    def over_after(self, seconds: float) -> Callable[[], bool]:
        """Says whether so many seconds have passed from now on, pauses left out."""
        end = self._watch.seconds + seconds
        return lambda: self._watch.seconds > end

    def for_trials_s(self, trials: Sequence[TrialRecord], least: bool = False) -> float:
        """Seconds left for trials, the finals' time held back.

        Args:
            trials: Those that are over.
            least: Hold back no more than what the fewest finals need, none longer than a trial.
        """
        if math.isinf(self.limit_s):
            return math.inf
        finals_s = LEAST_FINALS * typical_s(trials)
        if not least:
            finals_s = max(FINAL_TO_TRIAL * finals_s, (1 - EXPLORING) * self.limit_s)
        return self.left_s(trials) - finals_s


def typical_s(trials: Sequence[TrialRecord]) -> float:
    """How long a whole trial takes, seconds; 0 before the first.

    The experiment as it was counts only while it is alone, and without what came before its first
    step: it decoded the data, which the others find decoded.
    """
    whole = [t for t in trials if t.state == "done"]
    lasting = [t.seconds for t in whole if not t.is_baseline] or [
        t.seconds - t.prepared_s for t in whole]
    return statistics.median(lasting) if lasting else 0.0


@dataclass(frozen=True)
class FinalsPlan:
    """How many finals there are.

    Attributes:
        finalists: How many trials are trained again.
        seeds: How often each.
        each_s: Seconds for one of these trainings and its scoring, if all take as long.
    """

    finalists: int
    seeds: int
    each_s: float


def finals_that_fit(
    left_s: float, final_s: float, finalists: int, seeds: int
) -> FinalsPlan | None:
    """The most finals that fit in a time; rather more finalists than more seeds of fewer.

    Args:
        left_s: Seconds that there are.
        final_s: How long one lasts at least.
        finalists: How many at most.
        seeds: How many at most.

    Returns:
        None where not even two (of one finalist, one) fit.
    """
    ways = [(f, s) for f in range(min(LEAST_FINALS, finalists), finalists + 1)
            for s in range(1, seeds + 1)]
    for f, s in sorted(ways, key=lambda way: (way[0] * way[1], way[0]), reverse=True):
        if f * s * final_s <= left_s:
            return FinalsPlan(f, s, left_s / (f * s))
    return None
