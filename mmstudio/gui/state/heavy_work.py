"""What heavy work runs: one at a time, with the machine to itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QObject, QThread, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.jobs import Job


@dataclass(frozen=True)
class Work:
    """A kind of heavy work.

    Attributes:
        page: Where it is shown and can be stopped; "" in the queue's panel.
        sentence: Says that it runs.
        kept: Says what is there after it was stopped.
    """

    page: str
    sentence: str
    kept: str

    @property
    def now(self) -> str:
        """"A model is being trained." in the language of the window."""
        return QCoreApplication.translate("HeavyWork", self.sentence)

    @property
    def after(self) -> str:
        """"The best model so far is kept." in the language of the window."""
        return QCoreApplication.translate("HeavyWork", self.kept)


TRAINING = Work(
    "Train", str(QT_TRANSLATE_NOOP("HeavyWork", "A model is being trained.")),
    str(QT_TRANSLATE_NOOP("HeavyWork", "The best model so far is kept.")))
COMPARISON = Work(
    "Compare", str(QT_TRANSLATE_NOOP("HeavyWork", "A comparison is running.")),
    str(QT_TRANSLATE_NOOP("HeavyWork", "It can be resumed later.")))
SEARCH = Work(
    "Search", str(QT_TRANSLATE_NOOP("HeavyWork", "A search for better settings is running.")),
    str(QT_TRANSLATE_NOOP("HeavyWork", "It can be resumed later.")))


QUEUE = Work(
    "", str(QT_TRANSLATE_NOOP("HeavyWork", "The queue is running.")),
    str(QT_TRANSLATE_NOOP("HeavyWork", "The running job then waits, and continues later.")))


@dataclass(frozen=True)
class WorkState:
    """How far a piece of work is under somebody's control.

    Attributes:
        running: It is at work.
        paused: It is held.
        stopping: It was asked to end at once.
        ending: It was asked to end after the epoch at hand.
    """

    running: bool = False
    paused: bool = False
    stopping: bool = False
    ending: bool = False


AT_REST = WorkState()


class HeavyWork(QObject):
    """The one guard of the machine: says what runs, refuses what can't run beside it.

    `changed` carries the work that runs now, None where there is none. It is sent before the work
    begins, so that what runs in the background can step aside.

    Attributes:
        running: The work that runs, None where there is none.
        run: The run folder that it writes now, None where that isn't known.
        opening: What project is on its way, in words; no heavy work begins beside it. "" otherwise.
    """

    changed = Signal(object)

    def __init__(self, jobs: JobRunner) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self._stop: Callable[[], None] | None = None
        self._beside: list[Job] = []
        self.running: Work | None = None
        self.run: Path | None = None
        self.opening = ""

    def refused(self, advice: str = "", *, beside_opening: bool = False) -> bool:
        """Whether something else must wait, which is said in the banner.

        Args:
            advice: What helps; the usual advice when "".
            beside_opening: It may go on while a project is on its way.
        """
        if self.running is None:
            if not self.opening or beside_opening:
                return False
            self._jobs.problem.emit(self.opening, self.tr("Wait until that is done."))
            return True
        hint = advice or (
            self.tr("Wait until it ends, or stop it on the {0} page. {1}").format(
                self.running.page, self.running.after) if self.running.page
            else self.tr("Add to it, or stop it first. {0}").format(self.running.after))
        self._jobs.problem.emit(self.running.now, hint)
        return True

    def begin(self, work: Work, stop: Callable[[], None], run: Path | None = None) -> None:
        """Have the machine for a piece of work that may run, as `refused` says; `stop` ends it."""
        self.running, self.run, self._stop = work, run, stop
        self.changed.emit(work)

    def opens(self, text: str) -> None:
        """Note what project is on its way, in words; "" when it is there."""
        self.opening = text

    def writes(self, run: Path | None) -> None:
        """Note which run folder is being written."""
        self.run = run

    def end(self) -> None:
        """Give the machine back."""
        self.running = self.run = self._stop = None
        self.changed.emit(None)

    def stop(self) -> None:
        """Ask what runs to end soon; `changed` tells when it has."""
        if self._stop is not None:
            self._stop()

    def runs_beside(self, job: Job) -> None:
        """Note a job in the background that is left off when heavy work begins."""
        self._beside = [other for other in self._beside if not other.over] + [job]

    def wait_until_free(self) -> None:
        """Block a job's thread until the jobs in the background that were left off have ended."""
        me = QThread.currentThread()
        for job in list(self._beside):
            if job == me:
                return  # it was left itself; those after it wait for it
            job.wait()
