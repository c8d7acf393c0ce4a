"""The cross-validation that the selected runs are folds of, read in a job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import LatestSlot
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.evaluation.cross_validation.figures import FoldsShown


class FoldsStore(QObject):
    """Reads a cross-validation's figures.

    Signals:
        changed: Carries a `FoldsShown`, None where the runs are not of one cross-validation.

    Attributes:
        shown: What was last read.
    """

    changed = Signal(object)

    def __init__(self, jobs: JobRunner, project: ProjectStore) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self._reading = LatestSlot(jobs, project.scope)
        self.shown: FoldsShown | None = None
        project.changed.connect(lambda _: self.show_runs([]))

    def show_runs(self, runs: Sequence[Path]) -> None:
        """Look which cross-validation these runs are folds of."""
        names = {run.name.rpartition(".fold")[0] for run in runs}
        if len(names) != 1 or "" in names:
            self._reading.cancel()
            self._publish(None)
            return
        first = runs[0]

        def work() -> FoldsShown | None:
            from mmstudio.evaluation.cross_validation.figures import folds_of_run, read_folds

            files = folds_of_run(first)
            return None if files is None else read_folds(files)

        def failed(message: str, hint: str) -> None:
            self._publish(None)
            self._jobs.problem.emit(message, hint)

        self._reading.ask(work, self._publish, failed)

    def _publish(self, shown: FoldsShown | None) -> None:
        if shown != self.shown:
            self.shown = shown
            self.changed.emit(shown)
