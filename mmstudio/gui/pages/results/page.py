"""The Results page: where the model is wrong, and how far it can be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.data.split import SPLITS
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.classes_tab import ClassesTab
from mmstudio.gui.pages.results.curves_tab import CurvesTab
from mmstudio.gui.pages.results.labels_tab import LabelsTab
from mmstudio.gui.pages.results.map_tab import MapTab
from mmstudio.gui.pages.results.mistakes_tab import MistakesTab
from mmstudio.gui.pages.results.robustness_tab import RobustnessTab
from mmstudio.gui.pages.results.trust_tab import TrustTab
from mmstudio.gui.parts.cards import EmptyState, button, label, page_head
from mmstudio.gui.parts.model_chooser import ModelChooser
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_pane import ProgressPane
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.findings import ReviewStore
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.predictor_store import PredictorStore
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.results import ResultsStore, Shown
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.training import TrainingController


class ResultsPage(QWidget):
    """Shows a run's answers to a whole split.

    `page_asked` asks the window for another page, `sample_asked` for a row on the Test page.
    """

    page_asked = Signal(str)
    sample_asked = Signal(int)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, runs: RunsStore,
        training: TrainingController, testing: PredictorStore, results: ResultsStore,
        review: ReviewStore, decisions: DecisionsStore, parent: QWidget | None = None,
    ) -> None:
        """Build the page; what it shows follows the stores."""
        super().__init__(parent)
        self.setObjectName("Results")
        self._jobs, self._project, self._runs = jobs, project, runs
        self._testing, self._results = testing, results
        self._review, self._decisions = review, decisions
        self._stale = True
        self._build()
        self._results.changed.connect(self._show_status)
        self._results.progressed.connect(self._show_progress)
        testing.changed.connect(self._predictor_changed)
        training.ended.connect(self._look_again)
        project.changed.connect(self._look_again)
        runs.changed.connect(self._runs_changed)
        project.splits_changed.connect(self._look_again)
        self._show_status()

    # Building ------------------------------------------------------------------------------

    def _build(self) -> None:
        head, self.line = page_head(self.tr("Results"))
        self.task_box = self._box("Task", self.tr("What is predicted"))
        self.task_box.activated.connect(lambda _: self._show_task())
        self.split_box = self._box("Split", self.tr("Which rows were answered"))
        titles = {"test": self.tr("Test rows"), "validation": self.tr("Validation rows"),
                  "train": self.tr("Training rows")}
        for split in reversed(SPLITS):
            self.split_box.addItem(titles[split], split)
        self.split_box.activated.connect(lambda _: self._show_run(self._results.run))
        self.models = ModelChooser(self._runs, self._testing, self)
        self.models.chosen.connect(self._choose_run)
        self.task_title = label(self.tr("Task"), "muted")
        for widget in (self.task_title, self.task_box, self.split_box, self.models):
            head.addWidget(widget)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._build_empty())
        self._stack.addWidget(self._build_progress())
        self._stack.addWidget(self._build_tabs())
        self.note = NoteLine("Results message", self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self.note)
        layout.addWidget(self._stack, 1)

    def _box(self, name: str, tip: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        box.setObjectName(name)
        box.setToolTip(plain_tip(tip))
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        guard_wheel(box)
        return box

    def _build_empty(self) -> QWidget:
        self.evaluate_button = button(
            self.tr("Evaluate"), "mdi6.play", mark="primary",
            tip=self.tr("Have the model answer all of these rows"), name="Evaluate")
        self.evaluate_button.clicked.connect(self._act)
        self._empty = EmptyState("mdi6.chart-box-outline", "", "", self.evaluate_button)
        return self._empty

    def _build_progress(self) -> QWidget:
        pane = ProgressPane(
            "Evaluation progress", "Stop evaluation", self.tr("Cancel the evaluation"), self)
        pane.stopped.connect(self._results.stop)
        self.progress, self.stop_button = pane.line, pane.stop_button
        return pane

    def _build_tabs(self) -> QWidget:
        self.tabs = QTabWidget(self)
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.setAccessibleName("Results")
        self.mistakes = MistakesTab(self._jobs, self._results, self)
        self.mistakes.sample_asked.connect(self._open_sample)
        self.tabs.addTab(self.mistakes, self.tr("Mistakes"))
        self.classes = ClassesTab(self._results, self)
        self.classes.places_asked.connect(self._show_places)
        self.tabs.addTab(self.classes, self.tr("Classes"))
        self.curves = CurvesTab(self._results, self)
        self.tabs.addTab(self.curves, self.tr("Curves"))
        self.trust = TrustTab(self._results, self)
        self.tabs.addTab(self.trust, self.tr("Trust"))
        self.map = MapTab(self._jobs, self._project, self._results, self._decisions, self)
        self.map.page_asked.connect(self.page_asked)
        self.map.sample_asked.connect(self._open_sample)
        self.tabs.addTab(self.map, self.tr("Map"))
        self.labels = LabelsTab(
            self._jobs, self._project, self._results, self._review, self._decisions, self)
        self.labels.page_asked.connect(self.page_asked)
        self.tabs.addTab(self.labels, self.tr("Labels"))
        self.robustness = RobustnessTab(self._results, self)
        self.tabs.addTab(self.robustness, self.tr("Robustness"))
        return self.tabs

    # Which run -----------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's: look up the results where they may be others."""
        super().showEvent(event)
        if self._stale:
            self._look_again()

    def _look_again(self, *_: object) -> None:
        """The run, its model or the rows are others: look up its results once it is seen."""
        self._stale = not self.isVisible()
        self.models.refresh()
        if self._stale:
            return
        runs, run = self._results.model_runs(), self._results.run
        if run in runs and self._results.status == "working" and self._results.rows():
            return  # what happens beside an evaluation does not make its answers others
        used = self._testing.run or self._results.run
        self._show_run(used if used in runs else self._results.usual_run())

    def _predictor_changed(self, *_: object) -> None:
        """Another run's model is on the Test page; the same one again changes nothing here."""
        used = self._testing.run
        if used is not None and used != self._results.run:
            self._look_again()

    def _runs_changed(self, *_: object) -> None:
        runs = self._results.model_runs()
        self.models.refresh()
        if self._results.run not in runs:
            self._look_again()

    def _choose_run(self, run: Path) -> None:
        self._testing.load(run)  # the Test page shows the same one
        self._show_run(run)

    def _show_run(self, run: Path | None) -> None:
        if self._project.folder is not None:
            self._results.show(run, str(self.split_box.currentData()))

    # What is shown -------------------------------------------------------------------------

    def _show_status(self) -> None:
        results, shown = self._results, self._results.shown
        if shown is not None:
            self._show_warnings(shown)
            self._show_tasks()
        else:
            self.note.hide()
            self.line.set_text("")
            self.task_box.hide()
            self.task_title.hide()
        self.split_box.setVisible(results.run is not None)
        self.models.show_run(results.run)
        if results.status in ("looking", "working"):
            sentence = (self.tr("Looking for the results …") if results.status == "looking"
                        else self.tr("Preparing …"))
            self.progress.show_progress(sentence, None)
            self.stop_button.setVisible(results.status == "working")
            self._stack.setCurrentIndex(1)
        elif shown is not None and shown.facts:
            self._stack.setCurrentIndex(2)
        else:
            self._show_empty()

    def _show_progress(self, message: str, done: int, total: int) -> None:
        text = self.tr("{message}: {done} of {total} rows").format(
            message=message, done=f"{done:,}", total=f"{total:,}")
        self.progress.show_progress(text, done / total if total else None)

    def _show_empty(self) -> None:
        results, ask = self._results, ""
        if results.status == "missing":
            title = self.tr("These rows have not been answered yet")
            text = self.tr(
                "The model answers {rows} rows, from all inputs and from each subset of them. "
                "The answers are kept beside the run.").format(rows=f"{results.rows():,}")
            ask = self.tr("Evaluate")
        elif results.status == "failed":
            title, text, ask = results.message, results.hint, self.tr("Try again")
        elif results.status == "ready":
            title = self.tr("No task of this model can be shown")
            text = self.tr("Tasks of your own answer in a way that only they know.")
        else:
            title = self.tr("There is no model yet")
            text = self.tr("Train one first. Its mistakes are shown here.")
            ask = self.tr("Go to the Train page")
        self._empty.set_texts(title, text)
        self.evaluate_button.setText(ask)
        self.evaluate_button.setAccessibleName(ask)
        self.evaluate_button.setVisible(bool(ask))
        self._stack.setCurrentIndex(0)

    def _act(self) -> None:
        if self._results.status in ("missing", "failed"):
            self._results.evaluate()
        else:
            self.page_asked.emit("Train")

    def _show_warnings(self, shown: Shown) -> None:
        if shown.warnings:
            self.note.show_note(shown.warnings[0], "\n".join(shown.warnings[1:]), "warn")
        else:
            self.note.hide()

    def _show_tasks(self) -> None:
        shown = self._results.shown
        if shown is None or not shown.facts:
            return
        before = self.task_box.currentData()
        self.task_box.clear()
        for name in shown.facts:
            self.task_box.addItem(name, name)
        self.task_box.setCurrentIndex(max(0, self.task_box.findData(before)))
        self.task_box.setVisible(len(shown.facts) > 1)
        self.task_title.setVisible(len(shown.facts) > 1)
        self._show_task()

    def _show_task(self) -> None:
        shown = self._results.shown
        if shown is None:
            return
        facts = shown.facts[str(self.task_box.currentData())]
        known = int(facts.task.known.sum())
        self.line.set_text(self.tr("{rows} rows with a label for “{task}”").format(
            rows=f"{known:,}", task=facts.name))
        for tab in (self.mistakes, self.classes, self.curves, self.trust, self.map, self.labels,
                    self.robustness):
            tab.show_facts(shown, facts)

    def _open_sample(self, row: int) -> None:
        """Ask for a row on the Test page, answered by the model that is shown here."""
        shown = self._results.shown
        if shown is None or shown.table is not self._project.table:
            self.line.set_text(self.tr("These rows are not those of the project's table now."))
            return
        if self._testing.run != self._results.run and self._results.run is not None:
            self._testing.load(self._results.run)
        self.sample_asked.emit(row)

    def _show_places(self, places: np.ndarray) -> None:
        """List some of the rows on the first tab."""
        self.tabs.setCurrentWidget(self.mistakes)
        self.mistakes.samples.show_places(places)
