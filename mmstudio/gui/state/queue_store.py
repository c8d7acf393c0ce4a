"""The open project's queue: what waits, how far it is, and working it off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal

from mmstudio.errors import UserError
from mmstudio.gui.state.comparison import Choices, ComparisonController
from mmstudio.gui.state.controller import Controller, ShouldStop
from mmstudio.gui.state.heavy_work import QUEUE, HeavyWork, Work
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.jobs_queue.folder import JobsQueue
    from mmstudio.jobs_queue.job import Job
    from mmstudio.jobs_queue.runner import QueueEvent

LOOK_MS = 1000
"""Between two looks at the queue's folder, while somebody works it off or looks at it."""


@dataclass(frozen=True)
class Listing:
    """The queue as it is now.

    Attributes:
        jobs: All, in their order.
        shares: By a job's number the share of it that is done; None where nothing tells it.
        worker: Which other process works it off; "" where none does.
    """

    jobs: tuple[Job, ...] = ()
    shares: dict[int, float | None] = field(default_factory=dict)
    worker: str = ""

    def of_state(self, *states: str) -> list[Job]:
        """The jobs in these states."""
        return [job for job in self.jobs if job.state in states]


class QueueStore(Controller):
    """The queue of `mmstudio queue`, seen and worked off from the window.

    Each job runs in a process of its own: one that fails takes neither the window nor the others
    along, and what a kill has interrupted goes on at the next start.

    Signals:
        listed: Carries the queue as it is now, a `Listing`.
        added: Carries the job that was put into it.
        job_changed: A job has begun or ended; carries the event.
        left_over: Carries jobs that were waiting when the project was opened.

    Attributes:
        listing: The queue as it was when it was last looked at.
        follows: It starts by itself when the work at hand ends, for somebody asked for that.
    """

    listed = Signal(object)
    added = Signal(object)
    job_changed = Signal(object)
    left_over = Signal(list)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore, comparing: ComparisonController,
    ) -> None:
        super().__init__(QUEUE, jobs, libraries, heavy, project)
        self._runs, self._comparing = runs, comparing
        self._list = JobSlot(jobs, project.scope)
        self._watched = self._fresh = self._ended = False
        self._folder: Path | None = None
        self._trouble = ("", "")
        self._timer = QTimer(self, interval=LOOK_MS)
        self._timer.timeout.connect(self._look_in_time)
        self.listing = Listing()
        self.follows = False
        project.changed.connect(self._on_project)
        heavy.changed.connect(self._on_heavy)

    # What a person does --------------------------------------------------------------------

    def add_training(self) -> None:
        """Put a training of the experiment as it is at the end."""
        experiment = self._project.experiment
        if experiment is not None:
            self._project.save_pending()
            # its folder may not be there yet
            also = [] if self._heavy.run is None else [self._heavy.run.name]
            self._change(lambda queue: queue.add("train", experiment, also=also), self._on_added)

    def add_comparison(self, choices: Choices) -> None:
        """Put a comparison of the experiment as it is at the end."""
        experiment = self._project.experiment
        if experiment is None:
            return
        self._project.save_pending()
        options = {"fusions": list(choices.fusions), "single": choices.single,
                   "combination": choices.combination, "seeds": choices.seeds}
        if choices.target:
            options["target"] = choices.target
        self._change(lambda queue: queue.add("compare", experiment, options=options),
                     self._on_added)

    def add_folds(self, folds: int) -> None:
        """Put a cross-validation of the experiment as it is at the end."""
        experiment = self._project.experiment
        if experiment is not None:
            self._project.save_pending()
            self._change(lambda queue: queue.add("folds", experiment, options={"folds": folds}),
                         self._on_added)

    def resume_runs(self, names: Sequence[str]) -> None:
        """Have interrupted runs go on one after another."""
        def add(queue: JobsQueue) -> tuple[int, list[UserError]]:
            problems = []
            for name in names:
                try:
                    queue.add_unfinished(name)
                except UserError as error:  # the others go on all the same
                    problems.append(error)
            return len(names) - len(problems), problems

        def added(result: tuple[int, list[UserError]]) -> None:
            for problem in result[1]:
                self._jobs.problem.emit(problem.message, problem.hint)
            if result[0] and not self.listing.worker:
                self.start()

        self._change(add, added)

    def start(self) -> None:
        """Work the queue off, now or when the work at hand ends."""
        folder = self._project.folder
        if self.running or folder is None:
            return
        if self._heavy.running is not None and not self.listing.worker:
            self._set_follows(True)
            return
        if self._heavy.refused():
            return
        self.follows = False
        self._claim()

        def steps(should_stop: ShouldStop) -> Any:
            from mmstudio.jobs_queue.folder import JobsQueue
            from mmstudio.jobs_queue.runner import work_off

            return work_off(JobsQueue(folder), should_stop)

        self._run(steps, lambda _: self._end(), self._on_failed, self._on_events)
        self.changed.emit(self.state)
        self.refresh()

    def forgo(self) -> None:
        """Not start by itself when the work at hand ends."""
        self._set_follows(False)

    def move(self, number: int, by: int) -> None:
        """Have a job run earlier (-1) or later (1) than now."""
        def work(queue: JobsQueue) -> None:
            queue.move_by(number, by)

        self._change(work)

    def hold(self, number: int) -> None:
        """Have a job wait until it is released."""
        self._change(lambda queue: queue.hold(number))

    def release(self, number: int) -> None:
        """Have a job that was held, stopped or failed wait for its turn again."""
        self._change(lambda queue: queue.release(number))

    def stop_job(self, number: int) -> None:
        """Stop a job; its model so far is kept, and the next one follows."""
        self._change(lambda queue: queue.stop(number))

    def remove(self, *numbers: int) -> None:
        """Take jobs out; what they trained stays."""
        def work(queue: JobsQueue) -> None:
            for number in numbers:
                queue.remove(number)

        self._change(work)

    def watch(self, watched: bool) -> None:
        """Look at the folder all the time, because somebody looks at the queue."""
        self._watched = watched
        if watched:
            self.refresh()
        self._set_timer()

    def _change(
        self, work: Callable[[JobsQueue], Any], done: Callable[[Any], None] = lambda _: None
    ) -> None:
        folder = self._project.folder
        if folder is None:
            return

        def changed() -> Any:
            from mmstudio.jobs_queue.folder import JobsQueue

            return work(JobsQueue(folder))

        def over(result: Any) -> None:
            if folder == self._project.folder:
                done(result)
                self.refresh()

        def failed(message: str, hint: str) -> None:
            self._jobs.problem.emit(message, hint)
            self.refresh()

        self._jobs.start(changed, over, failed)

    def _on_added(self, job: Job) -> None:
        if self._heavy.running is not None and not self.running and not self.listing.worker:
            self.follows = True  # who adds beside a training means: after it
        self.added.emit(job)
        self.changed.emit(self.state)

    def _set_follows(self, follows: bool) -> None:
        self.follows = follows
        self.changed.emit(self.state)

    # The list ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look at the queue's folder."""
        folder = self._project.folder
        if folder is None:
            return
        ours = self.running

        def work() -> Listing:
            from mmstudio.jobs_queue.folder import JobsQueue
            from mmstudio.jobs_queue.progress import share_done

            queue = JobsQueue(folder)
            jobs = tuple(queue.jobs())
            return Listing(jobs, {job.job: share_done(folder, job) for job in jobs},
                           "" if ours else queue.worker())

        self._list.run(work, self._on_listed, self._on_unlisted)

    def _look_in_time(self) -> None:
        if not self._list.busy:
            self.refresh()

    def _on_listed(self, listing: Listing) -> None:
        if self.running and listing.worker:
            return  # asked before it was started here
        self._trouble = ("", "")
        if self.running and _begun(listing) != _begun(self.listing):
            self._runs.refresh()  # its folder is there from now on
        changed, fresh = listing != self.listing, self._fresh
        # who waits for the queue's end hears how it stands then, be it as before
        changed |= self._ended
        self.listing, self._fresh, self._ended = listing, False, False
        self._set_timer()
        if changed or fresh:
            self.listed.emit(listing)
        waiting = listing.of_state("waiting", "running")
        if fresh and waiting and not listing.worker and not self.running:
            self.left_over.emit(waiting)

    def _on_unlisted(self, message: str, hint: str) -> None:
        """Say it once: it is looked again and again."""
        if self._trouble != (message, hint):
            self._trouble = (message, hint)
            self._jobs.problem.emit(message, hint)

    def _set_timer(self) -> None:
        wanted = self.running or self._watched or bool(self.listing.worker)
        if wanted and self._project.folder is not None:
            if not self._timer.isActive():
                self._timer.start()
        else:
            self._timer.stop()

    def _on_project(self, folder: Path | None) -> None:
        if folder != self._folder:
            self._folder = folder
            self._fresh = True
            self.follows = False
            self.listing = Listing()
            self.listed.emit(self.listing)
        self._set_timer()
        self.refresh()

    # The job -------------------------------------------------------------------------------

    def _on_heavy(self, work: Work | None) -> None:
        if work is None and self.follows:
            # after whoever has ended has put its own things in order
            QTimer.singleShot(0, self._start_now)

    def _start_now(self) -> None:
        if self.follows and self._heavy.running is None and not self._jobs.closed:
            self.start()

    def _on_events(self, events: Sequence[QueueEvent]) -> None:
        for event in events:
            job, folder = event.job, self._project.folder
            began = event.event == "job_started"
            if folder is not None and job.kind != "compare":
                self._heavy.writes(folder / "runs" / job.name if began else None)
            elif not began:
                self._comparing.refresh()
            self.job_changed.emit(event)
        self._runs.refresh()
        self.refresh()

    def _on_failed(self, message: str, hint: str) -> None:
        self._jobs.problem.emit(message, hint)
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._rest()
        self.changed.emit(self.state)
        self._runs.refresh()
        self.refresh()


def _begun(listing: Listing) -> list[int]:
    return [job.job for job in listing.of_state("running") if job.begun]
