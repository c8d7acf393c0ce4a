"""How long the epochs take, and how many of them a training with a time limit can make."""

from __future__ import annotations

import time

from mmstudio.training.events import Shortened
from mmstudio.training.step import Run

KEPT_BACK = 0.15
"""Of a training's time, for what follows its last epoch."""


class Timing:
    """Measures the epochs of one training.

    Args:
        run: What is trained, before its first epoch here.
        limit_s: How long the training may take; None has no limit.
        epochs: Planned.

    Attributes:
        epochs: Planned now.
    """

    def __init__(self, run: Run, limit_s: float | None, epochs: int) -> None:
        self._run, self._limit_s = run, limit_s
        self._first = run.epoch
        self.epochs = epochs
        self._began, self._total_s = time.perf_counter(), 0.0

    def begin(self) -> None:
        """An epoch begins, or goes on from where a process before this one has left it."""
        before = 0.0 if self._run.within is None else float(self._run.within.get("seconds", 0.0))
        self._began = time.perf_counter() - before
        self._first = min(self._first, self._run.epoch)

    def trained(self) -> float:
        """The epoch's steps are done: their seconds."""
        return time.perf_counter() - self._began

    def shortened(self) -> Shortened | None:
        """The epoch is over, its validation too; what the first one says of the others.

        The learning rate then falls in as many epochs as the time allows.
        """
        run = self._run
        self._total_s += time.perf_counter() - self._began
        if self._limit_s is None or run.epoch != self._first + 1:
            return None
        first_s = self._total_s - run.pace.lost_s
        left_s = self._limit_s * (1 - KEPT_BACK) - (time.perf_counter() - run.began)
        allowed = run.epoch + max(1, int(left_s / first_s))
        if run.ranks is not None:
            allowed = int(run.ranks.first_says(allowed))
        if allowed >= self.epochs:
            return None
        run.falling.shorten(run.falling.steps * allowed // self.epochs, run.step)
        self.epochs = allowed
        return Shortened(allowed, self._limit_s / 60)

    def remaining_s(self) -> float:
        """What the epochs that are left will take."""
        done = self._run.epoch - self._first
        return self._total_s / done * (self.epochs - self._run.epoch)
