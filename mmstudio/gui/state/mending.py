"""The session's mending of what the check found, and its undoing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from mmstudio.gui import projects
from mmstudio.gui.state.jobs import Job

if TYPE_CHECKING:
    from mmstudio.experiment import DataSettings, Experiment
    from mmstudio.gui.state.session import Session


@dataclass(frozen=True)
class Step:
    """What one mending changed: the settings and the list of rows left out as they were."""

    data: DataSettings
    merges: dict[str, dict[str, str]]
    left_out: str | None
    summary: str


class SessionMending(QObject):
    """Mends problems by kind; each mending can be taken back, the last one first."""

    def __init__(self, session: Session, after: Callable[[], None]) -> None:
        super().__init__(session)
        self._session = session
        self._after = after
        self._steps: list[Step] = []
        self._job: Job | None = None

    def forget(self) -> None:
        """Another project was opened, or other data."""
        if self._job is not None:
            self._job.cancel()
        self._job = None
        self._steps = []

    @property
    def summary(self) -> str:
        """What was mended last; "" when there is nothing to take back."""
        return self._steps[-1].summary if self._steps else ""

    def mend(self, kind: str) -> None:
        """Mend all problems of a kind that the last check found."""
        session = self._session
        experiment, folder, report = session.experiment, session.project, session.report
        if experiment is None or folder is None or report is None or self._job is not None:
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
            self._steps.append(
                Step(experiment.data, _merges(experiment), before, result.summary))
            self._change(result.experiment.data, _merges(result.experiment))

        self._start(work, done)

    def undo(self) -> None:
        """Take the last mending back."""
        folder = self._session.project
        if folder is None or not self._steps or self._job is not None:
            return
        step = self._steps[-1]

        def work() -> None:
            from mmstudio.data.left_out import FILE_NAME
            from mmstudio.data.mend import write_list

            write_list(folder / (step.data.leave_out or FILE_NAME), step.left_out)

        def done(_: object) -> None:
            self._steps.pop()
            self._change(step.data, step.merges)

        self._start(work, done)

    def _start(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        def ended(result: Any) -> None:
            self._job = None
            done(result)

        def failed(message: str, hint: str) -> None:
            self._job = None
            self._session.problem.emit(message, hint)

        self._job = self._session.start_job(work, ended, failed)

    def _change(self, data: DataSettings, merges: dict[str, dict[str, str]]) -> None:
        """Put these settings into the experiment, whatever else was edited in the meantime."""
        session = self._session
        if session.experiment is None:
            return
        targets = {
            name: replace(target, merge=merges.get(name, target.merge))
            for name, target in session.experiment.targets.items()
        }
        changed = replace(session.experiment, data=data, targets=targets)
        session.columns = projects.columns_as_used(session.columns, changed)
        session.take_experiment(changed)
        self._after()


def _merges(experiment: Experiment) -> dict[str, dict[str, str]]:
    return {name: dict(target.merge) for name, target in experiment.targets.items()}
