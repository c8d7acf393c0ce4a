"""The session's runs: the list of them, opening, comparing and deleting one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from mmstudio.gui.state import loading
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job

if TYPE_CHECKING:
    from mmstudio.gui.state.session import Session
    from mmstudio.training.history import RunHistory
    from mmstudio.training.run_folder import RunSummary

Stamp = frozenset[tuple[str, int, int]]
"""What tells a list of runs from another: its files, their times of change and sizes."""


def stamp_of(project: Path) -> Stamp:
    """The runs of a project as they are now, without reading them."""
    found = set()
    try:
        for run in os.scandir(project / "runs"):
            for name in ("experiment.toml", "events.jsonl"):
                with contextlib.suppress(OSError):
                    state = os.stat(os.path.join(run.path, name))
                    found.add((f"{run.name}/{name}", state.st_mtime_ns, state.st_size))
    except OSError:
        return frozenset()  # none yet
    return frozenset(found)


class SessionRuns(QObject):
    """Keeps the session's `runs`, and its `history` and `shown_run` where an old one is opened."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._list, self._look, self._open = (
            JobSlot(session.start_job, session.project_scope) for _ in range(3))
        self._opening: Path | None = None
        self._listed: Stamp | None = None
        session.run_started.connect(self._open.cancel)  # its own curves are shown

    def refresh(self) -> None:
        """List the project's runs anew."""
        project = self._session.project
        if project is None:
            return
        self._look.cancel()

        def work() -> Any:
            from mmstudio.training.run_folder import list_runs

            listed = stamp_of(project)  # first: what comes meanwhile is then seen as new
            return listed, list_runs(project)

        def done(result: tuple[Stamp, list[RunSummary]]) -> None:
            self._listed, self._session.runs = result
            self._session.runs_changed.emit()

        self._list.run(work, done)

    def look_again(self) -> None:
        """List the runs anew where the command line, say, has changed them since."""
        session, project = self._session, self._session.project
        if project is None or self._list.busy or self._look.busy:
            return
        if session.training or session.comparing.running:
            return  # its own run grows all the time, and is listed when it has ended

        def done(found: Stamp) -> None:
            if found != self._listed:
                self.refresh()

        def failed(message: str, hint: str) -> None:
            pass  # nobody asked: the list stays as it is

        self._look.run(lambda: stamp_of(project), done, failed)

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

            return RunFolder.existing(run).history()

        def done(history: RunHistory) -> None:
            session.history, session.shown_run = history, run
            session.run_opened.emit()

        self._opening = run
        self._open.run(work, done)
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
        session.forget_run(run)
        if run == self._opening:
            self._open.cancel()
        if run == session.shown_run:
            session.history = session.shown_run = None
            session.run_opened.emit()
        session.start_job(lambda: loading.move_to_trash(run), lambda _: self.refresh())
