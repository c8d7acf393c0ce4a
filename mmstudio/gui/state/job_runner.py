"""Who starts the window's jobs, keeps them until they have ended, and shows what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, Unpack

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.jobs import Job, LatestFirst, while_it_lives
from mmstudio.gui.state.scope import Scope


class How(TypedDict, total=False):
    """How a job is done; see `Job`."""

    low_priority: bool
    orderly: bool
    stoppable: bool


class JobRunner(QObject):
    """Starts jobs on the GUI thread. `problem` carries a message and a hint for the banner.

    Attributes:
        closed: Whether the window has ended; no job can begin any more.
        scope: Of what is asked for as long as the app lives.
    """

    problem = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.closed = False
        self.scope = Scope()
        self._jobs: set[Job] = set()
        self._small_things: LatestFirst | None = None

    def start(
        self,
        work: Callable[..., Any],
        done: Callable[[Any], None],
        failed: Callable[[str, str], None] | None = None,
        events: Callable[[list[Any]], None] | None = None,
        *,
        begin: bool = True,
        **how: Unpack[How],
    ) -> Job:
        """Run `work` in a thread of its own and hand its result to `done`, on the GUI thread.

        Nothing is handed to a method of a widget that was deleted meanwhile.

        Args:
            work: A callable, or one that gives a generator.
            done: Takes the result.
            failed: Takes a message and a hint; the window's banner when None.
            events: Takes what a generator yields, in lists.
            begin: Start at once.
            how: See `Job`.
        """
        job = Job(work, **how)
        job.result.connect(while_it_lives(done))
        job.failed.connect(while_it_lives(failed or self.problem.emit))
        if events is not None:
            job.events.connect(while_it_lives(events))
        self._jobs.add(job)
        job.finished.connect(self._forget_finished)
        if self.closed:
            job.cancel()  # nobody would wait for its thread: it can't be begun any more
        return job.begin() if begin else job

    @property
    def small_things(self) -> LatestFirst:
        """The thread that makes thumbnails."""
        if self._small_things is None:
            self._small_things = LatestFirst(self)
        return self._small_things

    @property
    def all_over(self) -> bool:
        """Whether no job is at work, and each has handed over its answer."""
        return all(job.over for job in self._jobs)

    def close(self) -> None:
        """Begin no job any more, and ask all to end."""
        self.closed = True
        for job in self._jobs:
            job.cancel()

    def wait(self) -> None:
        """Wait until all threads have ended; call `close` first."""
        for job in list(self._jobs):
            job.wait()
        if self._small_things is not None:
            self._small_things.end()

    def _forget_finished(self) -> None:
        # A QThread that is deleted before its thread has ended aborts the process.
        for job in [job for job in self._jobs if job.over]:
            self._jobs.discard(job)
