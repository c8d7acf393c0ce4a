"""The Compare page: which fusion is best, and does fusing help at all?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.pages.compare.compare_choices import CompareChoices
from mmstudio.gui.pages.compare.comparison_chooser import ComparisonChooser
from mmstudio.gui.pages.compare.comparison_words import comparison_sentence, shown_line
from mmstudio.gui.pages.compare.ranking_table import RankingModel, RankingView
from mmstudio.gui.pages.compare.verdict_card import VerdictCard
from mmstudio.gui.parts.cards import EmptyState, button, page_head
from mmstudio.gui.parts.missing_models import MissingModels
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_line import ProgressLine
from mmstudio.gui.parts.queueing import AddToQueue, QueuedNote
from mmstudio.gui.state import loading

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.gui.state.comparison import ComparisonController
    from mmstudio.gui.state.download_manager import DownloadManager
    from mmstudio.gui.state.heavy_work import HeavyWork
    from mmstudio.gui.state.libraries import Libraries
    from mmstudio.gui.state.project_store import ProjectStore
    from mmstudio.gui.state.queue_store import QueueStore

_EMPTY, _NEW, _SHOWN = range(3)


class ComparePage(QWidget):
    """Puts a comparison together, shows how it goes and what it found.

    `page_asked` asks the window for another page, `queue_asked` for the queue.
    """

    page_asked = Signal(str)
    queue_asked = Signal()

    def __init__(
        self, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        comparing: ComparisonController, models: DownloadManager,
        queue: QueueStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("Compare")
        self._libraries, self._heavy, self._project = libraries, heavy, project
        self._comparing, self._models, self._queue = comparing, models, queue
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(12)
        box.addLayout(self._build_head())
        self.note = NoteLine("Comparison failed", self)
        box.addWidget(self.note)
        self.queued_note = QueuedNote(queue, ("compare",), self)
        self.queued_note.show_queue.clicked.connect(self.queue_asked)
        box.addWidget(self.queued_note)
        self.missing = MissingModels(self._models, self._project, self._heavy, self._to_train, self)
        box.addWidget(self.missing)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._build_empty())
        self.choices = CompareChoices()
        self.choices.changed.connect(self._show_state)
        self._stack.addWidget(self.choices)
        self._stack.addWidget(self._build_shown())
        box.addWidget(self._stack, 1)
        self._connect()
        self._show_experiment()

    # Building ------------------------------------------------------------------------------

    def _build_head(self) -> QHBoxLayout:
        head, self._about = page_head(self.tr("Compare"))
        self.chooser = ComparisonChooser(self._comparing)
        self.start_button = button(
            self.tr("Start comparison"), "mdi6.play", "primary", name="Start comparison")
        self.start_button.clicked.connect(self._start)
        self.queue_button = AddToQueue(
            self._add_to_queue, self.tr("Run this comparison later"))
        self.pause_button = button(self.tr("Pause"), name="Pause")
        self.pause_button.setMinimumWidth(96)
        self.pause_button.clicked.connect(
            lambda: self._comparing.pause(not self._comparing.paused))
        self.stop_button = button(
            self.tr("Stop"), "mdi6.stop",
            tip=self.tr("End it here; it can be resumed later"), name="Stop")
        self.stop_button.clicked.connect(self._comparing.stop)
        self.save_button = button(
            self.tr("Save report"), "mdi6.content-save-outline",
            tip=self.tr("Save the ranking as a web page and as a table"), name="Save report")
        self.save_button.clicked.connect(self._ask_save)
        for widget in (self.chooser, self.start_button, self.queue_button, self.pause_button,
                       self.stop_button, self.save_button):
            head.addWidget(widget)
        return head

    def _build_empty(self) -> QWidget:
        self._empty_button = button(self.tr("Go to the Data page"), mark="primary")
        self._empty_button.clicked.connect(self._leave_empty)
        self._empty = EmptyState("mdi6.podium", "", "", self._empty_button)
        return self._empty

    def _build_shown(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        self.verdict = VerdictCard()
        column.addWidget(self.verdict)
        self.progress = ProgressLine()
        column.addWidget(self.progress)
        self.model = RankingModel(self)
        self.table = RankingView(self.model)
        column.addWidget(self.table, 1)
        self.failures = NoteLine("Failed trainings", page)
        column.addWidget(self.failures)
        return page

    def _connect(self) -> None:
        comparing = self._comparing
        for signal in (self._project.changed, self._project.experiment_changed,
                       self._libraries.components_ready):
            signal.connect(self._show_experiment)
        self._heavy.changed.connect(self._show_state)
        comparing.changed.connect(self._show_all)
        comparing.changed.connect(self.missing.show_models)
        comparing.events_arrived.connect(self._on_events)
        comparing.saved.connect(lambda path: self.note.show_note(
            self.tr("The report is saved, and its table beside it."), path, "good"))
        style.changed.connect(self._restyle)
        self._restyle()

    # What a person does --------------------------------------------------------------------

    def _start(self) -> None:
        focused = self.focusWidget()
        if focused is not None:
            focused.clearFocus()  # a number that is still being typed counts
        self.missing.look_first(self.start_button, self._begin)

    def _begin(self) -> None:
        if self._comparing.shown:
            self._comparing.resume()
        else:
            self._comparing.start(self.choices.choices())

    def _add_to_queue(self) -> None:
        focused = self.focusWidget()
        if focused is not None:
            focused.clearFocus()
        self.missing.look_first(
            self.queue_button, lambda: self._queue.add_comparison(self.choices.choices()))

    def _ask_save(self) -> None:
        project = self._project.folder
        if project is None:
            return
        dialog = QFileDialog(self, self.tr("Save report"), str(project))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(self.tr("Web page (*.html)"))
        dialog.setDefaultSuffix("html")
        dialog.selectFile(f"{self._comparing.shown}.html")
        dialog.fileSelected.connect(lambda path: self._comparing.save_report(Path(path)))
        dialog.open()

    def _leave_empty(self) -> None:
        self.page_asked.emit("Data" if self._project.experiment is None else "Model")

    # What the stores tell ------------------------------------------------------------------

    def _show_experiment(self) -> None:
        experiment = self._project.experiment
        if experiment is not None and self._libraries.ready:
            self.choices.show_experiment(experiment, loading.components().fusions)
        self._show_all()

    def _on_events(self, events: list[object]) -> None:
        from mmstudio.comparison.events import RunTold

        if not all(isinstance(event, RunTold) for event in events):
            self._show_ranking()
            self._show_state()
        else:
            self._show_progress()

    def _show_all(self) -> None:
        self.chooser.show_chosen()
        failure = self._comparing.failure
        if failure is None:
            self.note.hide()
        else:
            self.note.show_note(*failure, "bad")
        self._show_ranking()
        self._show_state()

    # State ---------------------------------------------------------------------------------

    def _show_state(self) -> None:
        comparing = self._comparing
        self._show_page()
        self.missing.show_models()
        running, ranking, whole = comparing.running, comparing.ranking, self._is_whole()
        new = not comparing.shown
        ready = self._libraries.ready and self._project.experiment is not None and (
            self.choices.contestants() > 1 if new else comparing.plan is not None and not whole)
        on_page = self._stack.currentIndex() != _EMPTY
        self.start_button.setText(
            self.tr("Start comparison") if new or running else self.tr("Continue"))
        self.start_button.setToolTip(
            "" if new else self.tr("Train what is missing; what is done stays"))
        self.start_button.setVisible(on_page and not (whole and not new))
        self.start_button.setEnabled(ready and not running)
        self.queue_button.setVisible(on_page and new)
        self.queue_button.setEnabled(ready)
        for widget in (self.pause_button, self.stop_button):
            widget.setVisible(running)
            widget.setEnabled(not comparing.stopping)
        self.pause_button.setText(self.tr("Resume") if comparing.paused else self.tr("Pause"))
        self.save_button.setVisible(not new)
        self.save_button.setEnabled(ranking is not None and bool(ranking.standings))
        self.chooser.setVisible(not running and (bool(comparing.comparisons) or not new))
        self._about.set_text(shown_line(comparing) if on_page else "")
        self._restyle()
        self._show_progress()

    def _is_whole(self) -> bool:
        """Whether all trainings of the comparison on show are done."""
        ranking = self._comparing.ranking
        return ranking is not None and ranking.is_complete and not ranking.failures

    def _has_inputs(self) -> bool:
        """Whether there is something to fuse."""
        experiment = self._project.experiment
        return experiment is not None and len(experiment.active_inputs) > 1

    def _to_train(self) -> Experiment | None:
        """What the trainings that can be started here share; None where there are none."""
        comparing = self._comparing
        if not comparing.shown:
            return self._project.experiment if self._has_inputs() else None
        return None if comparing.plan is None or self._is_whole() else comparing.plan.experiment

    def _show_page(self) -> None:
        experiment = self._project.experiment
        if self._comparing.shown:
            self._stack.setCurrentIndex(_SHOWN)
            return
        usable = self._has_inputs()
        self._stack.setCurrentIndex(_NEW if usable else _EMPTY)
        if experiment is None:
            self._empty.set_texts(
                self.tr("Nothing to compare yet"),
                self.tr("Add data first and say which columns are inputs and what to predict. "
                        "Then all ways to fuse them can be compared here."))
            self._name_empty_button(self.tr("Go to the Data page"))
        elif not usable:
            self._empty.set_texts(
                self.tr("There is nothing to fuse"),
                self.tr("The model uses one input only. Switch on a second one on the Model "
                        "page; then the ways to fuse them can be compared here."))
            self._name_empty_button(self.tr("Go to the Model page"))

    def _name_empty_button(self, text: str) -> None:
        self._empty_button.setText(text)
        self._empty_button.setAccessibleName(text)

    def _show_ranking(self) -> None:
        comparing = self._comparing
        plan, ranking = comparing.plan, comparing.ranking
        going = ""
        progress = comparing.progress
        if comparing.running and progress is not None and plan is not None and progress.run:
            going = next((r.contestant.key for r in plan.runs() if r.run == progress.run), "")
        scored = {s.contestant.key for s in ranking.standings} if ranking is not None else set()
        waiting = [c for c in plan.contestants if c.key not in scored] if plan is not None else []
        self.model.show_ranking(ranking, waiting, going, plan.seeds if plan is not None else 0)
        self.verdict.show_ranking(ranking, comparing.running)
        failures = ranking.failures if ranking is not None else ()
        if failures:
            last = failures[-1]
            self.failures.show_note(
                self.tr("{0} of the trainings failed. {1}: {2}").format(
                    len(failures), last.run, last.message), last.hint, "warn")
        else:
            self.failures.hide()

    def _show_progress(self) -> None:
        comparing = self._comparing
        progress = comparing.progress
        share = progress.share() if progress is not None else 0.0
        if progress is None and comparing.ranking is not None and comparing.ranking.total:
            ranking = comparing.ranking
            share = (ranking.done + len(ranking.failures)) / ranking.total
        self.progress.show_progress(comparison_sentence(comparing), share)
        self.progress.bar.setVisible(comparing.running or share < 1)

    def _restyle(self) -> None:
        name = "mdi6.play" if self._comparing.paused else "mdi6.pause"
        self.pause_button.setIcon(style.icon(name, "muted"))
