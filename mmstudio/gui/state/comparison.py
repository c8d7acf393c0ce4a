"""The comparisons: one at a time, in a job of its own, and not beside a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal

from mmstudio.gui.state.controller import Controller, ShouldStop
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.heavy_work import COMPARISON, HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.comparison.folder import ComparisonSummary
    from mmstudio.comparison.plan import Plan
    from mmstudio.comparison.progress import ComparisonProgress
    from mmstudio.comparison.ranking import Ranking


@dataclass(frozen=True)
class Choices:
    """What a person chose to compare."""

    fusions: tuple[str, ...]
    single: bool
    seeds: int
    target: str
    combination: bool = False


class ComparisonController(Controller):
    """The project's comparisons, the one on show, and the one that is going on.

    Signals:
        changed: Another one is on show, or it started, paused or ended; carries its state.
        events_arrived: Something happened in it; carries the events.
        listed: Carries the list of comparisons.
        saved: Carries where the report was written.
        ended: It has ended, for whatever reason.

    Attributes:
        shown: The name of the one on show, "" while a new one is being put together.
    """

    events_arrived = Signal(list)
    saved = Signal(str)
    listed = Signal(list)
    ended = Signal()

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore, models: DownloadManager,
    ) -> None:
        super().__init__(COMPARISON, jobs, libraries, heavy, project)
        self._runs, self._models = runs, models
        self._list, self._read, self._planning, self._saving = (
            JobSlot(jobs, project.scope) for _ in range(4))
        self._choose_newest = False
        self.shown = ""
        self._wanted: str | None = None
        self.plan: Plan | None = None
        self.ranking: Ranking | None = None
        self.progress: ComparisonProgress | None = None
        self.failure: tuple[str, str] | None = None
        self.comparisons: list[ComparisonSummary] = []
        project.changed.connect(self._on_project)

    @property
    def chosen(self) -> str:
        """The comparison on show, or the one that is being read to be shown."""
        return self.shown if self._wanted is None else self._wanted

    # What a person does --------------------------------------------------------------------

    def start(self, choices: Choices) -> None:
        """Compare the experiment as it is, in a new comparison."""
        experiment, project = self._project.experiment, self._project.folder
        if experiment is None or project is None or self._heavy.refused():
            return
        self._project.save_pending()

        def plan() -> Plan:
            self._libraries.wait()
            from mmstudio.comparison.plan import make_plan
            from mmstudio.jobs_queue.folder import JobsQueue

            return make_plan(
                experiment, JobsQueue(project).free_name("compare", experiment),
                fusions=choices.fusions, single=choices.single, combination=choices.combination,
                seeds=choices.seeds, target=choices.target)

        self._planning.run(plan, lambda made: self._begin(made, project), self._on_plan_failed)

    def resume(self) -> None:
        """Go on with the comparison on show."""
        if self.plan is not None and self._project.folder is not None:
            self._begin(self.plan, self._project.folder)

    def show(self, name: str) -> None:
        """Show an earlier comparison by its name, or "" to put a new one together."""
        project = self._project.folder
        if self.running or project is None:
            return
        if not name:
            self._set_shown("", None, None)
            return
        self._wanted = name

        def read() -> tuple[Plan, Ranking]:
            from mmstudio.comparison.folder import ComparisonFolder
            from mmstudio.comparison.ranking import read_ranking

            folder = ComparisonFolder.of(project, name)
            return folder.plan(), read_ranking(folder)

        def failed(message: str, hint: str) -> None:
            self._jobs.problem.emit(message, hint)
            self._set_shown("", None, None)

        self._read.run(
            read, lambda read_now: self._set_shown(name, *read_now), failed)

    def save_report(self, path: Path) -> None:
        """Write the report on show to a file, and its table beside it."""
        ranking = self.ranking
        if ranking is None:
            return

        def write() -> Any:
            from mmstudio.comparison.report import save_report

            return save_report(ranking, path)

        self._saving.run(write, lambda paths: self.saved.emit(str(paths[0])))

    # The list ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the project's comparisons anew."""
        project = self._project.folder
        if project is None:
            return

        def work() -> list[ComparisonSummary]:
            from mmstudio.comparison.folder import list_comparisons

            return list_comparisons(project)

        self._list.run(work, self._on_listed)

    def _on_listed(self, comparisons: list[ComparisonSummary]) -> None:
        self.comparisons = comparisons
        self.listed.emit(self.comparisons)
        if self._choose_newest and comparisons and not self.running:
            self.show(comparisons[0].name)
        self._choose_newest = False

    def _on_project(self) -> None:
        self.comparisons = []
        self._choose_newest = True
        self._set_shown("", None, None)
        self.listed.emit(self.comparisons)
        self.refresh()

    def _set_shown(self, name: str, plan: Plan | None, ranking: Ranking | None) -> None:
        self._read.cancel()
        self._wanted = None
        if self.running:
            return
        self.shown, self.plan, self.ranking = name, plan, ranking
        self.progress = self.failure = None
        if plan is not None:
            self._models.follow(plan.experiment)
        self.changed.emit(self.state)

    # The job -------------------------------------------------------------------------------

    def _begin(self, plan: Plan, project: Path) -> None:
        if self._heavy.refused() or project != self._project.folder:
            return
        from mmstudio.comparison.progress import ComparisonProgress

        if plan.name != self.shown:
            self.ranking = None
        self.shown, self.plan, self.failure, self._wanted = plan.name, plan, None, None
        self.progress = ComparisonProgress(plan.figure)
        self._claim()

        def steps(should_stop: ShouldStop) -> Any:
            from mmstudio.comparison.contest import compare

            return compare(plan, folder=project, should_stop=should_stop)

        self._run(steps, lambda _: self._end(), self._on_failed, self._on_events)
        self.changed.emit(self.state)

    def _on_events(self, events: Sequence[Any]) -> None:
        from mmstudio.comparison.events import ComparisonStarted, RunTold
        from mmstudio.training.events import Started

        if self.progress is None:
            return
        for event in events:
            self.progress.apply(event)
            if isinstance(event, RunTold) and isinstance(event.told, Started):
                self._runs.refresh()  # its folder is there from now on
            elif isinstance(event, ComparisonStarted):
                self.refresh()
        self.ranking = self.progress.ranking or self.ranking
        project = self._project.folder
        if project is not None and self.progress.run:
            self._heavy.writes(project / "runs" / self.progress.run)
        self.events_arrived.emit(list(events))

    def _on_plan_failed(self, message: str, hint: str) -> None:
        self._jobs.problem.emit(message, hint)
        self.changed.emit(self.state)

    def _on_failed(self, message: str, hint: str) -> None:
        self.failure = (message, hint)
        self._end()

    def _end(self) -> None:
        self._rest()
        self.changed.emit(self.state)
        self.ended.emit()
        self.refresh()
        self._runs.refresh()
