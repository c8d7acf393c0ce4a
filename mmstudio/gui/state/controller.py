"""What controls a piece of heavy work: begun, held, stopped, at rest again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.heavy_work import AT_REST, HeavyWork, Work, WorkState
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.scope import Scope

ShouldStop = Callable[[], bool]


class _WorkSlot(JobSlot):
    """A job slot that tells when its work is left, as when another project opens."""

    def __init__(self, jobs: JobRunner, scope: Scope, left: Callable[[Job], None]) -> None:
        super().__init__(jobs, scope)
        self._left = left

    def cancel(self) -> Job | None:
        """Leave the job at work, if there is one, and tell so."""
        job = super().cancel()
        if job is not None:
            self._left(job)
        return job


class Controller(QObject):
    """One piece of heavy work at a time, in a job of its own. `changed` carries its state.

    The job is ended in order when the window closes, so that what it has made is kept.
    """

    changed = Signal(object)

    def __init__(
        self, work: Work, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork,
        project: ProjectStore,
    ) -> None:
        super().__init__(jobs)
        self._work = work
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project = project
        self._slot = _WorkSlot(jobs, project.scope, self._on_left)
        self.state = AT_REST

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self.state.running

    @property
    def paused(self) -> bool:
        """Whether it is held."""
        return self.state.paused

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self.state.stopping

    def pause(self, paused: bool) -> None:
        """Hold it, or let it go on."""
        if self._slot.job is not None and not self.stopping:
            self._slot.job.pause(paused)
            self._set(replace(self.state, paused=paused))

    def stop(self) -> None:
        """End it soon; what there is so far is kept."""
        if self._slot.job is not None:
            self._slot.job.stop()
            self._set(WorkState(running=True, stopping=True))

    def _claim(self, run: Path | None = None) -> None:
        """Have the machine; `changed` is to be sent when all is in place."""
        self.state = WorkState(running=True)
        self._heavy.begin(self._work, self.stop, run)

    def _run(
        self, steps: Callable[[ShouldStop], Any], done: Callable[[Any], None],
        failed: Callable[[str, str], None], events: Callable[[list[Any]], None],
    ) -> None:
        """Walk the steps in a job, once the libraries are there and the machine is free."""

        def work(should_stop: ShouldStop) -> Any:
            self._libraries.wait()
            self._heavy.wait_until_free()
            return steps(should_stop)

        self._slot.run(work, done, failed, events, low_priority=True, orderly=True, stoppable=True)

    def _rest(self) -> None:
        """Give the machine back; `changed` is to be sent when all is in place."""
        self.state = AT_REST
        self._heavy.end()

    def _on_left(self, job: Job) -> None:
        """Nobody waits for its end any more: without this, the machine would be held for good."""
        if self.running:
            self._heavy.runs_beside(job)  # its thread goes on for a while
            self._rest()
            self.changed.emit(self.state)

    def _set(self, state: WorkState) -> None:
        self.state = state
        self.changed.emit(state)
