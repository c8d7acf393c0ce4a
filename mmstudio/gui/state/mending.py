"""Mending what the check found, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.experiment import DataSettings, Experiment


@dataclass(frozen=True)
class Step:
    """What one mending changed: the settings and the list of rows left out as they were."""

    data: DataSettings
    merges: dict[str, dict[str, str]]
    left_out: str | None
    summary: str


class Mending(QObject):
    """Mends problems by kind; the data itself stays as it is.

    Each mending can be taken back, the last one first. `changed` carries what was mended last.
    """

    changed = Signal(str)

    def __init__(self, jobs: JobRunner, project: ProjectStore, check: DataCheck) -> None:
        super().__init__(jobs)
        self._project, self._check = project, check
        self._steps: list[Step] = []
        self._slot = JobSlot(jobs, project.scope)
        project.changed.connect(self._forget)

    @property
    def summary(self) -> str:
        """What was mended last, as a sentence; "" when there is nothing to take back."""
        return self._steps[-1].summary if self._steps else ""

    def mend(self, kind: str) -> None:
        """Mend all problems of a kind that the last check found."""
        experiment, folder = self._project.experiment, self._project.folder
        report = self._check.report
        if experiment is None or folder is None or report is None or self._slot.busy:
            return
        problems = [p for p in report.problems if p.kind == kind]
        if not problems:
            return

        def work() -> Any:
            from mmstudio.data.mend import mended, read_left_out

            before = read_left_out(experiment, folder)
            result = mended(experiment, folder, problems)
            result.write(folder)
            return result, before

        def done(made: Any) -> None:
            result, before = made
            step = Step(experiment.data, _merges(experiment), before, result.summary)
            after = result.experiment
            self._change([*self._steps, step], after.data, _merges(after))

        self._slot.run(work, done)

    def undo(self) -> None:
        """Take the last mending back."""
        folder = self._project.folder
        if folder is None or not self._steps or self._slot.busy:
            return
        step = self._steps[-1]

        def work() -> None:
            from mmstudio.data.excluded import FILE_NAME
            from mmstudio.data.mend import write_list

            write_list(folder / (step.data.leave_out or FILE_NAME), step.left_out)

        def done(_: object) -> None:
            self._change(self._steps[:-1], step.data, step.merges)

        self._slot.run(work, done)

    def _change(
        self, steps: list[Step], data: DataSettings, merges: dict[str, dict[str, str]]
    ) -> None:
        self._steps = steps
        self._project.change_data(data, merges)
        self.changed.emit(self.summary)
        self._check.start()

    def _forget(self) -> None:
        """Another project was opened, or other data."""
        self._slot.cancel()
        self._steps = []
        self.changed.emit("")


def _merges(experiment: Experiment) -> dict[str, dict[str, str]]:
    return {name: dict(target.merge) for name, target in experiment.targets.items()}
