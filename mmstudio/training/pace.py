"""Threads, number format and memory layout of a training: measured on its own steps.

Processor flags say what a machine can do, not what is fast on it; and what is fast changes with
what else the machine does: threads wait for each other at the end of every operation, so one that
another program keeps from its core holds up all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mmstudio.training.events import Tuned
from mmstudio.training.trial import Setting, Trial

if TYPE_CHECKING:
    from mmstudio.data.batches import Batch

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
LAYOUT_S = 0.6
"""What a trial of the memory layout takes, unless two rounds take longer."""
DRIFT = 0.1
"""What a step adds to the usual time of a step."""


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


class Pace:
    """Chooses how a run's steps are made, and follows the machine's load from then on.

    The format is chosen once, by the first trial, and the memory layout by a short one behind it:
    all ways of both would be many to try. The number of threads is measured again when
    steps leave their band for a second, and looked at from time to time: a machine that became
    quiet does not tell by itself that more threads would be faster now.

    Args:
        settings: What may be taken; with one there is nothing to measure.
        layouts: Besides that of the settings, those that are tried.
        apply: Has the steps made in a way; called whenever that changes.
        hopeful: Asked before steps are tried with more threads than the fewest: whether these can
            be the faster at this moment. A busy machine may hold up a single step for seconds.
        keep: Is given the first choice, for the next run of this kind.
        clock: Seconds.
        own_clock: Seconds that this thread spent on the processor.
    """

    def __init__(
        self, settings: Sequence[Setting], apply: Callable[[Setting], None], *,
        layouts: Sequence[str] = (),
        keep: Callable[[Tuned], None] = lambda _: None,
        hopeful: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.perf_counter,
        own_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.setting = settings[0]
        """What steps are made with, or, in a first trial, what would be taken untried."""
        self.lost_s = 0.0
        """What trials took longer than their steps would have with the fastest setting."""
        self._all = list(settings)
        self._apply = apply
        self._applied: Setting | None = None
        self._keep, self._hopeful = keep, hopeful
        self._clock, self._own_clock = clock, own_clock
        self._fewest = min(s.threads for s in settings)
        self._layouts = tuple(layouts)
        self._first: dict[Setting, float] | None = None
        """What the first trial found, while the layout is tried."""
        self._due = len(settings) > 1 or bool(layouts)
        """Whether the next step begins a trial."""
        self._trial: Trial | None = None
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
        """Whether format and layout are chosen, for the rest of the run."""
        return len({s.precision for s in self._all}) == 1 and not self._layouts

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
        began, own = self._clock(), self._own_clock()
        yield
        self._end(max(1e-9, self._clock() - began), self._own_clock() - own, work)

    def told(self) -> list[Tuned]:
        """What was chosen since it was asked last."""
        told, self._told = self._told, []
        return told

    def _begin(self) -> None:
        if self._due:
            self._try()
        if self._look is None and self._trial is None and self._clock() >= self._look_at:
            if self._other().threads == self._fewest or self._hopeful():
                self._look = []
            else:
                self._wait(True)
        if self._trial is not None:
            self._make(self._trial.setting)
        else:
            self._make(self.setting if self._look is None else self._other())

    def _make(self, wanted: Setting) -> None:
        if wanted != self._applied:
            self._apply(wanted)
            self._applied = wanted

    def _end(self, seconds: float, own_s: float, work: float) -> None:
        per_work = seconds / work
        if self._trial is not None:
            self._trial.note(seconds, per_work, own_s)
            if self._trial.done:
                self.lost_s += self._trial.lost_s(min(self._trial.times().values()))
                self._choose(self._trial.fastest(), self._trial.times())
        elif self._look is not None:
            self._look.append((seconds, per_work))
            if len(self._look) == 2 or per_work > 1.5 * self._usual:
                self._judge(self._look)
        elif len(self._all) > 1:
            self._watch(seconds, per_work)

    def _choose(self, setting: Setting, times: dict[Setting, float]) -> None:
        """Take a setting from now on; ``times`` holds those of a trial, if there was one."""
        if self._layouts and self._first is None:
            self._first = times
            others = [dataclasses.replace(setting, layout=layout) for layout in self._layouts]
            self._trial = Trial([setting, *others], LAYOUT_S)
            return
        if self._first is not None:
            times, self._first, self._layouts = self._first | times, None, ()
        before, self.setting = self.setting, setting
        self._all = [dataclasses.replace(s, layout=setting.layout) for s in self._all
                     if s.precision == setting.precision]
        # a step in a trial takes longer, if anything: it was slowed by the taking of turns
        self._usual, self._steady = times.get(setting, float("inf")), []
        if self._reason == "start" or self.setting != before:
            tuned = Tuned(self.setting.threads, self.setting.precision,
                          {str(s): round(t, 6) for s, t in times.items()}, self._reason,
                          self.setting.layout)
            self._told.append(tuned)
            if self._reason == "start" and times:
                self._keep(tuned)
        self._trial, self._outside_s, self._outside_steps = None, 0.0, 0
        self._wait(self.setting == before and self._reason == "load")
        self._reason = "load"

    def _watch(self, seconds: float, per_work: float) -> None:
        """Look whether the steps still take their usual time."""
        if len(self._steady) < OUTSIDE_STEPS:
            self._steady.append(per_work)
            self._usual = min(self._usual, statistics.median(self._steady))
        if BAND[0] * self._usual <= per_work <= BAND[1] * self._usual:
            self._outside_s, self._outside_steps = 0.0, 0
            self._usual += DRIFT * (per_work - self._usual)
            return
        self._outside_s += seconds
        self._outside_steps += 1
        if self._outside_s >= OUTSIDE_S and self._outside_steps >= OUTSIDE_STEPS:
            self._due = True

    def _judge(self, look: list[tuple[float, float]]) -> None:
        """Two steps with another number of threads: a trial, where they were as fast."""
        lost_s = sum(s for s, _ in look) - sum(s * self._usual / p for s, p in look)
        better = min(p for _, p in look) < self._usual
        self._look = None
        self._next_look += 1
        if better:
            self._due = True
        else:
            self._wait(True, PRICE * lost_s)

    def _try(self) -> None:
        """Begin a trial of all that may be the fastest; there may be but one such."""
        self._due = False
        line = [self.setting, *(s for s in self._all if s != self.setting)]
        if any(s.threads > self._fewest for s in line) and not self._hopeful():
            line = [s for s in line if s.threads == self._fewest]
        if len(line) > 1:
            self._trial = Trial(line)
        else:
            self._choose(line[0], {})

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
