"""The model to test: loading it, asking it, the test rows to ask it about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state import loading
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot, LatestSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.scope import Scope
from mmstudio.gui.state.training import TrainingController
from mmstudio.project.rows import inputs_of, truth_of

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.experiment import Experiment
    from mmstudio.inference.predictor import Predictor

TestSample = tuple[int, dict[str, "str | Path | None"], dict[str, "str | None"]]
"""A row's number, its inputs and its true labels."""


class PredictorStore(QObject):
    """The model on the Test page.

    Signals:
        changed: Carries the model, None where there is none; sent too when one could not be
            loaded, so that the page shows what there is instead.
        predicted: Carries the answer to the latest request.
        failed: Carries a message and a hint instead of an answer.

    Attributes:
        predictor: The model.
        run: The run that it is of.
        scope: Closes when the model changes.
    """

    changed = Signal(object)
    predicted = Signal(object)
    failed = Signal(str, str)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, project: ProjectStore, runs: RunsStore,
        training: TrainingController,
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._project = jobs, libraries, project
        self._training = training
        self.scope = Scope()
        self.predictor: Predictor | None = None
        self.run: Path | None = None
        self._experiment: Experiment | None = None
        self._loading = JobSlot(jobs, project.scope)
        self._asking = LatestSlot(jobs, project.scope)
        self._loading_run: Path | None = None
        self._folder: Path | None = None
        self._position = -1
        self._splits: np.ndarray | None = None
        project.changed.connect(self._on_project)
        project.splits_changed.connect(self._restart_samples)
        runs.opening.connect(self._load_where_there)
        runs.deleting.connect(self._forget_run)
        training.improved.connect(self._load_where_asked)
        training.ended.connect(self._on_trained)

    @property
    def loading(self) -> bool:
        """Whether a model is on its way."""
        return self._loading.busy

    @property
    def asks_run_in_training(self) -> bool:
        """Whether the model is the one that is learning."""
        return self._training.running and self.run is not None and self.run == self._training.run

    def load(self, run: Path) -> None:
        """Load a run's best model."""
        table, folder = self._project.table, self._project.folder

        def work() -> Any:
            self._libraries.wait()
            loaded = loading.load_predictor(run, table)
            return loaded, loading.splits_of_run(loaded[1], table, folder)

        def done(found: tuple[tuple[Predictor, Experiment], np.ndarray | None]) -> None:
            loaded, splits = found
            self._take(run, *loaded, splits)

        def failed(message: str, hint: str) -> None:
            self._jobs.problem.emit(message, hint)
            self._tell()

        self._loading_run = run
        self._loading.run(work, done, failed)

    def forget(self) -> None:
        """Have no model."""
        self._take(None, None, None)

    def _take(
        self, run: Path | None, predictor: Predictor | None, experiment: Experiment | None,
        splits: np.ndarray | None = None,
    ) -> None:
        self.predictor, self.run, self._experiment = predictor, run, experiment
        self._splits = splits
        self._tell()

    def _tell(self) -> None:
        self.scope.close()
        self.changed.emit(self.predictor)

    def _on_project(self, folder: Path | None) -> None:
        self._loading.cancel()
        self._asking.cancel()
        self._restart_samples()
        self._splits = None  # of rows that may be others now
        if folder != self._folder:
            self._folder = folder
            self.forget()

    def _load_where_there(self, run: Path) -> None:
        if loading.has_model(run):
            self.load(run)

    def _load_where_asked(self, run: Path) -> None:
        """The run that learns answers better than before: who asks it gets the new answers."""
        if self.asks_run_in_training:
            self.load(run)

    def _on_trained(self) -> None:
        if self._training.run is not None:
            self._load_where_there(self._training.run)

    def _forget_run(self, run: Path) -> None:
        """Neither have a run's model nor load it: its folder goes."""
        if run == self.run:
            self.forget()
        if self._loading.busy and run == self._loading_run:
            self._loading.cancel()
            self._tell()

    # Questions -----------------------------------------------------------------------------

    def predict(self, inputs: Mapping[str, str | Path | None], use: set[str]) -> None:
        """Ask the model; a newer request supersedes the older, whose answer never arrives."""
        if self.predictor is None:
            return
        asked, used = dict(inputs), set(use)

        def work() -> Any:
            predictor = self.predictor  # a better one may have come while the request waited
            return None if predictor is None else predictor.predict(asked, use=used)

        def done(answer: Any) -> None:
            if answer is not None:
                self.predicted.emit(answer)

        self._asking.ask(work, done, self.failed.emit)

    def next_sample(self) -> TestSample | None:
        """The next row of the test split, or None; starts anew after the last one.

        The split is the one that the model was trained with: the project's may be another by now.
        """
        table = self._project.table
        splits = self._project.splits if self._splits is None else self._splits
        experiment = self._experiment or self._project.experiment
        if experiment is None or table is None or splits is None:
            return None
        rows = (splits == "test").nonzero()[0]
        if not len(rows):
            return None
        self._position = (self._position + 1) % len(rows)
        row = int(rows[self._position])
        sample = self.sample(row)
        return None if sample is None else (row, *sample)

    def sample(
        self, row: int
    ) -> tuple[dict[str, str | Path | None], dict[str, str | None]] | None:
        """A row's inputs and its true labels, as the loaded model has them; None without one."""
        table = self._project.table
        experiment = self._experiment or self._project.experiment
        if experiment is None or table is None or not 0 <= row < len(table):
            return None
        return inputs_of(table, experiment, row), truth_of(table, experiment, row)

    def _restart_samples(self) -> None:
        """The next test sample is the first one again."""
        self._position = -1
