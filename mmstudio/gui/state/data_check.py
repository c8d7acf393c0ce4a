"""The check of all of the project's data: what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.heavy_work import HeavyWork, Work
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.data.checks import Report
    from mmstudio.data.prepare import Progress
    from mmstudio.data.table import Table

AUTOMATIC_ROWS = 2000
"""Projects up to this many rows are checked when they are opened."""


class DataCheck(QObject):
    """Checks the data in the background. `changed` carries the report, None while there is none.

    Attributes:
        progress: How far it is; None where nothing is being checked.
        report: What was found.
    """

    changed = Signal(object)

    def __init__(self, jobs: JobRunner, heavy: HeavyWork, project: ProjectStore) -> None:
        super().__init__(jobs)
        self._jobs, self._project = jobs, project
        self.progress: Progress | None = None
        self.report: Report | None = None
        self._slot = JobSlot(jobs, project.scope)
        project.changed.connect(self._on_project)
        project.usable.connect(self._on_usable)
        heavy.changed.connect(self._on_heavy_work)

    @property
    def running(self) -> bool:
        """Whether the data is being checked; no longer, once there is a report."""
        return self._slot.busy and self.report is None

    def start(self) -> None:
        """Read all data in the background and list what is wrong with it."""
        experiment, folder = self._project.experiment, self._project.folder
        if experiment is None or folder is None:
            return
        self.report = None

        def work() -> Iterator[Any]:
            from mmstudio.data.checks import check

            yield from check(experiment, folder)

        self._slot.run(work, self._on_checked, self._on_failed, self._on_events, low_priority=True)
        self._tell()

    def stop(self) -> None:
        """Leave the check off."""
        if self._slot.cancel() is not None:
            self._on_checked(None)

    def _on_project(self) -> None:
        self._slot.cancel()
        self.progress = self.report = None
        self._tell()

    def _on_usable(self, table: Table | None) -> None:
        if table is not None and len(table) <= AUTOMATIC_ROWS:
            self.start()

    def _on_heavy_work(self, work: Work | None) -> None:
        if work is not None:
            self.stop()  # the two would only slow each other down

    def _on_events(self, events: list[Any]) -> None:
        from mmstudio.data.checks import Report

        last = events[-1]
        if isinstance(last, Report):
            self.report = last
        else:
            self.progress = last
        self._tell()

    def _on_checked(self, _: object) -> None:
        self.progress = None
        self._tell()

    def _on_failed(self, message: str, hint: str) -> None:
        self._on_checked(None)
        self._jobs.problem.emit(message, hint)

    def _tell(self) -> None:
        self.changed.emit(self.report)
