"""The searches for better settings: one at a time, and not beside other heavy work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal

from mmstudio.gui.state.controller import Controller, ShouldStop
from mmstudio.gui.state.heavy_work import SEARCH, HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.search.progress import SearchProgress, SearchSummary, SearchView
    from mmstudio.search.space import Dimension


@dataclass(frozen=True)
class SearchChoices:
    """What a person chose to search.

    Attributes:
        minutes: How long it may take.
        vary: The keys that vary.
        target: Whose figure counts, "" for all of them.
    """

    minutes: float
    vary: tuple[str, ...]
    target: str = ""


class SearchController(Controller):
    """The project's searches, the one on show, and the one that is going on.

    Signals:
        changed: Another one is on show, or it started, paused or ended; carries its state.
        events_arrived: Something happened in it; carries the events.
        listed: Carries the list of searches.
        space_read: Carries what can vary in the project's experiment.
        used: The settings that were found are the project's now.

    Attributes:
        shown: The name of the one on show, "" while a new one is being put together.
        view: What its folder told; None before it was read.
        progress: What the events of the one that is going on, or was, told.
    """

    events_arrived = Signal(list)
    listed = Signal(list)
    space_read = Signal(list)
    used = Signal()

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore,
    ) -> None:
        super().__init__(SEARCH, jobs, libraries, heavy, project)
        self._runs = runs
        self._listing, self._reading, self._spacing, self._naming, self._using = (
            JobSlot(jobs, project.scope) for _ in range(5))
        self.shown = ""
        self.view: SearchView | None = None
        self.progress: SearchProgress | None = None
        self.failure: tuple[str, str] | None = None
        self.searches: list[SearchSummary] = []
        project.changed.connect(self._on_project)

    # What a person does --------------------------------------------------------------------

    def read_space(self) -> None:
        """See what can vary in the experiment as it is."""
        experiment = self._project.experiment
        if experiment is None or not self._libraries.ready:
            return

        def work() -> list[Dimension]:
            from mmstudio.search.space import space_of
            from mmstudio.training.choose import without_auto

            return list(space_of(without_auto(experiment)))

        self._spacing.run(work, self.space_read.emit)

    def pause(self, paused: bool) -> None:
        """Hold it, or let it go on."""
        super().pause(paused)
        if self.progress is not None and self.paused == paused:
            self.progress.hold(paused)

    def start(self, choices: SearchChoices) -> None:
        """Search from the experiment as it is, in a new search."""
        project = self._project.folder
        if self._project.experiment is None or project is None or self._heavy.refused():
            return
        self._project.save_pending()

        def work() -> str:
            from mmstudio.search.folder import free_name

            return free_name(project)

        self._naming.run(work, lambda name: self._begin(name, project, choices))

    def resume(self) -> None:
        """Go on with the search on show."""
        if self.shown and self._project.folder is not None:
            self._begin(self.shown, self._project.folder, None)

    def show(self, name: str) -> None:
        """Show an earlier search by its name, or "" to put a new one together."""
        project = self._project.folder
        if self.running or project is None:
            return
        self.shown, self.view, self.progress, self.failure = name, None, None, None
        self._reading.cancel()
        self.changed.emit(self.state)
        if name:
            self._read(project, name)

    def use(self) -> None:
        """Make the settings that were found the project's."""
        project, name = self._project.folder, self.shown
        if project is None or not name:
            return

        def work() -> Any:
            from mmstudio.experiment import Experiment
            from mmstudio.search.folder import SearchFolder

            return Experiment.load(SearchFolder.of(project, name).found)

        def done(found: Any) -> None:
            self._project.take_settings(found)
            self.used.emit()

        self._using.run(work, done)

    # The list ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the project's searches anew."""
        project = self._project.folder
        if project is None:
            return

        def work() -> list[SearchSummary]:
            from mmstudio.search.progress import list_searches

            return list_searches(project)

        self._listing.run(work, self._on_listed)

    def _on_listed(self, searches: list[SearchSummary]) -> None:
        self.searches = searches
        self.listed.emit(searches)

    def _on_project(self) -> None:
        self.searches = []
        self.shown, self.view, self.progress, self.failure = "", None, None, None
        self.listed.emit([])
        self.changed.emit(self.state)
        self.refresh()

    def _read(self, project: Path, name: str) -> None:
        """Read a search's trials and what they say."""

        def work() -> SearchView:
            self._libraries.wait()
            from mmstudio.search.folder import SearchFolder
            from mmstudio.search.progress import read_search

            return read_search(SearchFolder.of(project, name))

        def done(view: SearchView) -> None:
            self.view = view
            self.changed.emit(self.state)

        def failed(message: str, hint: str) -> None:
            if self.failure is None:
                self.failure = (message, hint)
            self.changed.emit(self.state)

        self._reading.run(work, done, failed)

    # The job -------------------------------------------------------------------------------

    def _begin(self, name: str, project: Path, choices: SearchChoices | None) -> None:
        experiment = self._project.experiment
        if experiment is None or self._heavy.refused() or project != self._project.folder:
            return
        from mmstudio.search.progress import SearchProgress

        before = self.view.trials if self.view is not None and name == self.shown else ()
        if name != self.shown:
            self.view = None
        self.shown, self.failure = name, None
        self.progress = SearchProgress(before)
        self._claim()

        def steps(should_stop: ShouldStop) -> Any:
            from mmstudio.search.search import Budget, search
            from mmstudio.search.space import space_of
            from mmstudio.training.choose import without_auto

            if choices is None:
                return search(experiment, name, folder=project, should_stop=should_stop)
            fix = [d.key for d in space_of(without_auto(experiment)) if d.key not in choices.vary]
            return search(
                experiment, name, folder=project, budget=Budget(choices.minutes),
                vary=choices.vary, fix=fix, target=choices.target or None,
                should_stop=should_stop)

        self._run(steps, lambda _: self._end(), self._on_failed, self._on_events)
        self.changed.emit(self.state)

    def _on_events(self, events: Sequence[Any]) -> None:
        from mmstudio.search.events import FinalStarted, SearchStarted, TrialEnded

        if self.progress is None:
            return
        project = self._project.folder
        for event in events:
            self.progress.apply(event)
            if isinstance(event, SearchStarted):
                self.refresh()
            elif isinstance(event, FinalStarted) and project is not None:
                self._heavy.writes(project / "runs" / event.run)
                self._runs.refresh()
            if isinstance(event, SearchStarted | TrialEnded) and project is not None:
                self._read(project, self.shown)  # what matters most is known better now
        self.events_arrived.emit(list(events))

    def _on_failed(self, message: str, hint: str) -> None:
        self.failure = (message, hint)
        self._end()

    def _end(self) -> None:
        self._rest()
        if self.progress is not None:
            self.progress.drop_running()
            if self.progress.started is None and self.view is None:
                self.shown, self.progress = "", None  # it could not begin: the choices stay
        self.changed.emit(self.state)
        project = self._project.folder
        if project is not None and self.shown:
            self._read(project, self.shown)
        self.refresh()
        self._runs.refresh()
