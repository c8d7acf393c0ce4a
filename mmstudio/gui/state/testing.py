"""The session's model to test: loading it, asking it, the test rows to ask it about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from mmstudio.gui import projects
from mmstudio.gui.state import loading
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.jobs import Job

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.gui.state.session import Session
    from mmstudio.inference.predictor import Predictor


class SessionTesting(QObject):
    """Keeps the session's `predictor` and `predictor_run`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._loading = JobSlot(session.start_job, session.project_scope)
        self._loading_run: Path | None = None
        self._ask_job: Job | None = None
        self._next_request: tuple[dict[str, Any], set[str]] | None = None
        self._experiment: Experiment | None = None
        self._position = -1
        session.splits_changed.connect(self.restart_samples)

    @property
    def is_loading(self) -> bool:
        """Whether a model is on its way."""
        return self._loading.busy

    def forget_requests(self) -> None:
        """What is on its way is not wanted any more."""
        self._loading.cancel()
        if self._ask_job is not None:
            self._ask_job.cancel()
        self._ask_job = self._next_request = None

    def forget_model(self) -> None:
        """Have no model; the session tells its pages."""
        self._session.predictor = self._session.predictor_run = self._experiment = None

    def forget_run(self, run: Path) -> None:
        """Neither have a run's model nor load it: its folder goes."""
        if run == self._session.predictor_run:
            self._session.forget_model()
        if self._loading.busy and run == self._loading_run:
            self._loading.cancel()
            self._session.predictor_changed.emit()  # the page shows what there is instead

    def restart_samples(self) -> None:
        """The next test sample is the first one again."""
        self._position = -1

    def load(self, run: Path) -> None:
        """Load a run's best model."""
        session, table = self._session, self._session.table

        def work() -> Any:
            session.wait_for_components()
            return loading.load_predictor(run, table)

        def done(loaded: tuple[Predictor, Experiment]) -> None:
            session.predictor, self._experiment = loaded
            session.predictor_run = run
            session.predictor_changed.emit()

        def failed(message: str, hint: str) -> None:
            session.problem.emit(message, hint)
            session.predictor_changed.emit()  # the page shows what there is instead

        self._loading_run = run
        self._loading.run(work, done, failed)

    def predict(self, inputs: Mapping[str, str | Path | None], use: set[str]) -> None:
        """Ask the model; one question at a time, the newest waits, those between are dropped."""
        request = (dict(inputs), set(use))
        if self._ask_job is not None:
            self._ask_job.cancel()
            self._next_request = request
        else:
            self._ask(request)

    def _ask(self, request: tuple[dict[str, Any], set[str]]) -> None:
        predictor = self._session.predictor
        if predictor is None or self._session.closed:
            return
        inputs, use = request
        job = self._session.start_job(
            lambda: predictor.predict(inputs, use=use),
            self._session.predicted.emit,
            self._session.prediction_failed.emit,
            begin=False,
        )
        job.finished.connect(self._on_answered)
        self._ask_job = job
        job.begin()

    def _on_answered(self) -> None:
        if self._ask_job is not None and not self._ask_job.isFinished():
            return  # the end of an older question that nobody waits for
        self._ask_job = None
        request, self._next_request = self._next_request, None
        if request is not None:
            self._ask(request)

    def next_sample(
        self,
    ) -> tuple[int, dict[str, str | Path | None], dict[str, str | None]] | None:
        """The next row of the test split, or None; starts anew after the last one."""
        session = self._session
        experiment = self._experiment or session.experiment
        if experiment is None or session.table is None or session.splits is None:
            return None
        rows = (session.splits == "test").nonzero()[0]
        if not len(rows):
            return None
        self._position = (self._position + 1) % len(rows)
        row = int(rows[self._position])
        sample = self.sample(row)
        return None if sample is None else (row, *sample)

    def sample(self, row: int) -> tuple[dict[str, str | Path | None], dict[str, str | None]] | None:
        """A row's inputs and its true labels, as the loaded model has them; None without one."""
        session = self._session
        experiment = self._experiment or session.experiment
        if experiment is None or session.table is None or not 0 <= row < len(session.table):
            return None
        return (projects.inputs_of(session.table, experiment, row),
                projects.truth_of(session.table, experiment, row))
