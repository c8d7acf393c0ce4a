"""Says on the desktop that something long has ended, while nobody looks at the window."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication

from mmstudio.gui.state.comparison import ComparisonController
from mmstudio.gui.state.queue_store import Listing, QueueStore
from mmstudio.gui.state.search_store import SearchController
from mmstudio.gui.state.training import TrainingController

if TYPE_CHECKING:
    from mmstudio.jobs_queue.runner import QueueEvent

LONG_S = 10.0
"""What takes less is not worth a word."""


def nobody_looks() -> bool:
    """Whether another program is in front."""
    return QGuiApplication.applicationState() != Qt.ApplicationState.ApplicationActive


class Notifier(QObject):
    """Tells of the end of trainings, searches and the like; not of what somebody has stopped.

    Args:
        training: Tells of its ends.
        comparing: Likewise.
        queue: Likewise.
        searching: Likewise.
        switched_on: Whether the user wants it.
        show: Shows a title and a text.
        away: Whether nobody looks at the window.
        clock: Seconds.
    """

    def __init__(
        self, training: TrainingController, comparing: ComparisonController, queue: QueueStore,
        searching: SearchController, switched_on: bool, show: Callable[[str, str], None],
        away: Callable[[], bool] = nobody_looks, clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(training)
        self._training, self._comparing, self._queue = training, comparing, queue
        self._switched_on, self._show, self._away, self._clock = switched_on, show, away, clock
        self._began_s = {"training": 0.0, "comparison": 0.0, "job": 0.0, "search": 0.0}
        self._problem = ""
        self._compared = self._queued = self._comparison_stopped = self._queue_ended = False
        self._searching, self._searched, self._search_stopped = searching, False, False
        training.started.connect(self._on_started)
        training.failed.connect(self._on_failed)
        training.ended.connect(self._on_ended)
        comparing.changed.connect(self._on_comparing)
        comparing.ended.connect(self._on_compared)
        queue.job_changed.connect(self._on_job)
        queue.changed.connect(self._on_queue)
        queue.listed.connect(self._on_listed)
        searching.changed.connect(self._on_search)

    def switch(self, on: bool) -> None:
        """Tell from now on, or no more."""
        self._switched_on = on

    def _tell(self, what: str, title: str, text: str) -> None:
        long = self._clock() - self._began_s[what] >= LONG_S
        if self._switched_on and long and self._away():
            self._show(title, text)

    def _on_started(self) -> None:
        self._began_s["training"] = self._clock()
        self._problem = ""

    def _on_failed(self, message: str, hint: str) -> None:
        self._problem = message

    def _on_ended(self, reason: str) -> None:
        run = self._training.run
        name = "" if run is None else run.name
        if reason == "failed":
            self._tell("training", self.tr("Training failed"), f"{name}: {self._problem}")
        elif reason != "stopped":
            self._tell("training", self.tr("Training finished"), name)

    def _on_comparing(self) -> None:
        if self._comparing.running and not self._compared:
            self._began_s["comparison"] = self._clock()
            self._comparison_stopped = False
        self._compared = self._comparing.running
        self._comparison_stopped |= self._comparing.stopping

    def _on_compared(self) -> None:
        failure, name = self._comparing.failure, self._comparing.shown
        if failure is not None:
            self._tell("comparison", self.tr("Comparison failed"), f"{name}: {failure[0]}")
        elif not self._comparison_stopped:
            self._tell("comparison", self.tr("Comparison finished"), name)

    def _on_search(self) -> None:
        searching = self._searching
        if searching.running:
            if not self._searched:
                self._began_s["search"] = self._clock()
                self._search_stopped = False
            self._search_stopped |= searching.stopping
        elif self._searched:
            if searching.failure is not None:
                self._tell("search", self.tr("Search failed"),
                           f"{searching.shown}: {searching.failure[0]}")
            elif not self._search_stopped:
                self._tell("search", self.tr("Search finished"), searching.shown)
        self._searched = searching.running

    def _on_job(self, event: QueueEvent) -> None:
        job = event.job
        if event.event == "job_started":
            self._began_s["job"] = self._clock()
        elif job.state == "failed":
            self._tell("job", self.tr("A job of the queue failed"), f"{job.name}: {job.message}")
        elif job.state == "done":
            self._tell("job", self.tr("A job of the queue is done"), job.name)

    def _on_queue(self) -> None:
        self._queue_ended = not self._queue.running and (self._queued or self._queue_ended)
        self._queued = self._queue.running

    def _on_listed(self, listing: Listing) -> None:
        """Of what waits for its owner, once nothing else is to be done.

        When the queue ends, the listing at hand still has its last job as under way.
        """
        if not self._queue_ended:
            return
        self._queue_ended = False
        held = listing.of_state("held")
        if held and not listing.of_state("waiting", "running"):
            names = ", ".join(job.name for job in held)
            self._tell("job", self.tr("The queue waits for you"),
                       self.tr("On hold: {0}").format(names))
