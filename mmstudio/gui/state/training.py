"""The session's training: one run at a time, in a job of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from mmstudio.errors import UserError
from mmstudio.gui.state import loading
from mmstudio.gui.state.jobs import Job, explain
from mmstudio.training.events import Combined

if TYPE_CHECKING:
    from mmstudio.gui.state.session import Session


class SessionTraining(QObject):
    """Keeps the session's `training`, `paused`, `stopping` and the `history` of the new run."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._job: Job | None = None

    def is_own(self, job: Job) -> bool:
        """Whether this is the job that trains; it is ended in order, so that the model is kept."""
        return job is self._job

    def start(self) -> None:
        """Train the experiment as it is in a new run."""
        session = self._session
        if session.training or session.experiment is None or session.project is None:
            return
        if session.comparing.running:
            session.problem.emit(
                self.tr("A comparison is going on."),
                self.tr("Wait until it ends, or stop it on the Compare page; it can be "
                        "resumed later."),
            )
            return
        from mmstudio.training.history import RunHistory
        from mmstudio.training.run_folder import next_run_name

        session.save_pending()
        experiment, project = session.experiment, session.project
        try:
            run = project / "runs" / next_run_name(project, experiment)
        except (OSError, UserError) as error:
            session.run_failed.emit(*explain(error))
            return
        session.stop_check()  # the two would only slow each other down
        session.fit.leave_off()
        session.history = RunHistory()
        session.shown_run = run
        session.training, session.paused, session.stopping = True, False, False

        def work() -> Iterator[Any]:
            session.wait_for_components()
            session.fit.wait_until_over()
            from mmstudio.training.loop import train

            yield from train(experiment, run, folder=project, should_stop=job.should_stop)

        job = session.start_job(
            work,
            lambda _: self._on_done(),
            self._on_failed,
            self._on_events,
            low_priority=True,
            begin=False,
        )
        self._job = job
        job.begin()
        session.run_started.emit()
        session.training_changed.emit()

    def pause(self, paused: bool) -> None:
        """Hold the training, or let it go on."""
        if self._job is not None and not self._session.stopping:
            self._session.paused = paused
            self._job.pause(paused)
            self._session.training_changed.emit()

    def stop(self) -> None:
        """End the training soon; the model so far is kept."""
        if self._job is not None:
            self._session.stopping, self._session.paused = True, False
            self._job.stop()
            self._session.training_changed.emit()

    def _on_events(self, events: list[Any]) -> None:
        history = self._session.history
        if history is not None:
            before = history.started
            for event in events:
                history.apply(event)
            if history.started is not before:
                self._session.refresh_runs()  # its folder is there from now on
        self._session.run_events.emit(events)
        if any(isinstance(event, Combined) for event in events):
            self._can_answer()

    def _can_answer(self) -> None:
        """The run can answer, or better than before: what asks it gets the new answers."""
        session = self._session
        if session.asks_run_in_training and session.shown_run is not None:
            session.load_model(session.shown_run)
        session.refresh_runs()  # its model can be chosen from now on

    def _end(self, reason: str) -> None:
        session = self._session
        self._job = None
        session.training = session.paused = session.stopping = False
        session.training_changed.emit()
        session.run_ended.emit(reason)
        session.refresh_runs()

    def _on_done(self) -> None:
        history, run = self._session.history, self._session.shown_run
        finished = history.finished if history is not None else None
        self._end(finished.reason if finished is not None else "stopped")
        if run is not None and loading.has_model(run):
            self._session.load_model(run)

    def _on_failed(self, message: str, hint: str) -> None:
        self._session.run_failed.emit(message, hint)
        self._end("failed")
