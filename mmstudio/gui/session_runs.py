"""The session's runs: the list of them, opening, comparing and deleting one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from mmstudio.gui import loading
from mmstudio.gui.jobs import Job

if TYPE_CHECKING:
    from mmstudio.gui.session import Session
    from mmstudio.training.history import RunHistory
    from mmstudio.training.run_folder import RunSummary


class SessionRuns(QObject):
    """Keeps the session's `runs`, and its `history` and `shown_run` where an old one is opened."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._list_job: Job | None = None

    def refresh(self) -> None:
        """List the project's runs anew."""
        project = self._session.project
        if project is None:
            return
        if self._list_job is not None:
            self._list_job.cancel()

        def work() -> Any:
            from mmstudio.training.run_folder import list_runs

            return list_runs(project)

        def done(runs: list[RunSummary]) -> None:
            self._list_job = None
            self._session.runs = runs
            self._session.runs_changed.emit()

        self._list_job = self._session.start_job(work, done)

    def open(self, run: Path) -> None:
        """Show a run's curves and load its model."""
        session = self._session
        if session.training:
            session.problem.emit(
                self.tr("A model is being trained."),
                self.tr("Its curves are on show until it ends. Stop it to open another run."),
            )
            return

        def work() -> Any:
            from mmstudio.training.run_folder import RunFolder

            return RunFolder(run).history()

        def done(history: RunHistory) -> None:
            if session.training:
                return
            session.history, session.shown_run = history, run
            session.run_opened.emit()

        session.start_job(work, done)
        if loading.has_model(run):
            session.load_model(run)

    def read_histories(
        self, runs: Sequence[Path], done: Callable[[dict[Path, RunHistory]], None]
    ) -> Job:
        """Read several runs' curves, for laying them over each other."""
        paths = list(runs)

        def work() -> dict[Path, RunHistory]:
            import pyqtgraph  # noqa: F401  (slow; the plots that follow need it)

            from mmstudio.training.run_folder import RunFolder

            return {path: RunFolder(path).history() for path in paths}

        return self._session.start_job(work, done)

    def delete(self, run: Path) -> None:
        """Move a run's folder to the trash."""
        session = self._session
        in_training = session.shown_run if session.training else session.comparing.run_in_training
        if run == in_training:
            session.problem.emit(
                self.tr("This run is being trained."), self.tr("Stop it before you delete it.")
            )
            return
        if run == session.predictor_run:
            session.forget_model()
        if run == session.shown_run:
            session.history = session.shown_run = None
            session.run_opened.emit()
        session.start_job(lambda: loading.move_to_trash(run), lambda _: self.refresh())
