"""How many threads a training takes, and which number format: measured on its own steps.

Processor flags say what a machine can do, not what is fast on it; and what is fast changes with
what else the machine does: threads wait for each other at the end of every operation, so one that
another program keeps from its core holds up all.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmstudio.training.events import Tuned

if TYPE_CHECKING:
    from mmstudio.data.batches import Batch

BUDGET_S, MOST_S = 1.5, 8.0
"""A trial ends when it took so long and has two rounds, or so long and has one."""
MOST_ROUNDS = 12
FAR = 1.3
"""A setting whose steps take so many times the fastest's is tried no more."""
ALIKE = 1.04
"""Settings that are this close count as equal: then the one with fewer threads is taken."""
BAND = (0.7, 1.35)
"""Of the usual time of a step: what lies outside is another load, or chance."""
OUTSIDE_S, OUTSIDE_STEPS = 1.0, 3
"""For so long, and so many steps, all steps must lie outside before it is measured again."""
FIRST_S, LONGEST_S = 5.0, 60.0
"""The least and the greatest time between two looks at another number of threads."""
RISE = 2.0
"""What that time is multiplied with while the looks change nothing."""
PRICE = 30.0
"""A look that cost a second more than usual is not followed by another before so many seconds."""
DRIFT = 0.1
"""What a step adds to the usual time of a step."""


@dataclass(frozen=True)
class Setting:
    """How a step is made: torch's threads, and the number format of the layers by its name."""

    threads: int
    precision: str

    def __str__(self) -> str:
        """In words: ``2 threads, float32``."""
        return f"{self.threads} thread{'' if self.threads == 1 else 's'}, {self.precision}"


class Work:
    """How much work batches are, compared with each other: sounds and texts differ in length.

    Args:
        batch_size: Of the training; a batch of less than half of it, as the last of an epoch may
            be, says little of the others.
    """

    def __init__(self, batch_size: int) -> None:
        self._least = batch_size / 2
        self._usual: dict[str, float] = {}

    def of(self, batch: Batch) -> float:
        """The work of a batch, 1 for a usual one; 0 where it says too little."""
        if len(batch) < self._least:
            return 0.0
        shares = []
        for name, item in batch.inputs.items():
            size = float(item.values.numel())
            usual = self._usual.setdefault(name, size)
            self._usual[name] += DRIFT * (size - usual)
            shares.append(size / usual)
        return statistics.fmean(shares)


class Trial:
    """Steps with each of some settings in turn, until it is clear which is the fastest.

    They take turns, so that a machine that is slower for a moment is slower for all. A first round
    does not count: kernels are set up in it, and sleeping threads woken.

    Args:
        settings: What is tried, in this order.
    """

    def __init__(self, settings: Sequence[Setting]) -> None:
        self._left = list(settings)
        self._line = list(settings)
        self._rounds = -1
        self._spent_s = self._work = 0.0
        self._seconds: dict[Setting, list[float]] = {s: [] for s in settings}

    @property
    def setting(self) -> Setting:
        """What the next step is made with."""
        return self._line[0]

    def note(self, seconds: float, per_work: float) -> None:
        """A step with that setting is over.

        Args:
            seconds: That it took.
            per_work: These, over how much work it was.
        """
        self._spent_s += seconds
        self._work += seconds / per_work
        setting = self._line.pop(0)
        if self._rounds >= 0:
            self._seconds[setting].append(per_work)
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
        return {s: statistics.median(times) for s, times in self._seconds.items() if times}

    def fastest(self) -> Setting:
        """The setting to take: nearly equal ones by fewer threads, then float32."""
        times = self.times()
        least = min(times.values())
        return min((s for s, t in times.items() if t <= ALIKE * least),
                   key=lambda s: (s.threads, s.precision != "float32", times[s]))

    def _end_round(self) -> None:
        self._rounds += 1
        if self._rounds:
            times = self.times()
            least = min(times[s] for s in self._left)
            self._left = [s for s in self._left if times[s] <= FAR * least]
        enough = (len(self._left) < 2 or self._rounds >= MOST_ROUNDS
                  or (self._rounds >= 2 and self._spent_s >= BUDGET_S)
                  or (self._rounds >= 1 and self._spent_s >= MOST_S))
        self._left.reverse()  # or one of two would always meet the epoch's last batch
        self._line = [] if enough else list(self._left)


