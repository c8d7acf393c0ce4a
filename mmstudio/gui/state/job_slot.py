"""Places for jobs of a kind: one at a time, and none outlives what it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mmstudio.gui.state.jobs import Job


class StartJob(Protocol):
    """``Session.start_job``: makes a job that reports on the GUI thread."""

    def __call__(
        self, work: Callable[[], Any], done: Callable[[Any], None],
        failed: Callable[[str, str], None] | None = None,
        events: Callable[[list[Any]], None] | None = None, *, low_priority: bool = False,
        begin: bool = True,
    ) -> Job:
        """See ``Session.start_job``."""
        ...


class Scope:
    """What jobs are asked for: the app, the open project, the model on the Test page.

    When it closes, all that was asked for in it is cancelled: no answer arrives late.
    """

    def __init__(self) -> None:
        self._slots: list[JobSlot] = []

    def add(self, slot: JobSlot) -> None:
        """Have a slot closed with it."""
        self._slots.append(slot)

    def close(self) -> None:
        """Cancel the jobs in all of its slots; others may be started in them at once."""
        for slot in self._slots:
            slot.cancel()


class JobSlot:
    """A place for one job of a kind.

    Args:
        start: Makes a job; ``Session.start_job``.
        scope: Closes with what the jobs are asked for.
    """

    def __init__(self, start: StartJob, scope: Scope) -> None:
        self._start = start
        self._job: Job | None = None
        scope.add(self)

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return self._job is not None

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str, str], None] | None = None,
        events: Callable[[list[Any]], None] | None = None,
        *,
        low_priority: bool = False,
    ) -> Job:
        """Start a job in place of the one at work, whose answer never arrives.

        The slot is free again when ``done`` or ``failed`` is called.

        Args:
            work: As for a ``Job``.
            done: Takes the result.
            failed: Takes a message and a hint; the window's banner when None.
            events: Takes what a generator yields, in lists.
            low_priority: A long job: let the window, and all else, go first.
        """
        self.cancel()

        def free_then(call: Callable[..., None]) -> Callable[..., None]:
            def called(*answer: Any) -> None:
                self._job = None
                call(*answer)
            return called

        job = self._start(work, free_then(done), None if failed is None else free_then(failed),
                          events, low_priority=low_priority, begin=False)
        if failed is None:
            job.failed.connect(self._free)
        self._job = job
        job.begin()
        return job

    def cancel(self, *, orderly: bool = False) -> Job | None:
        """Leave the job at work, if there is one, which is given back.

        Args:
            orderly: Walk its generator to the end, which asks ``should_stop``.
        """
        job, self._job = self._job, None
        if job is not None:
            job.cancel(orderly=orderly)
        return job

    def _free(self, *_: object) -> None:
        self._job = None
