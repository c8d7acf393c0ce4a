"""The app's one state: the open project, the run on show, the model to test.

Pages show it and call it. It holds the state and sends the signals; the work on the data, the
training and so on stands in the modules `session_...` beside this one. Nothing here draws, and
nothing in the core knows of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state import loading
from mmstudio.gui.state.advice import SessionAdvice
from mmstudio.gui.state.comparing import SessionComparing
from mmstudio.gui.state.data import SessionData
from mmstudio.gui.state.editing import SessionEditing
from mmstudio.gui.state.estimate import SessionFit
from mmstudio.gui.state.job_slot import Scope
from mmstudio.gui.state.jobs import Job, LatestFirst
from mmstudio.gui.state.models import SessionModels
from mmstudio.gui.state.projects import SessionProjects
from mmstudio.gui.state.results import SessionResults
from mmstudio.gui.state.runs import SessionRuns
from mmstudio.gui.state.similar import SessionSimilar
from mmstudio.gui.state.testing import SessionTesting
from mmstudio.gui.state.training import SessionTraining
from mmstudio.registry import PROBLEMS

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.new_project import Proposal
    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table
    from mmstudio.experiment import Experiment
    from mmstudio.gui import projects
    from mmstudio.inference.predictor import Predictor
    from mmstudio.own_components import ComponentFile
    from mmstudio.training.history import RunHistory
    from mmstudio.training.run_folder import RunSummary

AUTOMATIC_CHECK_ROWS = 2000
"""Projects up to this many rows are checked when they are opened."""


class Session(QObject):
    """The app's state and what can be done with it. Lives on the GUI thread."""

    project_changed = Signal()
    experiment_changed = Signal()
    splits_changed = Signal()
    tables_ready = Signal()
    components_ready = Signal()
    run_started = Signal()
    run_events = Signal(list)
    run_ended = Signal(str)
    run_failed = Signal(str, str)
    run_opened = Signal()
    training_changed = Signal()
    predictor_changed = Signal()
    predicted = Signal(object)
    prediction_failed = Signal(str, str)
    problem = Signal(str, str)
    runs_changed = Signal()
    check_changed = Signal()
    busy_changed = Signal(str)
    trust_asked = Signal(list)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Path | None = None
        self.table: Table | None = None
        self.splits: np.ndarray | None = None
        self.columns: list[Column] = []
        self.table_name = ""
        self.experiment: Experiment | None = None
        self.history: RunHistory | None = None
        self.shown_run: Path | None = None
        self.training = False
        self.paused = False
        self.stopping = False
        self.predictor: Predictor | None = None
        self.predictor_run: Path | None = None
        self.runs: list[RunSummary] = []
        self.checking: Any = None
        self.report: Any = None
        self.ready = False
        self.device_name = ""
        self.busy = ""
        self.closed = False
        self.app_scope, self.project_scope, self.model_scope = Scope(), Scope(), Scope()
        self.predictor_changed.connect(self.model_scope.close)
        self._jobs: set[Job] = set()
        self._loaded = threading.Event()
        self._small_things: LatestFirst | None = None
        self._projects = SessionProjects(self)
        self._data = SessionData(self)
        self._editing = SessionEditing(self, self._data)
        self._training = SessionTraining(self)
        self._runs = SessionRuns(self)
        self._testing = SessionTesting(self)
        self.comparing = SessionComparing(self)
        self.advice = SessionAdvice(self)
        self.similar = SessionSimilar(self)
        self.models = SessionModels(self)
        self.fit = SessionFit(self)
        self.results = SessionResults(self)

    # Jobs ----------------------------------------------------------------------------------

    def start_job(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str, str], None] | None = None,
        events: Callable[[list[Any]], None] | None = None,
        *,
        low_priority: bool = False,
        begin: bool = True,
    ) -> Job:
        """Run `work` in a thread of its own and hand its result to `done`, on the GUI thread.

        Args:
            work: A callable, or one that gives a generator.
            done: Takes the result.
            failed: Takes a message and a hint; the window's banner when None.
            events: Takes what a generator yields, in lists.
            low_priority: A long job: let the window, and all else, go first.
            begin: Start at once.
        """
        job = Job(work, low_priority=low_priority)
        job.result.connect(done)
        job.failed.connect(failed or self.problem.emit)
        if events is not None:
            job.events.connect(events)
        self._jobs.add(job)
        job.finished.connect(self._forget_finished)
        if self.closed:
            job.cancel()  # nobody would wait for its thread: it can't be begun any more
        return job.begin() if begin else job

    def _forget_finished(self) -> None:
        # A QThread that is deleted before its thread has ended aborts the process.
        for job in [job for job in self._jobs if job.over]:
            self._jobs.discard(job)

    @property
    def small_things(self) -> LatestFirst:
        """The thread that makes thumbnails."""
        if self._small_things is None:
            self._small_things = LatestFirst(self)
        return self._small_things

    def load_table_reader(self) -> None:
        """Import what reads tables in the background; `tables_ready` says when."""
        self.start_job(loading.load_table_reader, lambda _: self.tables_ready.emit())

    def warm_up(self) -> None:
        """Import torch and the components in the background; call once the window stands."""
        self.start_job(loading.load_components, self._on_ready, self._on_load_failed)

    def _on_ready(self, device_name: str) -> None:
        self.device_name = device_name
        self.ready = True
        self._loaded.set()
        self.components_ready.emit()
        if PROBLEMS:
            self.problem.emit(" ".join(PROBLEMS), self.tr("Update that package, or remove it."))

    def _on_load_failed(self, message: str, hint: str) -> None:
        self._loaded.set()
        self.problem.emit(message, hint)

    def wait_for_components(self) -> None:
        """Block a job's thread until torch is loaded, or the window is closed."""
        self._loaded.wait()

    def shutdown(self) -> None:
        """Stop all jobs and wait for them; a run in training keeps its model."""
        if self.closed:
            return
        self.closed = True
        self.save_pending()
        self._loaded.set()
        for job in self._jobs:
            job.cancel(orderly=any(part.is_own(job) for part in (
                self._training, self.comparing, self.models)))
        for job in list(self._jobs):
            job.wait()
        if self._small_things is not None:
            self._small_things.end()

    # Projects ------------------------------------------------------------------------------

    def open_sample_project(self) -> None:
        """Write the sample project where there is none yet, and open it."""
        self._projects.open_sample()

    def open_project(self, path: Path | str) -> None:
        """Open a project folder, its experiment file, or a run's or table's project."""
        self._projects.open(Path(path))

    def allow_components(self, files: Sequence[ComponentFile], allowed: bool) -> None:
        """Answer `trust_asked`: open the project with these files of its own, or without."""
        self._projects.allow(files, allowed)

    def new_project(
        self,
        folder: Path | str,
        source: Path | str | None = None,
        proposal: Proposal | None = None,
    ) -> None:
        """Make a project folder, on a table file or a folder of media when there is one."""
        self._projects.make(Path(folder), Path(source) if source else None, proposal)

    def import_data(self, source: Path | str, proposal: Proposal | None = None) -> None:
        """Take other data into the open project; a proposal says what its columns are."""
        self._projects.import_data(Path(source), proposal)

    def close_project(self) -> bool:
        """Put the project away; False while a model is being trained."""
        return self._projects.close()

    def set_busy(self, text: str) -> None:
        """Say what keeps the window from the project; "" when it is there."""
        self.busy = text
        self.busy_changed.emit(text)

    def take(self, opened: projects.Opened) -> None:
        """Have another project, or the same one with other data."""
        self._data.forget()
        self._testing.forget_requests()
        self._testing.restart_samples()
        same = opened.project == self.project
        self.project = opened.project
        self.experiment = opened.experiment
        self.table = opened.table
        self.splits = opened.splits
        self.columns = list(opened.columns)
        self.table_name = opened.table_name
        if not same:
            self.project_scope.close()
            self.history = self.shown_run = None
            self.runs = []
            self._testing.forget_model()
        self.set_busy("")
        self.project_changed.emit()
        if not same:
            self.run_opened.emit()
            self.predictor_changed.emit()
        self.check_changed.emit()
        self.refresh_runs()
        if opened.problem is not None:
            self.problem.emit(*opened.problem)
        elif self.table is not None and len(self.table) <= AUTOMATIC_CHECK_ROWS:
            self.check_data()

    def edit(self, key: str | Sequence[str], value: Any) -> bool:
        """Set one key of the experiment; False where it is refused.

        Args:
            key: `"training.epochs"`, or its parts where a name may hold a dot.
            value: The key's new value.
        """
        return self._editing.edit(key, value)

    def take_experiment(self, experiment: Experiment) -> None:
        """Have this experiment from now on, and save it soon."""
        self._editing.take(experiment)

    def save_pending(self) -> None:
        """Write the experiment file now, where an edit waits for it."""
        self._editing.save_pending()

    def save(self) -> None:
        """Write the experiment file now."""
        self._editing.save()

    def assign_columns(self, columns: Sequence[Column]) -> bool:
        """Use the table's columns as said; what was chosen for those that stay is kept.

        False where that leaves no input or no target; then nothing changes.
        """
        return self._editing.assign_columns(columns)

    def check_data(self) -> None:
        """Read all data in the background and list what is wrong with it."""
        self._data.check()

    @property
    def is_checking(self) -> bool:
        """Whether the data is being checked."""
        return self._data.is_checking

    def stop_check(self) -> None:
        """Leave the check off."""
        self._data.stop_check()

    def mend_problems(self, kind: str) -> None:
        """Mend all problems of a kind; the data itself stays as it is."""
        self._data.mending.mend(kind)

    def undo_mending(self) -> None:
        """Take the last mending back."""
        self._data.mending.undo()

    @property
    def can_undo_mending(self) -> bool:
        """Whether there is a mending to take back."""
        return bool(self._data.mending.summary)

    @property
    def mended_summary(self) -> str:
        """What was mended last, as a sentence."""
        return self._data.mending.summary

    # Training and runs ---------------------------------------------------------------------

    def start_training(self) -> None:
        """Train the experiment as it is in a new run."""
        self._training.start()

    def pause_training(self, paused: bool) -> None:
        """Hold the training, or let it go on."""
        self._training.pause(paused)

    def stop_training(self) -> None:
        """End the training soon; the model so far is kept."""
        self._training.stop()

    def refresh_runs(self) -> None:
        """List the project's runs anew."""
        self._runs.refresh()

    def look_for_runs(self) -> None:
        """List the runs anew where something else has changed them."""
        self._editing.file.look()
        self._runs.look_again()

    def open_run(self, run: Path) -> None:
        """Show a run's curves and load its model."""
        self._runs.open(run)

    def read_histories(
        self, runs: Sequence[Path], done: Callable[[dict[Path, RunHistory]], None]
    ) -> Job:
        """Read several runs' curves, for laying them over each other."""
        return self._runs.read_histories(runs, done)

    def delete_run(self, run: Path) -> None:
        """Move a run's folder to the trash."""
        self._runs.delete(run)

    # Testing -------------------------------------------------------------------------------

    def load_model(self, run: Path) -> None:
        """Load a run's best model for the Test page."""
        self._testing.load(run)

    @property
    def asks_run_in_training(self) -> bool:
        """Whether the model on the Test page is the one that is learning."""
        return (self.training and self.predictor_run is not None
                and self.predictor_run == self.shown_run)

    @property
    def loading_model(self) -> bool:
        """Whether a model is on its way to the Test page."""
        return self._testing.is_loading

    def forget_run(self, run: Path) -> None:
        """Have no model of this run on the Test page, and let none come."""
        self._testing.forget_run(run)

    def forget_model(self) -> None:
        """Have no model on the Test page."""
        self._testing.forget_model()
        self.predictor_changed.emit()

    def predict(self, inputs: Mapping[str, str | Path | None], use: set[str]) -> None:
        """Ask the model; a newer request supersedes the older, whose answer never arrives."""
        self._testing.predict(inputs, use)

    def next_test_sample(
        self,
    ) -> tuple[int, dict[str, str | Path | None], dict[str, str | None]] | None:
        """The next row of the test split: its number, its inputs and its true labels.

        None where there is no test row. Starts anew after the last one.
        """
        return self._testing.next_sample()

    def sample(self, row: int) -> tuple[dict[str, str | Path | None], dict[str, str | None]] | None:
        """A row's inputs and its true labels; None where there is no such row."""
        return self._testing.sample(row)