class Pace:
    """Chooses how a run's steps are made, and follows the machine's load from then on.

    The format is chosen once, by the first trial. The number of threads is measured again when
    steps leave their band for a second, and looked at from time to time: a machine that became
    quiet does not tell by itself that more threads would be faster now.

    Args:
        settings: What may be taken; with one there is nothing to measure.
        apply: Has the steps made in a way; called whenever that changes.
        keep: Is given the first choice, for the next run of this kind.
        clock: Seconds.
    """

    def __init__(
        self, settings: Sequence[Setting], apply: Callable[[Setting], None], *,
        keep: Callable[[Tuned], None] = lambda _: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.setting = settings[0]
        """What steps are made with, or, in a first trial, what would be taken untried."""
        self.lost_s = 0.0
        """What the first trial took longer than its steps take now."""
        self._all = list(settings)
        self._apply = apply
        self._applied: Setting | None = None
        self._keep, self._clock = keep, clock
        self._trial = Trial(settings) if len(settings) > 1 else None
        self._reason = "start"
        self._usual = 0.0
        self._steady: list[float] = []
        self._outside_s, self._outside_steps = 0.0, 0
        self._look: list[tuple[float, float]] | None = None
        self._next_look = 0
        self._pause_s, self._look_at = FIRST_S, float("inf")
        self._told: list[Tuned] = []

    @property
    def settled(self) -> bool:
        """Whether the format is chosen, for the rest of the run."""
        return len({s.precision for s in self._all}) == 1

    @contextlib.contextmanager
    def step(self, work: float = 1.0) -> Iterator[None]:
        """Time what is done inside as a step.

        Args:
            work: How much it is, as a multiple of a usual step; 0 is not to be timed.
        """
        if work <= 0:
            self._make(self.setting)
            yield
            return
        self._begin()
        began = self._clock()
        yield
        self._end(self._clock() - began, work)

    def told(self) -> list[Tuned]:
        """What was chosen since it was asked last."""
        told, self._told = self._told, []
        return told

    def _begin(self) -> None:
        wanted = self.setting
        if self._trial is not None:
            wanted = self._trial.setting
        elif self._look is not None or self._clock() >= self._look_at:
            self._look = [] if self._look is None else self._look
            wanted = self._other()
        self._make(wanted)

    def _make(self, wanted: Setting) -> None:
        if wanted != self._applied:
            self._apply(wanted)
            self._applied = wanted

    def _end(self, seconds: float, work: float) -> None:
        per_work = seconds / work
        if self._trial is not None:
            self._trial.note(seconds, per_work)
            if self._trial.done:
                self._choose(self._trial)
        elif self._look is not None:
            self._look.append((seconds, per_work))
            if len(self._look) == 2 or per_work > 1.5 * self._usual:
                self._judge(self._look)
        elif len(self._all) > 1:
            self._watch(seconds, per_work)

    def _choose(self, trial: Trial) -> None:
        before, times = self.setting, trial.times()
        self.setting = trial.fastest()
        self._all = [s for s in self._all if s.precision == self.setting.precision]
        self._usual, self._steady = times[self.setting], []
        if self._reason == "start" or self.setting != before:
            tuned = Tuned(self.setting.threads, self.setting.precision,
                          {str(s): round(t, 6) for s, t in times.items()}, self._reason)
            self._told.append(tuned)
            if self._reason == "start":
                self.lost_s = trial.lost_s(self._usual)
                self._keep(tuned)
        self._trial, self._outside_s, self._outside_steps = None, 0.0, 0
        self._wait(self.setting == before and self._reason == "load")
        self._reason = "load"

    def _watch(self, seconds: float, per_work: float) -> None:
        """Look whether the steps still take their usual time."""
        if len(self._steady) < OUTSIDE_STEPS:
            # not that of the trial, whose steps were slowed by the taking of turns
            self._steady.append(per_work)
            self._usual = statistics.median(self._steady)
            return
        if BAND[0] * self._usual <= per_work <= BAND[1] * self._usual:
            self._outside_s, self._outside_steps = 0.0, 0
            self._usual += DRIFT * (per_work - self._usual)
            return
        self._outside_s += seconds
        self._outside_steps += 1
        if self._outside_s >= OUTSIDE_S and self._outside_steps >= OUTSIDE_STEPS:
            self._try()

    def _judge(self, look: list[tuple[float, float]]) -> None:
        """Two steps with another number of threads: a trial, where they were as fast."""
        lost_s = sum(s for s, _ in look) - sum(s * self._usual / p for s, p in look)
        better = min(p for _, p in look) < self._usual
        self._look = None
        self._next_look += 1
        if better:
            self._try()
        else:
            self._wait(True, PRICE * lost_s)

    def _try(self) -> None:
        others = [s for s in self._all if s != self.setting]
        self._trial = Trial([self.setting, *others])

    def _wait(self, unchanged: bool, least_s: float = 0.0) -> None:
        """Look at another number of threads again, the later the oftener nothing came of it."""
        if len(self._all) < 2:
            self._look_at = float("inf")
            return
        self._pause_s = min(LONGEST_S, RISE * self._pause_s) if unchanged else FIRST_S
        self._look_at = self._clock() + max(self._pause_s, min(least_s, LONGEST_S))

    def _other(self) -> Setting:
        others = [s for s in self._all if s != self.setting]
        return others[self._next_look % len(others)]
