"""How far a search is, and what it has tried: what the screen shows, from events or a folder."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmstudio.search.clock import EXPLORING
from mmstudio.search.events import (
    FinalFailed,
    FinalStarted,
    SearchEvent,
    SearchFinished,
    SearchStarted,
    SearchTold,
    TrialEnded,
    TrialStarted,
)
from mmstudio.search.folder import FOLDER, SearchFolder, SearchPlan
from mmstudio.search.space import Dimension, Value
from mmstudio.training.history import RunHistory

RUNNING = "running"


@dataclass(frozen=True)
class TrialLine:
    """A trial on the screen.

    Attributes:
        number: From 0, which is the experiment as it was.
        values: Per key that varies its value.
        state: ``running``, ``done``, ``pruned`` or ``failed``.
        figure: Of the validation rows, more is better; nan where there is none.
        seconds: How long it took; nan while it runs.
        message: Why it failed.
    """

    number: int
    values: Mapping[str, Value]
    state: str
    figure: float = math.nan
    seconds: float = math.nan
    message: str = ""


@dataclass(frozen=True)
class SearchSummary:
    """A search in a list."""

    name: str
    is_complete: bool
    trials: int


@dataclass(frozen=True)
class SearchView:
    """A search as its folder tells it.

    Attributes:
        plan: What it began with.
        trials: Those that are over.
        importance: Per key what share of the differences it explains; empty before enough trials.
        result: What was found, as ``result.json`` has it; None before the end.
    """

    plan: SearchPlan
    trials: tuple[TrialLine, ...] = ()
    importance: Mapping[str, float] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None


def list_searches(project: Path) -> list[SearchSummary]:
    """The searches of a project, the one begun last first."""
    found = sorted((Path(project) / FOLDER).glob("*/search.json"),
                   key=lambda path: (path.stat().st_mtime, path), reverse=True)
    return [SearchSummary(path.parent.name, (path.parent / "result.json").is_file(),
                          sum(1 for _ in (path.parent / "trials").glob("*/experiment.toml")))
            for path in found]


def read_search(files: SearchFolder) -> SearchView:
    """Read what a search has tried and found.

    Raises:
        UserError: Its files are damaged, or Optuna is not installed.
    """
    from mmstudio.search.study import Study

    plan = files.plan()
    study = Study(files, plan.experiment.training.seed)
    trials = tuple(TrialLine(t.number, t.values, t.state, t.figure, t.seconds)
                   for t in study.trials())
    return SearchView(plan, trials, study.importances(), files.result())


class SearchProgress:
    """Keeps what the events of a search told.

    Attributes:
        trials: By their number.
        history: Of the training that goes on.
        final: The final that is trained now; None before.
        failed_finals: Those that could not be trained.
        finished: The last event; None before it.
    """

    def __init__(self, trials: Sequence[TrialLine] = ()) -> None:
        self.trials = {trial.number: trial for trial in trials}
        self.started: SearchStarted | None = None
        self.history = RunHistory()
        self.final: FinalStarted | None = None
        self.failed_finals: list[FinalFailed] = []
        self.finished: SearchFinished | None = None
        self._left: tuple[float, float] | None = None
        self._held: float | None = None

    def apply(self, event: SearchEvent) -> None:
        """Take in one event."""
        if isinstance(event, SearchTold):
            self.history.apply(event.told)
        elif isinstance(event, SearchStarted):
            self.started = event
        elif isinstance(event, TrialStarted):
            self.trials[event.trial] = TrialLine(event.trial, event.values, RUNNING)
            self.history = RunHistory()
            if event.remaining_s is not None:
                self._left = (event.remaining_s, time.monotonic())
        elif isinstance(event, TrialEnded):
            trial = self.trials.get(event.trial, TrialLine(event.trial, {}, event.state))
            self.trials[event.trial] = replace(
                trial, state=event.state, figure=event.figure, seconds=event.seconds,
                message=event.message)
        elif isinstance(event, FinalStarted):
            self.final, self.history = event, RunHistory()
            if event.remaining_s is not None:
                self._left = (event.remaining_s, time.monotonic())
        elif isinstance(event, FinalFailed):
            self.failed_finals.append(event)
        elif isinstance(event, SearchFinished):
            self.finished = event
            self.drop_running()

    def drop_running(self) -> None:
        """Forget the trial that was under way: nothing of it counts."""
        self.trials = {n: t for n, t in self.trials.items() if t.state != RUNNING}

    def hold(self, held: bool) -> None:
        """Note that it is held, or goes on: the time left stands still meanwhile."""
        if held:
            self._held = time.monotonic()
        elif self._held is not None:
            if self._left is not None:
                self._left = (self._left[0], self._left[1] + time.monotonic() - self._held)
            self._held = None

    @property
    def current(self) -> TrialLine | None:
        """The trial that is trained now."""
        if self.final is not None or self.finished is not None:
            return None
        return next((t for t in reversed(self.trials.values()) if t.state == RUNNING), None)

    def ended(self) -> int:
        """How many trials are over."""
        return sum(trial.state != RUNNING for trial in self.trials.values())

    def remaining_s(self) -> float | None:
        """Seconds left of the whole; None where only the trials are counted."""
        minutes = self.started.minutes if self.started is not None else None
        if minutes is None:
            return None
        if self._left is None:
            return 60 * minutes
        finals = 60 * minutes * (1 - EXPLORING) if self.final is None else 0.0
        left_then, then = self._left
        now = time.monotonic() if self._held is None else self._held
        return max(0.0, left_then - (now - then)) + finals

    def share(self) -> float:
        """Share of the search that is done, 0 to 1."""
        if self.finished is not None and self.finished.reason == "completed":
            return 1.0
        if self.started is None:
            return 0.0
        left = self.remaining_s()
        if left is not None and self.started.minutes is not None:
            return min(1.0, max(0.0, 1 - left / (60 * self.started.minutes)))
        if self.final is not None:
            return EXPLORING + (1 - EXPLORING) * (self.final.number - 1) / self.final.total
        return EXPLORING * min(1.0, self.ended() / max(1, self.started.trials or 1))


def best_so_far(trials: Sequence[TrialLine]) -> list[tuple[int, float]]:
    """Per trial that has a figure its number and the best figure up to it."""
    found: list[tuple[int, float]] = []
    best = -math.inf
    for trial in sorted(trials, key=lambda t: t.number):
        if not math.isnan(trial.figure):
            best = max(best, trial.figure)
            found.append((trial.number, best))
    return found


def place_of(dimension: Dimension, value: Value | None) -> float | None:
    """Where a value lies on its axis, 0 to 1, on the scale that is searched; None where unknown."""
    if value is None:
        return None
    if dimension.choices:
        if value not in dimension.choices:
            return None
        last = len(dimension.choices) - 1
        return dimension.choices.index(value) / last if last else 0.5
    if not isinstance(value, int | float) or dimension.high <= dimension.low:
        return None
    low, high, at = dimension.low, dimension.high, float(value)
    if dimension.log and low > 0 and at > 0:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return min(1.0, max(0.0, (at - low) / (high - low)))


def value_text(value: Value | None) -> str:
    """A value as it is read: "0.0021", "gated", "on"."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
