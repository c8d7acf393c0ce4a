"""The Train page: start a run, watch it learn, pause and stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.pages.train.answers_line import AnswersLine
from mmstudio.gui.pages.train.finished_note import FinishedNote
from mmstudio.gui.pages.train.fit_line import FitLine
from mmstudio.gui.pages.train.input_scores import InputScoresView
from mmstudio.gui.pages.train.queue_menu import QueueMenu
from mmstudio.gui.pages.train.stop_menu import StopMenu
from mmstudio.gui.pages.train.training_options import TrainingOptions
from mmstudio.gui.pages.train.warnings_note import WarningsNote
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import EmptyState, button, page_head
from mmstudio.gui.parts.missing_models import MissingModels
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_line import ProgressLine
from mmstudio.gui.parts.progress_words import progress_sentence
from mmstudio.gui.parts.queueing import AddToQueue, QueuedNote
from mmstudio.gui.parts.run_figures import WIDTH as FIGURES_WIDTH
from mmstudio.gui.parts.run_figures import RunFigures
from mmstudio.gui.parts.view_switch import ViewSwitch
from mmstudio.gui.plots.run_plots import RunPlots
from mmstudio.gui.state import loading
from mmstudio.training.events import Combined, StepDone

if TYPE_CHECKING:
    from mmstudio.gui.state.download_manager import DownloadManager
    from mmstudio.gui.state.estimate import EstimateStore
    from mmstudio.gui.state.heavy_work import HeavyWork
    from mmstudio.gui.state.job_runner import JobRunner
    from mmstudio.gui.state.libraries import Libraries
    from mmstudio.gui.state.predictor_store import PredictorStore
    from mmstudio.gui.state.project_store import ProjectStore
    from mmstudio.gui.state.queue_store import QueueStore
    from mmstudio.gui.state.runs_store import RunsStore
    from mmstudio.gui.state.training import TrainingController

LEAST_VIEW = 2 * 160 + 12
"""Height of two plots that can still be read, pixels; below it the page scrolls."""


class TrainPage(QWidget):
    """Shows the run on show: its progress, curves and figures.

    `page_asked` asks the window for another page, `run_asked` for a run on the Runs page,
    `queue_asked` for the queue.
    """

    page_asked = Signal(str)
    run_asked = Signal(object)
    queue_asked = Signal()

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        runs: RunsStore, training: TrainingController, testing: PredictorStore,
        models: DownloadManager, fit: EstimateStore, queue: QueueStore,
        parent: QWidget | None = None
    ) -> None:
        """Build the page; what it shows follows the stores."""
        super().__init__(parent)
        self.setObjectName("Train")
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project, self._runs, self._training = project, runs, training
        self._testing, self._models, self._fit, self._queue = testing, models, fit, queue
        self._drawing_asked = False
        self._failed = False
        self._build()
        self._connect()
        self._show_project()
        if self._runs.history is not None:
            self._show_history()  # a run was opened before this page was made

    # Building ------------------------------------------------------------------------------

    def _build(self) -> None:
        head = self._build_head()  # first, as Tab goes through the page in this order
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._build_empty())
        self._stack.addWidget(scrolled(self._build_page(), self))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)
        for key, pressed in (
            ("F5", self.start_button),
            ("F6", self.pause_button),
            ("F7", self.stop_button),
            ("Shift+F5", self.queue_button),
        ):
            QShortcut(QKeySequence(key), self, pressed.click)
        QShortcut(QKeySequence("Shift+F7"), self, self.stop_menu.after_epoch.trigger)

    def _build_empty(self) -> QWidget:
        action = button(self.tr("Go to the Data page"), mark="primary")
        action.clicked.connect(lambda: self.page_asked.emit("Data"))
        return EmptyState(
            "mdi6.chart-line",
            self.tr("Nothing to train yet"),
            self.tr("Open the sample project or your own data; then one click trains a model."),
            action,
        )

    def _build_page(self) -> QWidget:
        page = QWidget(self)
        self.options = TrainingOptions(page)
        self.options.changed.connect(self._project.edit)
        self.missing = MissingModels(
            self._models, self._project, self._heavy, lambda: self._project.experiment, page)
        self.fit = FitLine(self._project, self._fit, self._heavy, page)
        self.fit.batch_chosen.connect(
            lambda size: self._project.edit("training.batch_size", size))
        self.finished_note = FinishedNote(page)
        self.finished_note.try_it.clicked.connect(self._try_it)
        self.finished_note.show_run.clicked.connect(
            lambda: self.run_asked.emit(self._runs.shown))
        self.finished_note.resume.clicked.connect(self._resume)
        self.failed_note = NoteLine("Training failed", page)
        self.warning_note = WarningsNote(page)
        self.plots = RunPlots(page)
        self.inputs = InputScoresView(page)
        self._views = QStackedWidget(page)
        self._views.addWidget(scrolled(self.plots, page))
        self._views.addWidget(scrolled(self.inputs, page))
        self._views.setMinimumHeight(LEAST_VIEW)
        self.figures = RunFigures(page)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addWidget(self._views, 1)
        figures = scrolled(self.figures, page)
        figures.setFixedWidth(FIGURES_WIDTH)
        body.addWidget(figures)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(self.options)
        layout.addWidget(self.missing)
        layout.addWidget(self.fit)
        layout.addWidget(self._build_progress(page))
        self.answers = AnswersLine(page)
        layout.addWidget(self.answers)
        self.queued_note = QueuedNote(self._queue, ("train", "folds"), page)
        self.queued_note.show_queue.clicked.connect(self.queue_asked)
        for note in (self.queued_note, self.finished_note, self.failed_note, self.warning_note):
            layout.addWidget(note)
        layout.addLayout(body, 1)
        return page

    def _build_head(self) -> QHBoxLayout:
        head, self.run_line = page_head(self.tr("Train"))
        self.run_line.setObjectName("Shown run")
        self.start_button = button(
            self.tr("Start training"),
            "mdi6.play",
            "primary",
            self.tr("Train this experiment (F5)"),
            name="Start training",
        )
        self.queue_button = AddToQueue(
            self._add_to_queue, self.tr("Train this experiment later (Shift+F5)"))
        self.pause_button = button(self.tr("Pause"), name="Pause")
        self.pause_button.setMinimumWidth(96)
        self.stop_button = button(
            self.tr("Stop"),
            "mdi6.stop",
            tip=self.tr("End the training and keep the best model (F7)"),
            name="Stop",
        )
        self.start_button.clicked.connect(self._start)
        self.pause_button.clicked.connect(self._pause_or_resume)
        self.stop_button.clicked.connect(self._training.stop)
        self.stop_menu = StopMenu(self._training)
        self.queue_menu = QueueMenu(self._add_folds)
        for widget in (self.start_button, self.queue_button, self.queue_menu, self.pause_button,
                       self.stop_button, self.stop_menu):
            head.addWidget(widget)
        return head

    def _build_progress(self, page: QWidget) -> QWidget:
        self.progress = ProgressLine(page)
        self.view_switch = ViewSwitch(page)
        self.view_switch.chosen.connect(lambda view: self._views.setCurrentIndex(view))
        self.progress.line.addWidget(self.view_switch)
        return self.progress

    def _connect(self) -> None:
        self._project.changed.connect(self._show_project)
        self._project.experiment_changed.connect(self._show_project)
        self._libraries.components_ready.connect(self._show_project)
        self._project.splits_changed.connect(self._show_project)
        self._training.changed.connect(self._show_state)
        self._training.started.connect(self._run_started)
        self._training.events.connect(self._run_events)
        self._training.ended.connect(self._run_ended)
        self._training.failed.connect(self._run_failed)
        self._runs.opened.connect(self._run_opened)
        style.changed.connect(self._restyle)
        self._restyle()

    def showEvent(self, event: QShowEvent) -> None:
        """Load pyqtgraph the first time, off the GUI thread."""
        super().showEvent(event)
        if not self._drawing_asked:
            self._drawing_asked = True
            self._jobs.start(_load_plotting, lambda _: self.plots.begin_drawing())

    # What a person does --------------------------------------------------------------------

    def _start(self) -> None:
        focused = self.focusWidget()
        if focused is not None:
            # A number that is still being typed counts.
            focused.clearFocus()
        self.missing.look_first(self.start_button, self._training.start)

    def _resume(self) -> None:
        if self._runs.shown is not None:
            self._training.resume(self._runs.shown)

    def _add_to_queue(self) -> None:
        focused = self.focusWidget()
        if focused is not None:
            focused.clearFocus()
        self.missing.look_first(self.queue_button, self._queue.add_training)

    def _add_folds(self, folds: int) -> None:
        self.missing.look_first(self.queue_menu, lambda: self._queue.add_folds(folds))

    def _pause_or_resume(self) -> None:
        self._training.pause(not self._training.paused)

    def _try_it(self) -> None:
        run = self._runs.shown
        if run is not None and run != self._testing.run and loading.has_model(run):
            self._testing.load(run)
        self.page_asked.emit("Test")

    # What the stores tell ------------------------------------------------------------------

    def _show_project(self) -> None:
        experiment = self._project.experiment
        splits = self._project.splits
        self.options.show_experiment(
            experiment, 0 if splits is None else int((splits == "train").sum()))
        usable = experiment is not None or self._runs.history is not None
        self._stack.setCurrentIndex(1 if usable else 0)
        if self._runs.history is None:
            self.plots.show_run(
                None, self._expected(), self._expected_inputs(), self._expects_alignment())
            self.figures.show_run(None, self._expected())
        self._show_inputs()
        self._show_state()

    def _run_started(self) -> None:
        self._failed = False
        self._forget_notes()
        self._show_history()

    def _run_opened(self) -> None:
        self._failed = False
        self._forget_notes()
        self._show_project()
        self._show_history()

    def _forget_notes(self) -> None:
        self.finished_note.hide()
        self.failed_note.hide()
        self.warning_note.forget()

    def _show_history(self) -> None:
        self.plots.show_run(self._runs.history, self._expected(), self._expected_inputs(),
                            self._training.running and self._expects_alignment())
        self.figures.show_run(self._runs.history, self._expected())
        self._show_inputs()
        self._show_state()

    def _show_inputs(self) -> None:
        """What each input is worth, where the run told it."""
        history = self._runs.history
        self.inputs.show_run(history)
        self.answers.show_run(history)
        self.view_switch.offer(history is not None and history.inputs_scored is not None)

    def _expected_inputs(self) -> list[str]:
        """The inputs of a run that has not begun."""
        experiment = self._project.experiment
        return list(experiment.active_inputs) if experiment is not None else []

    def _expects_alignment(self) -> bool:
        """Whether a run that has not begun will align its inputs."""
        experiment = self._project.experiment
        return experiment is not None and experiment.training.alignment > 0

    def _expected(self) -> list[str]:
        """The tasks of a run that has not begun."""
        experiment = self._project.experiment
        return list(experiment.active_targets) if experiment is not None else []

    def _run_events(self, events: list[object]) -> None:
        epochs_too = any(not isinstance(event, StepDone) for event in events)
        self.plots.data_changed(epochs_too)
        history = self._runs.history
        if epochs_too and history is not None and history.started is not None:
            self.figures.show_run(history)
            self._show_inputs()
            self.warning_note.show_warnings(history.warnings)
        if any(isinstance(event, Combined) for event in events):
            self._offer_answers()
        self._show_progress()

    def _offer_answers(self) -> None:
        """The run can answer from now on, or better than before."""
        if self._training.running and self._runs.shown is not None:
            self.finished_note.show_answering(
                self._runs.history, loading.has_model(self._runs.shown))

    def _run_ended(self, reason: str) -> None:
        self.plots.data_changed(epochs_too=True)
        self.figures.show_run(self._runs.history, self._expected())
        self._show_state()
        if reason != "failed":
            run = self._runs.shown
            self.finished_note.show_end(
                reason, self._runs.history, run is not None and loading.has_model(run))

    def _run_failed(self, message: str, hint: str) -> None:
        self._failed = True
        self.failed_note.show_note(message, hint, "bad")
        self._show_state()

    # State ---------------------------------------------------------------------------------

    def _show_state(self) -> None:
        training = self._training.running
        usable = self._project.experiment is not None
        self.start_button.setEnabled(not training and usable)
        self.queue_button.setEnabled(usable)
        self.queue_menu.setEnabled(usable)
        self.pause_button.setEnabled(training and not self._training.stopping)
        self.stop_button.setEnabled(training and not self._training.stopping)
        paused = self._training.paused
        self.pause_button.setText(self.tr("Resume") if paused else self.tr("Pause"))
        self.pause_button.setToolTip(
            self.tr("Continue the training (F6)")
            if paused
            else self.tr("Pause the training; it continues from there (F6)")
        )
        self.options.set_locked(training)
        run = self._runs.shown
        if run is None or self._failed:
            self.run_line.set_text("")
        elif training:
            self.run_line.set_text(self.tr("Run {run}").format(run=run.name))
        else:
            self.run_line.set_text(self.tr("Showing run {run}").format(run=run.name))
        self._restyle()
        self._show_progress()

    def _show_progress(self) -> None:
        history = self._runs.history
        share: float | None = 0.0
        if history is not None:
            share = history.progress()
            if history.started is None:
                preparing = history.preparing
                if preparing is not None and preparing.total:
                    share = preparing.done / preparing.total
                if self._training.running and not share:
                    share = None
        self.progress.show_progress(progress_sentence(
            self._runs.history, self._training.state,
            self._libraries.device_name, self._failed), share)

    def _restyle(self) -> None:
        name = "mdi6.play" if self._training.paused else "mdi6.pause"
        self.pause_button.setIcon(style.icon(name, "muted"))


def _load_plotting() -> None:
    import mmstudio.gui.plots.epoch_plot  # noqa: F401
