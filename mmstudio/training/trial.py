"""Ways of making a step, and which of them is the fastest: tried by turns, on real steps."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from mmstudio.training.memory_layout import USUAL_LAYOUT

BUDGET_S, MOST_S = 1.5, 8.0
"""A trial ends when it took so long and has two rounds, or so long and has one."""
MOST_ROUNDS = 12
FAR = 1.3
"""A setting whose steps take so many times the fastest's is tried no more."""
HOPELESS, HOPELESS_S = 3.0, 1.0
"""One whose step takes so many times the fastest's, and so long, is left off at once, and with it
all that have as many threads or more."""
ALIKE = 1.04
"""Settings that are this close count as equal: then the one with fewer threads is taken."""


@dataclass(frozen=True)
class Setting:
    """How a step is made: torch's threads, the number format of the layers, the memory's layout."""

    threads: int
    precision: str
    layout: str = USUAL_LAYOUT

    def __str__(self) -> str:
        """In words: ``2 threads, float32``; a layout that is not the usual one stands behind."""
        layout = "" if self.layout == USUAL_LAYOUT else f", {self.layout}"
        return f"{self.threads} thread{'' if self.threads == 1 else 's'}, {self.precision}{layout}"


class Trial:
    """Steps with each of some settings in turn, until it is clear which is the fastest.

    They take turns, so that a machine that is slower for a moment is slower for all. A first round
    does not count: kernels are set up in it, and sleeping threads woken. Among settings of one
    thread the time on the processor decides: that a step was interrupted says nothing of it.

    Args:
        settings: What is tried, in this order.
        budget_s: It ends when it took so long and has two rounds.
    """

    def __init__(self, settings: Sequence[Setting], budget_s: float = BUDGET_S) -> None:
        self._budget_s = budget_s
        self._left = list(settings)
        self._line = list(settings)
        self._rounds = -1
        self._spent_s = self._work = 0.0
        self._least = float("inf")
        self._seconds: dict[Setting, list[float]] = {s: [] for s in settings}
        self._own: dict[Setting, list[float]] = {s: [] for s in settings}

    @property
    def setting(self) -> Setting:
        """What the next step is made with."""
        return self._line[0]

    def note(self, seconds: float, per_work: float, own_s: float) -> None:
        """A step with that setting is over.

        Args:
            seconds: That it took.
            per_work: These, over how much work it was.
            own_s: That its thread spent on the processor.
        """
        self._spent_s += seconds
        self._work += seconds / per_work
        setting = self._line.pop(0)
        if self._rounds >= 0:
            self._count(setting, per_work, own_s * per_work / seconds)
        self._least = min(self._least, per_work)
        if (per_work > HOPELESS * self._least and seconds > HOPELESS_S
                and setting.threads > min(s.threads for s in self._left)):
            self._left = [s for s in self._left if s.threads < setting.threads]
            self._line = [s for s in self._line if s in self._left]
        if not self._line:
            self._end_round()

    @property
    def done(self) -> bool:
        """Whether it is clear."""
        return not self._line

    def lost_s(self, usual: float) -> float:
        """How much longer its steps took than so many of the usual time."""
        return max(0.0, self._spent_s - self._work * usual)

    def times(self) -> dict[Setting, float]:
        """Per setting that was tried the usual time of a step."""
        found = {s: statistics.median(times) for s, times in self._seconds.items() if times}
        alone = [s for s in found if s.threads == 1]
        own = sum(sum(self._own[s]) for s in alone)
        if own > 0:
            stretch = sum(sum(self._seconds[s]) for s in alone) / own
            found |= {s: statistics.median(self._own[s]) * stretch for s in alone}
        return found

    def fastest(self) -> Setting:
        """The setting to take: nearly equal ones by fewer threads, then as usual."""
        times = self.times()
        least = min(times.values())
        return min((s for s, t in times.items() if t <= ALIKE * least),
                   key=lambda s: (s.threads, s.precision != "float32",
                                  s.layout != USUAL_LAYOUT, times[s]))

    def _count(self, setting: Setting, per_work: float, own: float) -> None:
        self._seconds[setting].append(per_work)
        self._own[setting].append(own)

    def _end_round(self) -> None:
        self._rounds += 1
        if self._rounds:
            times = self.times()
            least = min(times[s] for s in self._left)
            self._left = [s for s in self._left if times[s] <= FAR * least]
        elif len(self._left) == 1:
            self._count(self._left[0], self._least, self._least)  # all others were hopeless
        enough = (len(self._left) < 2 or self._rounds >= MOST_ROUNDS
                  or (self._rounds >= 2 and self._spent_s >= self._budget_s)
                  or (self._rounds >= 1 and self._spent_s >= MOST_S))
        self._left.reverse()  # or one of two would always meet the epoch's last batch
        self._line = [] if enough else list(self._left)
