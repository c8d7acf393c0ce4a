"""Places for jobs of a kind: one at a time, and none outlives what it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from PySide6.QtCore import QObject

from mmstudio.gui.state.job_runner import How, JobRunner
from mmstudio.gui.state.jobs import Job, while_it_lives
from mmstudio.gui.state.scope import Scope

Done = Callable[[Any], None]
Failed = Callable[[str, str], None]


class JobSlot:
    """A place for one job of a kind; a newer one takes the place of the older.

    Args:
        jobs: Starts them.
        scope: Closes with what the jobs are asked for.
    """

    def __init__(self, jobs: JobRunner, scope: Scope) -> None:
        self._jobs = jobs
        self.job: Job | None = None
        scope.add(self)

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return self.job is not None

    def run(
        self,
        work: Callable[..., Any],
        done: Done,
        failed: Failed | None = None,
        events: Callable[[list[Any]], None] | None = None,
        **how: Unpack[How],
    ) -> Job:
        """Start a job in place of the one at work, whose answer never arrives.

        The slot is free again when ``done`` or ``failed`` is called.

        Args:
            work: As for a ``Job``.
            done: Takes the result.
            failed: Takes a message and a hint; the window's banner when None.
            events: Takes what a generator yields, in lists.
            how: As for a ``Job``.
        """
        self.cancel()

        def free_then(call: Callable[..., None]) -> Callable[..., None]:
            call = while_it_lives(call)

            def called(*answer: Any) -> None:
                self.job = None
                call(*answer)
            return called

        job = self._jobs.start(work, free_then(done), free_then(failed or self._jobs.problem.emit),
                               events, begin=False, **how)
        self.job = job
        job.begin()
        return job

    def cancel(self) -> Job | None:
        """Leave the job at work, if there is one, which is given back."""
        job, self.job = self.job, None
        if job is not None:
            job.cancel()
        return job


class LatestSlot(QObject):
    """A place for questions: one at a time, and of those asked meanwhile only the latest.

    An answer to an older question never arrives; the latest is asked when its thread has ended.
    """

    def __init__(self, jobs: JobRunner, scope: Scope) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self._job: Job | None = None
        self._next: tuple[Callable[[], Any], Done, Failed] | None = None
        scope.add(self)

    def ask(self, work: Callable[[], Any], done: Done, failed: Failed) -> None:
        """Ask now, or as soon as the older question has ended."""
        self._next = (work, done, failed)
        if self._job is None:
            self._ask_next()
        else:
            self._job.cancel()

    def cancel(self) -> None:
        """Neither wait for an answer nor ask what waits."""
        if self._job is not None:
            self._job.cancel()
        self._job = self._next = None

    def _ask_next(self) -> None:
        question, self._next = self._next, None
        if question is None or self._jobs.closed:
            return
        job = self._jobs.start(*question, begin=False)
        job.finished.connect(self._on_ended)
        self._job = job
        job.begin()

    def _on_ended(self) -> None:
        if self._job is not None and not self._job.isFinished():
            return  # the end of an older question that nobody waits for
        self._job = None
        self._ask_next()
