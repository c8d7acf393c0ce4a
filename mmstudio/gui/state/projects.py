"""The session's way to another project: opening, making and closing one, importing data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from mmstudio.errors import UserError
from mmstudio.gui import projects
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.own_components import (
    ComponentFile,
    component_files,
    load_components,
    trust,
    untrusted_of,
)

if TYPE_CHECKING:
    from mmstudio.data.new_project import Proposal
    from mmstudio.gui.state.session import Session

Wanted = Callable[[], bool]
SAMPLE_NAME = "Digits seen, heard and read"


class SessionProjects(QObject):
    """Reads projects in a job and hands them to the session; not while a model is trained."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._opening = JobSlot(session.start_job, session.app_scope)
        self._asked = 0
        self._path: Path | None = None
        self._declined: set[str] = set()

    def open_sample(self) -> None:
        """Write the sample project where there is none yet, and open it."""

        def work(wanted: Wanted) -> projects.Opened:
            from mmstudio.data.demo import write_demo

            folder = projects.projects_dir() / SAMPLE_NAME
            if not (folder / projects.EXPERIMENT_FILE).is_file():
                folder = projects.free_folder(folder)
                write_demo(folder)
            return projects.open_project(folder, wanted)

        self._start(work, self.tr("Opening the sample project …"))

    def open(self, path: Path) -> None:
        """Open a project folder, its experiment file, or a run's or table's project."""
        declined = set(self._declined)

        def work(wanted: Wanted) -> projects.Opened | list[ComponentFile]:
            files = component_files(projects.project_of(path))
            asked = [f for f in untrusted_of(files) if f.digest not in declined]
            if asked:
                return asked
            if files:
                self._session.wait_for_components()  # they import what the window loads itself
            return projects.open_project(path, wanted)

        self._path = path
        self._start(work, self.tr("Opening {0} …").format(path.name))

    def allow(self, files: Sequence[ComponentFile], allowed: bool) -> None:
        """Open the project whose components were asked about, with them or without."""
        if allowed:
            try:
                trust(files)
            except UserError as error:
                self._session.problem.emit(error.message, error.hint)
                return
        else:
            self._declined |= {file.digest for file in files}
        if self._path is not None:
            self.open(self._path)

    def make(
        self, folder: Path, source: Path | None, proposal: Proposal | None = None
    ) -> None:
        """Make a project folder, on a table file or a folder of media when there is one."""
        text = self.tr("Making {0} …").format(folder.name)
        self._start(lambda wanted: projects.new_project(folder, source, proposal, wanted), text)

    def import_data(self, source: Path, proposal: Proposal | None = None) -> None:
        """Take other data into the open project, if there is one."""
        project, before = self._session.project, self._session.experiment
        if project is None:
            return
        text = self.tr("Reading {0} …").format(source.name)
        self._start(lambda _: projects.import_data(project, source, before, proposal), text)

    def close(self) -> bool:
        """Put the project away; False while a model is being trained."""
        if self._refused():
            return False
        self._session.save_pending()
        self._session.take(projects.Opened(None, None, None, None, ()))
        return True

    def _refused(self) -> bool:
        if self._session.training:
            self._session.problem.emit(
                self.tr("A model is being trained."),
                self.tr("Stop the training first, then open another project."),
            )
        if self._session.comparing.running:
            self._session.problem.emit(
                self.tr("A comparison is going on."),
                self.tr("Stop it first, then open another project; it can be resumed later."),
            )
        return self._session.training or self._session.comparing.running

    def _start(
        self, work: Callable[[Wanted], projects.Opened | list[ComponentFile]], text: str
    ) -> None:
        if self._refused():
            return
        self._session.save_pending()
        self._session.set_busy(text)
        wanted = self._ask()
        self._opening.run(lambda: work(wanted), self._on_opened, self._on_failed)

    def _on_opened(self, opened: projects.Opened | list[ComponentFile]) -> None:
        if isinstance(opened, list):
            self._restore()
            self._session.trust_asked.emit(opened)
            return
        self._session.take(opened)

    def _on_failed(self, message: str, hint: str) -> None:
        self._restore()
        self._session.problem.emit(message, hint)

    def _ask(self) -> Wanted:
        """Whether the opening that is asked for now is the last one still; asked in its thread.

        A job that is left goes on for a while: it must not take away the components of the next.
        """
        self._asked += 1
        mine = self._asked
        return lambda: mine == self._asked

    def _restore(self) -> None:
        """Have the open project's components again: the one that failed may have taken them."""
        session, project = self._session, self._session.project
        session.set_busy("")
        if project is None:
            return
        wanted = self._ask()

        def work() -> None:
            try:
                there = bool(component_files(project))
            except UserError:
                there = False
            if there:
                session.wait_for_components()
            load_components(project, wanted)

        self._opening.run(work, lambda _: None)
