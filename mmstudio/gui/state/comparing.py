"""The session's comparison: one at a time, in a job of its own, and not beside a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job

if TYPE_CHECKING:
    from mmstudio.comparison.folder import ComparisonSummary
    from mmstudio.comparison.plan import Plan
    from mmstudio.comparison.progress import ComparisonProgress
    from mmstudio.comparison.ranking import Ranking
    from mmstudio.gui.state.session import Session


@dataclass(frozen=True)
class Choices:
    """What a person chose to compare."""

    fusions: tuple[str, ...]
    single: bool
    seeds: int
    target: str
    combination: bool = False


class SessionComparing(QObject):
    """The project's comparisons, the one on show, and the one that is going on.

    `changed` tells that another one is on show, or that it started, paused or ended; `told` that
    something happened in it; `listed` that the list of comparisons changed; `saved` where its
    report was written. `shown` is the name of the one on show, "" while a new one is being put
    together.
    """

    changed = Signal()
    told = Signal(list)
    saved = Signal(str)
    listed = Signal()
    ended = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._job: Job | None = None
        self._list, self._read = (
            JobSlot(session.start_job, session.project_scope) for _ in range(2))
        self._choose_newest = False
        self.running = self.paused = self.stopping = False
        self.shown = ""
        self._wanted: str | None = None
        self.plan: Plan | None = None
        self.ranking: Ranking | None = None
        self.progress: ComparisonProgress | None = None
        self.failure: tuple[str, str] | None = None
        self.comparisons: list[ComparisonSummary] = []
        session.project_changed.connect(self._on_project)

    def is_own(self, job: Job) -> bool:
        """Whether this is the job that compares; it is ended in order, so that no epoch is lost."""
        return job is self._job

    @property
    def run_in_training(self) -> Path | None:
        """The run folder that is being written."""
        project = self._session.project
        if not self.running or project is None or self.progress is None or not self.progress.run:
            return None
        return project / "runs" / self.progress.run

    @property
    def chosen(self) -> str:
        """The comparison on show, or the one that is being read to be shown."""
        return self.shown if self._wanted is None else self._wanted

    # What a person does --------------------------------------------------------------------

    def start(self, choices: Choices) -> None:
        """Compare the experiment as it is, in a new comparison."""
        session = self._session
        experiment, project = session.experiment, session.project
        if experiment is None or project is None or self._refused():
            return
        session.save_pending()

        def plan() -> Plan:
            session.wait_for_components()
            from mmstudio.comparison.folder import free_name
            from mmstudio.comparison.plan import make_plan

            return make_plan(
                experiment, free_name(project), fusions=choices.fusions, single=choices.single,
                combination=choices.combination, seeds=choices.seeds, target=choices.target)

        session.start_job(plan, lambda made: self._begin(made, project), self._on_plan_failed)

    def resume(self) -> None:
        """Go on with the comparison on show."""
        project = self._session.project
        if self.plan is None or project is None or self._refused():
            return
        self._begin(self.plan, project)

    def pause(self, paused: bool) -> None:
        """Hold the comparison, or let it go on."""
        if self._job is not None and not self.stopping:
            self.paused = paused
            self._job.pause(paused)
            self.changed.emit()

    def stop(self) -> None:
        """End it soon; it can be resumed later."""
        if self._job is not None:
            self.stopping, self.paused = True, False
            self._job.stop()
            self.changed.emit()

    def show(self, name: str) -> None:
        """Show an earlier comparison by its name, or "" to put a new one together."""
        project = self._session.project
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
            self._session.problem.emit(message, hint)
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

        self._session.start_job(write, lambda paths: self.saved.emit(str(paths[0])))

    # The list ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """List the project's comparisons anew."""
        project = self._session.project
        if project is None:
            return

        def work() -> list[ComparisonSummary]:
            from mmstudio.comparison.folder import list_comparisons

            return list_comparisons(project)

        self._list.run(work, self._on_listed)

    def _on_listed(self, comparisons: list[ComparisonSummary]) -> None:
        self.comparisons = comparisons
        self.listed.emit()
        if self._choose_newest and comparisons and not self.running:
            self.show(comparisons[0].name)
        self._choose_newest = False

    def _on_project(self) -> None:
        self.comparisons = []
        self._choose_newest = True
        self._set_shown("", None, None)
        self.listed.emit()
        self.refresh()

    def _set_shown(self, name: str, plan: Plan | None, ranking: Ranking | None) -> None:
        self._read.cancel()
        self._wanted = None
        if self.running:
            return
        self.shown, self.plan, self.ranking = name, plan, ranking
        self.progress = self.failure = None
        if plan is not None:
            self._session.models.follow(plan.experiment)
        self.changed.emit()

    # The job -------------------------------------------------------------------------------

    def _refused(self) -> bool:
        if self._session.training:
            self._session.problem.emit(
                self.tr("A model is being trained."),
                self.tr("Wait until it ends, or stop it on the Train page; then compare."),
            )
        return self._session.training or self.running

    def _begin(self, plan: Plan, project: Path) -> None:
        if self._refused() or project != self._session.project:
            return
        from mmstudio.comparison.progress import ComparisonProgress

        self._session.stop_check()  # the two would only slow each other down
        self._session.fit.leave_off()
        if plan.name != self.shown:
            self.ranking = None
        self.shown, self.plan, self.failure, self._wanted = plan.name, plan, None, None
        self.progress = ComparisonProgress(plan.figure)
        self.running, self.paused, self.stopping = True, False, False

        def work() -> Iterator[Any]:
            self._session.wait_for_components()
            self._session.fit.wait_until_over()
            from mmstudio.comparison.contest import compare

            yield from compare(plan, folder=project, should_stop=job.should_stop)

        job = self._session.start_job(
            work, lambda _: self._end(), self._on_failed, self._on_events,
            low_priority=True, begin=False,
        )
        self._job = job
        job.begin()
        self.changed.emit()

    def _on_events(self, events: Sequence[Any]) -> None:
        from mmstudio.comparison.events import ComparisonStarted, RunTold
        from mmstudio.training.events import Started

        if self.progress is None:
            return
        for event in events:
            self.progress.apply(event)
            if isinstance(event, RunTold) and isinstance(event.told, Started):
                self._session.refresh_runs()  # its folder is there from now on
            elif isinstance(event, ComparisonStarted):
                self.refresh()
        self.ranking = self.progress.ranking or self.ranking
        self.told.emit(list(events))

    def _on_plan_failed(self, message: str, hint: str) -> None:
        self._session.problem.emit(message, hint)
        self.changed.emit()

    def _on_failed(self, message: str, hint: str) -> None:
        self.failure = (message, hint)
        self._end()

    def _end(self) -> None:
        self._job = None
        self.running = self.paused = self.stopping = False
        self.changed.emit()
        self.ended.emit()
        self.refresh()
        self._session.refresh_runs()
