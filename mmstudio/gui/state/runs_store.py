"""The open project's runs: the list of them, and the one whose curves are on show."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.heavy_work import TRAINING, HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory
    from mmstudio.training.run_summary import RunSummary

Stamp = frozenset[tuple[str, int, int]]
"""What tells a list of runs from another: its files, their times of change and sizes."""


def stamp_of(project: Path) -> Stamp:
    """The runs of a project as they are now, without reading them."""
    found = set()
    try:
        for run in os.scandir(project / "runs"):
            for name in ("experiment.toml", "events.jsonl", "notes.json"):
                with contextlib.suppress(OSError):
                    state = os.stat(os.path.join(run.path, name))
                    found.add((f"{run.name}/{name}", state.st_mtime_ns, state.st_size))
    except OSError:
        return frozenset()  # none yet
    return frozenset(found)


def own_run(runs: Sequence[RunSummary]) -> RunSummary | None:
    """The one that a person means where none was chosen: the first that was trained by itself.

    Args:
        runs: The newest first. Where all are of a comparison or the like, its first is given.
    """
    return next((run for run in runs if not run.one_of_several), runs[0] if runs else None)


class RunsStore(QObject):
    """The runs.

    Signals:
        changed: Carries the list of runs.
        opening: A run was asked for; carries its folder.
        opened: The curves of another run are on show; carries its folder, None where none are.
        deleting: Carries the folder of a run that goes, or gets another name.

    Attributes:
        listed: All runs of the project.
        shown: The run whose curves are on show.
        history: Its curves.
    """

    changed = Signal(list)
    opening = Signal(object)
    opened = Signal(object)
    deleting = Signal(object)

    def __init__(self, jobs: JobRunner, heavy: HeavyWork, project: ProjectStore) -> None:
        super().__init__(jobs)
        self._jobs, self._heavy, self._project = jobs, heavy, project
        self.listed: list[RunSummary] = []
        self.shown: Path | None = None
        self.history: RunHistory | None = None
        self._list, self._look, self._open = (JobSlot(jobs, project.scope) for _ in range(3))
        self._folder: Path | None = None
        self._opening: Path | None = None
        self._stamp: Stamp | None = None
        project.changed.connect(self._on_project)

    def _on_project(self, folder: Path | None) -> None:
        if folder != self._folder:
            self._folder = folder
            self.listed = []
            self._show(None, None)
        self.refresh()

    def _show(self, run: Path | None, history: RunHistory | None) -> None:
        self.shown, self.history = run, history
        self.opened.emit(run)

    # The list ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the project's runs anew."""
        folder = self._project.folder
        if folder is None:
            return
        self._look.cancel()

        def work() -> Any:
            from mmstudio.training.run_list import list_runs

            stamp = stamp_of(folder)  # first: what comes meanwhile is then seen as new
            return stamp, list_runs(folder)

        def done(result: tuple[Stamp, list[RunSummary]]) -> None:
            self._stamp, self.listed = result
            self.changed.emit(self.listed)

        self._list.run(work, done)

    def look_again(self) -> None:
        """List the runs anew where the command line, say, has changed them since."""
        folder = self._project.folder
        if folder is None or self._list.busy or self._look.busy:
            return
        if self._heavy.running is not None:
            return  # its own run grows all the time, and is listed when it has ended

        def done(found: Stamp) -> None:
            if found != self._stamp:
                self.refresh()

        def failed(message: str, hint: str) -> None:
            pass  # nobody asked: the list stays as it is

        self._look.run(lambda: stamp_of(folder), done, failed)

    def belongs(self, run: Path) -> bool:
        """Whether a run is one of the open project."""
        return self._folder is not None and run.parent.parent == self._folder

    @property
    def looking(self) -> bool:
        """Whether it is being looked for changes."""
        return self._look.busy

    # One run -------------------------------------------------------------------------------

    def open(self, run: Path) -> None:
        """Show a run's curves and load its model."""
        if self._heavy.running is TRAINING:
            self._heavy.refused(self.tr(
                "Its curves are on show until it ends. Stop it to open another run."))
            return

        def work() -> Any:
            from mmstudio.training.run_folder import RunFolder

            return RunFolder.existing(run).history()

        self._opening = run
        self._open.run(work, lambda history: self._show(run, history))
        self.opening.emit(run)

    def show_new(self, run: Path, history: RunHistory | None = None) -> RunHistory:
        """Show the curves of a run that is about to be trained, which fills what it is given.

        Args:
            run: Its folder.
            history: What is there of a run that goes on.
        """
        from mmstudio.training.history import RunHistory

        self._open.cancel()
        self.shown, self.history = run, history or RunHistory()
        return self.history

    def let_go(self, run: Path) -> None:
        """Neither show nor open a run any more: its folder goes, or gets another name."""
        self.deleting.emit(run)
        if run == self._opening:
            self._open.cancel()
        if run == self.shown:
            self._show(None, None)
