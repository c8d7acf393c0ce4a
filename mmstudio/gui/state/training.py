"""The training: one run at a time, in a job of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal

from mmstudio.errors import UserError
from mmstudio.gui.state.controller import Controller, ShouldStop
from mmstudio.gui.state.heavy_work import TRAINING, HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import explain
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.training.events import Combined

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.training.history import RunHistory


class TrainingController(Controller):
    """Trains the open project's experiment in a new run, or goes on with one.

    Signals:
        started: Carries the run's folder.
        events: Carries what the run tells, in lists.
        improved: The run can answer, or better than before; carries its folder.
        ended: Carries the reason: "finished", "early_stop", "stopped", "failed", …
        failed: Carries a message and a hint.

    Attributes:
        run: The run that is being trained, and after its end the last one.
    """

    started = Signal(object)
    events = Signal(list)
    improved = Signal(object)
    ended = Signal(str)
    failed = Signal(str, str)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore,
    ) -> None:
        super().__init__(TRAINING, jobs, libraries, heavy, project)
        self._runs = runs
        self.run: Path | None = None
        self._history: RunHistory | None = None
        self._after_epoch = False
        self._reading = JobSlot(jobs, project.scope)

    def start(self) -> None:
        """Train the experiment as it is in a new run."""
        project = self._project
        experiment, folder = project.experiment, project.folder
        if self.running or experiment is None or folder is None or self._heavy.refused():
            return
        from mmstudio.jobs_queue.folder import JobsQueue

        project.save_pending()
        try:
            run = folder / "runs" / JobsQueue(folder).free_name("train", experiment)
        except (OSError, UserError) as error:
            self.failed.emit(*explain(error))
            return
        self._begin(experiment, run, folder)

    def resume(self, run: Path) -> None:
        """Go on with a run that was stopped or interrupted, as its own settings say."""
        folder = self._project.folder
        if self.running or folder is None or self._heavy.refused():
            return

        def read() -> tuple[Experiment, RunHistory]:
            from mmstudio.training.run_folder import RunFolder

            files = RunFolder.existing(run)
            return files.experiment(), files.history()

        def begin(found: tuple[Experiment, RunHistory]) -> None:
            if not self.running and not self._heavy.refused():
                self._begin(found[0], run, folder, found[1])

        self._reading.run(read, begin, self.failed.emit)

    def stop_after_epoch(self, wanted: bool = True) -> None:
        """End the training when its epoch at hand is done, or not after all."""
        if self.running and not self.stopping:
            self._after_epoch = wanted
            self._set(replace(self.state, ending=wanted))

    def _begin(
        self, experiment: Experiment, run: Path, folder: Path, history: RunHistory | None = None
    ) -> None:
        """Train a run in the project's folder; with what is there of it, go on."""
        self.run, self._history = run, self._runs.show_new(run, history)
        self._after_epoch = False
        self._claim(run)

        def steps(should_stop: ShouldStop) -> Any:
            from mmstudio.training.loop import train

            return train(experiment, run, folder=folder, resume=history is not None,
                         should_stop=should_stop, stop_after_epoch=lambda: self._after_epoch)

        self._run(steps, self._on_done, self._on_failed, self._on_events)
        self.started.emit(run)
        self.changed.emit(self.state)

    def _on_events(self, events: list[Any]) -> None:
        history = self._history
        if history is not None:
            before = history.started
            for event in events:
                history.apply(event)
            if history.started is not before:
                self._runs.refresh()  # its folder is there from now on
        self.events.emit(events)
        if any(isinstance(event, Combined) for event in events):
            self.improved.emit(self.run)
            self._runs.refresh()  # its model can be chosen from now on

    def _on_done(self, _: object) -> None:
        finished = self._history.finished if self._history is not None else None
        self._end(finished.reason if finished is not None else "stopped")

    def _on_failed(self, message: str, hint: str) -> None:
        self.failed.emit(message, hint)
        self._end("failed")

    def _end(self, reason: str) -> None:
        self._rest()
        self.changed.emit(self.state)
        self.ended.emit(reason)
        self._runs.refresh()
