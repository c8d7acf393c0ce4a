"""Taking a run away: exports and reports, made in jobs, one at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.page_pdf import print_pdf
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.export.exporting import Exported
    from mmstudio.gui.dialogs.export_dialog import ExportChoices


class TakeAway(QObject):
    """Makes what leaves the app; a newer wish takes the place of one at work.

    Signals:
        progressed: What is being done, how much of it, of how many.
        exported: Carries the `Exported`.
        reported: Carries the page's path.
        failed: A message and a hint.
        stopped: Nothing is being made any more, and nothing was left behind.
    """

    progressed = Signal(str, int, int)
    exported = Signal(object)
    reported = Signal(object)
    failed = Signal(str, str)
    stopped = Signal()

    def __init__(self, jobs: JobRunner, libraries: Libraries, project: ProjectStore) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries = jobs, libraries
        self._job = JobSlot(jobs, project.scope)
        project.changed.connect(lambda _: self.stopped.emit())

    @property
    def busy(self) -> bool:
        """Whether something is being made."""
        return self._job.busy

    def export(self, run: Path, folder: Path, *, choices: ExportChoices) -> None:
        """Export a run's model.

        Args:
            run: The run folder.
            folder: A new one.
            choices: How.
        """

        def work() -> Generator[Any, None, Exported | None]:
            self._libraries.wait()
            from mmstudio.export.exporting import Exported, export

            found = None
            for step in export(run, folder, **asdict(choices)):
                if isinstance(step, Exported):
                    found = step
                else:
                    yield step
            return found

        self._begin(work, self.exported.emit)

    def report(self, run: Path, path: Path) -> None:
        """Write a run up as one page, or as PDF where the path ends so.

        Its test rows are looked at, as by an evaluation.
        """

        def work() -> Generator[Any, None, Path | None]:
            self._libraries.wait()
            from mmstudio.data.prepare import Progress
            from mmstudio.report.report import Report, report_of, write_report

            page = None
            for step in report_of(run):
                if isinstance(step, Report):
                    if path.suffix.lower() != ".pdf":
                        page = write_report(path, step)
                        continue
                    yield Progress("Printing the report", 0, 1)
                    with tempfile.TemporaryDirectory() as beside:
                        print_pdf(write_report(Path(beside) / "report.html", step), path)
                    page = path
                else:
                    yield step
            return page

        self._begin(work, self.reported.emit)

    def stop(self) -> None:
        """Leave it off."""
        self._job.cancel()
        self.stopped.emit()

    def _begin(self, work: Any, done: Any) -> None:
        if self._jobs.closed:
            return
        self.progressed.emit(self.tr("Beginning"), 0, 0)
        self._job.run(work, done, self.failed.emit, self._tell, low_priority=True)

    def _tell(self, steps: list[Any]) -> None:
        last = steps[-1]
        self.progressed.emit(last.message, last.done, last.total)
