"""The ways to another project: opening, making and closing one, importing data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mmstudio.errors import UserError
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.own_components import (
    ComponentFile,
    component_files,
    load_components,
    trust,
    untrusted_of,
)
from mmstudio.project import opening, places
from mmstudio.project.opening import Opened

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.project.proposal import Proposal

Wanted = Callable[[], bool]
SAMPLE_NAME = "Digits seen, heard and read"


class ProjectOpener(QObject):
    """Reads projects in a job and hands them to the store; not beside heavy work.

    `busy_changed` carries what keeps the window from the project, "" when it is there;
    `trust_asked` the component files of a project that somebody must allow first.
    """

    busy_changed = Signal(str)
    trust_asked = Signal(list)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project = project
        self.busy = ""
        self._opening = JobSlot(jobs, jobs.scope)
        self._asked = 0
        self._path: Path | None = None
        self._before: Experiment | None = None
        self._declined: set[str] = set()
        project.reopen_asked.connect(self.open)

    def open_sample(self) -> None:
        """Write the sample project where there is none yet, and open it."""

        def work(wanted: Wanted) -> Opened:
            from mmstudio.data.demo import write_demo

            folder = places.projects_dir() / SAMPLE_NAME
            if not (folder / places.EXPERIMENT_FILE).is_file():
                folder = places.free_folder(folder)
                write_demo(folder)
            return opening.open_project(folder, wanted)

        self._start(work, self.tr("Opening the sample project …"))

    def open(self, path: Path | str) -> None:
        """Open a project folder, its experiment file, or a run's or table's project."""
        path = Path(path)
        declined = set(self._declined)

        def work(wanted: Wanted) -> Opened | list[ComponentFile]:
            files = component_files(places.project_of(path))
            asked = [f for f in untrusted_of(files) if f.digest not in declined]
            if asked:
                return asked
            if files:
                self._libraries.wait()  # they import what the window loads itself
            return opening.open_project(path, wanted)

        self._path = path
        self._start(work, self.tr("Opening {0} …").format(path.name))

    def allow(self, files: Sequence[ComponentFile], allowed: bool) -> None:
        """Answer `trust_asked`: open the project with these files of its own, or without."""
        if allowed:
            try:
                trust(files)
            except UserError as error:
                self._jobs.problem.emit(error.message, error.hint)
                return
        else:
            self._declined |= {file.digest for file in files}
        if self._path is not None:
            self.open(self._path)

    def make(
        self, folder: Path | str, source: Path | str | None = None,
        proposal: Proposal | None = None,
    ) -> None:
        """Make a project folder, on a table file or a folder of media when there is one."""
        folder = Path(folder)
        data = Path(source) if source else None
        text = self.tr("Making {0} …").format(folder.name)
        self._start(lambda wanted: opening.new_project(folder, data, proposal, wanted), text)

    def import_data(self, source: Path | str, proposal: Proposal | None = None) -> None:
        """Take other data into the open project; a proposal says what its columns are."""
        folder, before = self._project.folder, self._project.experiment
        if folder is None:
            return
        source = Path(source)
        text = self.tr("Reading {0} …").format(source.name)
        self._start(lambda _: opening.import_data(folder, source, before, proposal), text)

    def use_table(self, path: Path) -> None:
        """Have the open project use another table with the same columns; all settings stay."""
        folder, experiment = self._project.folder, self._project.experiment
        if folder is None or experiment is None:
            return
        text = self.tr("Reading {0} …").format(path.name)
        self._start(lambda _: opening.with_table(folder, experiment, path), text, save=True)

    def close(self) -> bool:
        """Put the project away; False beside heavy work."""
        if self._heavy.refused(beside_opening=True):
            return False
        self._project.save_pending()
        self._take(Opened(None, None, None, None, ()))
        return True

    def _start(
        self, work: Callable[[Wanted], Opened | list[ComponentFile]], text: str, *,
        save: bool = False,
    ) -> None:
        if self._heavy.refused(beside_opening=True):
            return
        self._project.save_pending()
        self._before = self._project.experiment
        self._set_busy(text)
        wanted = self._ask()

        def done(opened: Opened | list[ComponentFile]) -> None:
            self._on_opened(opened)
            if save and isinstance(opened, Opened) and (
                    self._project.experiment is opened.experiment):
                self._project.save()

        self._opening.run(lambda: work(wanted), done, self._on_failed)

    def _on_opened(self, opened: Opened | list[ComponentFile]) -> None:
        if isinstance(opened, list):
            self._restore()
            self.trust_asked.emit(opened)
            return
        if self._heavy.refused(beside_opening=True):
            self._restore()  # the project at work stays
            return
        self._take(opened)

    def _take(self, opened: Opened) -> None:
        self._set_busy("")
        project = self._project
        project.take(opened, edited=opened.project == project.folder
                     and project.experiment is not self._before)

    def _on_failed(self, message: str, hint: str) -> None:
        self._restore()
        self._jobs.problem.emit(message, hint)

    def _set_busy(self, text: str) -> None:
        self.busy = text
        self._heavy.opens(text)
        self.busy_changed.emit(text)

    def _ask(self) -> Wanted:
        """Whether the opening that is asked for now is the last one still; asked in its thread.

        A job that is left goes on for a while: it must not take away the components of the next.
        """
        self._asked += 1
        mine = self._asked
        return lambda: mine == self._asked

    def _restore(self) -> None:
        """Have the open project's components again: the one that failed may have taken them."""
        folder = self._project.folder
        self._set_busy("")
        if folder is None:
            return
        wanted = self._ask()

        def work() -> None:
            try:
                there = bool(component_files(folder))
            except UserError:
                there = False
            if there:
                self._libraries.wait()
            load_components(folder, wanted)

        self._opening.run(work, lambda _: None)
