"""How far a comparison is: what the screen and the command line show."""

from __future__ import annotations

from mmstudio.comparison.events import (
    ComparedRunStarted,
    ComparisonEvent,
    ComparisonFinished,
    ComparisonStarted,
    RankingChanged,
    RunFailed,
    RunScored,
    RunTold,
)
from mmstudio.comparison.figure import Figure
from mmstudio.comparison.ranking import Ranking
from mmstudio.training.history import RunHistory


class ComparisonProgress:
    """Keeps what the events told.

    Attributes:
        figure: What the scores are.
        done: Runs scored or failed, of ``total``.
        number: Of the run in training, from 1.
        run, title: Its folder's name and its contestant's title.
        history: Its own events.
        ranking: The last one told; None before the first.
        failures: Messages of the runs that failed.
    """

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.done = self.total = self.number = 0
        self.run = self.title = ""
        self.seed = 0
        self.history = RunHistory()
        self.ranking: Ranking | None = None
        self.failures: list[RunFailed] = []
        self.finished: ComparisonFinished | None = None
        self._seconds: list[float] = []

    def apply(self, event: ComparisonEvent) -> None:
        """Take in one event."""
        if isinstance(event, RunTold):
            self.history.apply(event.told)
        elif isinstance(event, ComparisonStarted):
            self.done, self.total = event.done, event.total
        elif isinstance(event, ComparedRunStarted):
            self.run, self.title, self.seed = event.run, event.title, event.seed
            self.number, self.history = event.number, RunHistory()
        elif isinstance(event, RunScored):
            self.done += 1
            self._seconds.append(event.seconds)
        elif isinstance(event, RunFailed):
            self.done += 1
            self.failures.append(event)
        elif isinstance(event, RankingChanged):
            self.ranking = event.ranking
        elif isinstance(event, ComparisonFinished):
            self.finished = event

    def share(self) -> float:
        """Share of the runs that is done, 0 to 1, the one in training by its epochs."""
        if self.total == 0:
            return 0.0
        if self.finished is not None and self.finished.reason == "completed":
            return 1.0
        going = self.history.progress() if self.history.started is not None else 0.0
        return min(1.0, (self.done + (going if going < 1 else 0.0)) / self.total)

    def remaining_s(self) -> float | None:
        """Seconds left: as long as a run took so far, and what is left of this one.

        None before there is anything to go by.
        """
        left = self.history.remaining_s()
        usual = self._usual_s()
        if usual is None or self.total == 0:
            return None
        waiting = max(0, self.total - self.done - 1)
        return waiting * usual + (min(left, usual) if left is not None else usual)

    def _usual_s(self) -> float | None:
        """Of the runs in the ranking, else of this one as planned."""
        if self.ranking is not None and self.ranking.standings:
            known = self.ranking.standings
            return sum(s.seconds * s.runs for s in known) / sum(s.runs for s in known)
        if self._seconds:
            return sum(self._seconds) / len(self._seconds)
        last, started = self.history.last_epoch, self.history.started
        if last is None or started is None:
            return None
        return last.seconds * started.epochs
