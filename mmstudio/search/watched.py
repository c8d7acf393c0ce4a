"""The figures of a trial while it trains, and when it has fallen behind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mmstudio.search.study import TENTHS
from mmstudio.training.events import EpochDone, RunEvent, Shortened, Started

if TYPE_CHECKING:
    from optuna import Trial


class Watched:
    """The figures of a trial while it trains.

    Attributes:
        best: The best validation figure so far; nan before the first.
        pruned: Whether the trial has fallen behind the others.
        reports: Per tenth of its training the best figure till then.
        unlabelled: The targets of which the validation knows no figure.
    """

    def __init__(self, target: str | None, trial: Trial | None = None) -> None:
        self.best, self.pruned = math.nan, False
        self.reports: dict[int, float] = {}
        self.unlabelled: set[str] = set()
        self._target, self._trial = target, trial
        self._main: dict[str, str] = {}
        self._epochs = 0

    def take(self, event: RunEvent) -> None:
        """Take an event of its training in."""
        if isinstance(event, Started):
            self._epochs = event.epochs
            self._main = dict(event.tasks)
        elif isinstance(event, Shortened):
            self._epochs = event.epochs
        elif isinstance(event, EpochDone):
            each = {t: _known(event.validation.get(t, {}).get(figure))
                    for t, figure in self._main.items()}
            self.unlabelled = {t for t, figure in each.items() if math.isnan(figure)}
            counted = [max(-1.0, figure) for t, figure in each.items()
                       if self._target in (None, t) and not math.isnan(figure)]
            if counted:
                mean = sum(counted) / len(counted)
                self.best = mean if math.isnan(self.best) else max(self.best, mean)
            self._report(event.epoch)

    def _report(self, epoch: int) -> None:
        tenth = TENTHS * epoch // max(1, self._epochs)
        if math.isnan(self.best) or tenth >= TENTHS or tenth <= max(self.reports, default=0):
            return
        self.reports[tenth] = self.best
        if self._trial is not None:
            self._trial.report(self.best, tenth)
            self.pruned = bool(self._trial.should_prune())


def _known(figure: float | None) -> float:
    return math.nan if figure is None else figure  # the log holds null for nan
