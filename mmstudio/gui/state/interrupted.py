"""Runs of the open project that a kill or a power cut has ended, and that can go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.training.run_summary import RunSummary


class InterruptedRuns(QObject):
    """Looked for once when a project opens.

    A run that another process trains right now is none of them, nor one that the queue or a
    comparison goes on with by itself. `changed` carries their folders.

    Attributes:
        runs: Their folders.
    """

    changed = Signal(list)

    def __init__(self, jobs: JobRunner, project: ProjectStore, runs: RunsStore) -> None:
        super().__init__(jobs)
        self._project = project
        self._look = JobSlot(jobs, project.scope)
        self._folder: Path | None = None
        self._fresh = False
        self.runs: list[Path] = []
        project.changed.connect(self._on_project)
        runs.changed.connect(self._on_listed)

    def _on_project(self, folder: Path | None) -> None:
        if folder != self._folder:
            self._folder, self._fresh = folder, True
            self._take([])

    def _on_listed(self, listed: list[RunSummary]) -> None:
        folder, runs = self._project.folder, list(listed)
        if folder is None or not self._fresh:
            return
        self._fresh = False

        def work() -> list[Path]:
            from mmstudio.comparison.folder import FOLDER
            from mmstudio.jobs_queue.folder import JobsQueue
            from mmstudio.jobs_queue.in_use import writes
            from mmstudio.training.run_list import interrupted_of

            waiting = [job for job in JobsQueue(folder).jobs() if not job.is_over]
            compared = tuple(f"{path.name}." for path in (folder / FOLDER).glob("*"))
            return [run.path for run in interrupted_of(runs)
                    if not any(writes(job, run.name) for job in waiting)
                    and not run.name.startswith(compared)]

        self._look.run(work, self._take, lambda *_: self._take([]))

    def _take(self, runs: list[Path]) -> None:
        self.runs = runs
        self.changed.emit(runs)
