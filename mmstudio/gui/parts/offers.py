"""What a project that was opened offers to go on with: interrupted runs, and jobs that wait."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from mmstudio.gui.parts.cards import button
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.state.interrupted import InterruptedRuns
from mmstudio.gui.state.queue_store import Listing, QueueStore

if TYPE_CHECKING:
    from mmstudio.jobs_queue.job import Job

MOST_NAMED = 3


class InterruptedNote(NoteLine):
    """Says which runs were interrupted; `resume` has them go on."""

    def __init__(self, interrupted: InterruptedRuns, parent: QWidget | None = None) -> None:
        super().__init__("Interrupted runs", parent)
        self.resume = button(self.tr("Resume"), "mdi6.play", "primary", name="Resume")
        self.not_now = button(self.tr("Not now"), name="Not now")
        for one in (self.resume, self.not_now):
            one.clicked.connect(self.hide)
            self.add_button(one)
        interrupted.changed.connect(self._show_runs)

    def _show_runs(self, runs: list[Path]) -> None:
        if not runs:
            self.hide()
            return
        names = ", ".join(run.name for run in runs[:MOST_NAMED])
        if len(runs) == 1:
            self.show_note(self.tr("The training of {0} was interrupted.").format(names),
                           self.tr("Its last checkpoint is there: it can be resumed."), "info")
            return
        if len(runs) > MOST_NAMED:
            names = self.tr("{0} and {1} more").format(names, len(runs) - MOST_NAMED)
        self.show_note(self.tr("{0} trainings were interrupted.").format(len(runs)),
                       self.tr("They can be resumed one after another: {0}").format(names))


class WaitingNote(NoteLine):
    """Says that jobs were left in the queue; `start` has them run."""

    def __init__(self, queue: QueueStore, parent: QWidget | None = None) -> None:
        super().__init__("Waiting jobs", parent)
        self._queue = queue
        self.start = button(self.tr("Start queue"), "mdi6.play", "primary",
                            name="Start waiting jobs")
        self.not_now = button(self.tr("Not now"), name="Leave waiting jobs")
        self.start.clicked.connect(queue.start)
        for one in (self.start, self.not_now):
            one.clicked.connect(self.hide)
            self.add_button(one)
        queue.left_over.connect(self._show_jobs)
        queue.listed.connect(self._look_again)

    def _show_jobs(self, jobs: list[Job]) -> None:
        names = ", ".join(job.name for job in jobs[:MOST_NAMED])
        if len(jobs) > MOST_NAMED:
            names = self.tr("{0} and {1} more").format(names, len(jobs) - MOST_NAMED)
        text = (self.tr("1 job waits in the queue.") if len(jobs) == 1
                else self.tr("{0} jobs wait in the queue.").format(len(jobs)))
        self.show_note(text, names)

    def _look_again(self, listing: Listing) -> None:
        if self._queue.running or listing.worker or not listing.of_state("waiting", "running"):
            self.hide()
