"""The Test page: drop a picture, a text or a sound, and see what the model says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QHideEvent,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.data.placing import file_patterns
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.pages.testing.drop_area import DropTarget
from mmstudio.gui.pages.testing.drop_row import DropRow
from mmstudio.gui.pages.testing.no_model import NoModel
from mmstudio.gui.pages.testing.sample_cards import SampleCards
from mmstudio.gui.pages.testing.side import TestSide
from mmstudio.gui.pages.testing.table_panel import TablePanel
from mmstudio.gui.pages.testing.why_line import WhyLine
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import button, page_head
from mmstudio.gui.parts.dropped import Dropped, dropped_from, is_data, is_project, is_table
from mmstudio.gui.parts.model_chooser import ModelChooser
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.take_away import TakeAwayButton, TakeAwayLine
from mmstudio.gui.state.runs_store import own_run
from mmstudio.project.rows import inputs_of

if TYPE_CHECKING:
    from mmstudio.gui.state.explanation_store import ExplanationStore
    from mmstudio.gui.state.job_runner import JobRunner
    from mmstudio.gui.state.predictor_store import PredictorStore
    from mmstudio.gui.state.project_store import ProjectStore
    from mmstudio.gui.state.runs_store import RunsStore
    from mmstudio.gui.state.similar import SimilarStore
    from mmstudio.gui.state.table_predictions import TablePredictions
    from mmstudio.gui.state.take_away import TakeAway
    from mmstudio.gui.state.training import TrainingController
    from mmstudio.inference.prediction import Prediction


class TestPage(DropTarget):
    """Shows one sample at a time and the model's answer to it.

    `last_answer_ms` is the time from the last drop, key or click to the answer on the screen.
    `page_asked` asks the window for another page.
    """

    page_asked = Signal(str)
    __test__ = False  # its name makes pytest take it for a test

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, runs: RunsStore,
        training: TrainingController, testing: PredictorStore, similar: SimilarStore,
        explaining: ExplanationStore, take_away: TakeAway, tables: TablePredictions,
        parent: QWidget | None = None,
    ) -> None:
        """Build the page; what it shows follows the stores."""
        super().__init__(parent)
        self.setObjectName("Test")
        self._jobs, self._project, self._runs = jobs, project, runs
        self._training, self._testing, self._similar = training, testing, similar
        self._explaining, self._take_away, self._tables = explaining, take_away, tables
        self._truth: dict[str, str | None] = {}
        self._row = 0
        self._wanted_row: int | None = None
        self._of_row: set[str] = set()
        self._tried: set[Path] = set()
        self._clock = QElapsedTimer()
        self._awaiting_paint = False
        self.last_answer_ms: float | None = None
        self._build()
        self._connect()
        self._show_predictor()

    # Building ------------------------------------------------------------------------------

    def _build(self) -> None:
        head, self.sample_line = page_head(self.tr("Test"))
        self.models = ModelChooser(self._runs, self._testing, self)
        self.model_box = self.models.box
        self.take_away_button = TakeAwayButton(self._take_away, lambda: self._testing.run)
        self.table_button = button(
            self.tr("Predict a table or folder…"), "mdi6.table-check",
            tip=self.tr("Answer for all rows of a table, or for all files in a folder"),
            name="Predict a table or folder…")
        head.addWidget(self.table_button)
        head.addWidget(self.take_away_button)
        head.addWidget(self.models)
        self._no_model = NoModel()
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._no_model)
        self._stack.addWidget(self._build_body())
        self.panel = TablePanel(self._jobs, self._testing, self._tables, self)
        self._stack.addWidget(self.panel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(TakeAwayLine(self._take_away, self))
        layout.addWidget(self._stack, 1)
        QShortcut(QKeySequence.StandardKey.Paste, self, self.paste)
        QShortcut(QKeySequence("N"), self, self.next_button.click)

    def _build_body(self) -> QWidget:
        self.note = NoteLine("Test message", self)
        self.board = SampleCards(self._jobs)
        self.side = TestSide(
            self._jobs, self._runs, self._training, self._testing, self._similar, self)
        self.answers = self.side.answers
        self.why = WhyLine(
            self._testing, self._explaining, self.board, self.answers, self)
        self.why.similar_asked.connect(lambda: self.side.switch.choose(1))
        self.answers.show_above(self.why)
        left = QVBoxLayout()
        left.setSpacing(12)
        left.addWidget(self._build_drop_row())
        left.addWidget(self.note)
        left.addWidget(scrolled(self.board, self), 1)
        body = QWidget(self)
        layout = QHBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(left, 1)
        layout.addWidget(self.side)
        return body

    def _build_drop_row(self) -> QWidget:
        row = DropRow(self)
        self.drop_area, self.choose_button = row.area, row.choose_button
        self.next_button, self.clear_button = row.next_button, row.clear_button
        return row

    def _connect(self) -> None:
        self.dropped.connect(self.take)
        self.drop_area.dropped.connect(self.take)
        self.drop_area.clicked.connect(self.choose_files)
        self.choose_button.clicked.connect(self.choose_files)
        self.next_button.clicked.connect(self.next_sample)
        self.clear_button.clicked.connect(self.clear)
        self.table_button.clicked.connect(lambda: self._show_panel(True))
        self.panel.back_asked.connect(lambda: self._show_panel(False))
        self.panel.sample_asked.connect(self._show_table_row)
        self.models.chosen.connect(self._load_chosen)
        self._no_model.page_asked.connect(self.page_asked)
        self.board.touched.connect(self._touched)
        self.board.replaced.connect(self._sample_replaced)
        self.board.changed.connect(self._ask)
        self.board.message.connect(self.note.show_note)
        self.answers.painted.connect(self._answer_painted)
        self.side.similar.page_asked.connect(self.page_asked)
        self._testing.changed.connect(self._show_predictor)
        self._project.changed.connect(self._project_changed)
        self._training.changed.connect(self._show_empty)
        self._runs.changed.connect(self._runs_changed)
        self._testing.predicted.connect(self._show_prediction)
        self._testing.failed.connect(self._prediction_failed)

    def showEvent(self, event: QShowEvent) -> None:
        """Load the newest model when none is there."""
        super().showEvent(event)
        self._load_newest()

    def hideEvent(self, event: QHideEvent) -> None:
        """Be silent while another page is shown."""
        super().hideEvent(event)
        self.board.stop_playing()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the answers their share of the width."""
        super().resizeEvent(event)
        self.side.use_width_of(self.width())

    # The model -----------------------------------------------------------------------------

    def _show_predictor(self) -> None:
        predictor = self._testing.predictor
        self.models.refresh()
        self.take_away_button.setVisible(predictor is not None)
        self.table_button.setVisible(predictor is not None)
        if predictor is None:
            self.board.clear()
            self._show_empty()
            self._load_newest()
            return
        self.note.hide()
        self.board.set_inputs(predictor.inputs, predictor.schema.inputs)
        self.answers.set_tasks(predictor.tasks, predictor.separators)
        self.why.watch_cards()
        self.why.offer_similar(self._similar.possible)
        self.answers.explained = len(predictor.inputs) > 1
        self.drop_area.show_hint(self._accepted_sentence())
        self.choose_button.setEnabled(bool(file_patterns(self.board.kinds())))
        self.next_button.setEnabled(self._project.table is not None)
        self._show_panel(self._tables.status != "none")
        if self.side.show_model(predictor):
            self.note.show_note(
                self.tr("This model was trained to find what belongs together, and nothing else."),
                self.tr("Its answers mean nothing; look at what is similar."),
                "info",
            )
        self._clock.start()
        row, self._wanted_row = self._wanted_row, None
        if row is not None:
            self.show_row(row)
        else:
            self._ask()

    def _project_changed(self) -> None:
        self._wanted_row = None
        self._tried.clear()  # what was being loaded was left: other data may have come
        self._show_predictor()

    def _runs_changed(self) -> None:
        self.models.refresh()
        self._show_empty()
        self._load_newest()

    def _load_newest(self) -> None:
        if not self.isVisible() or self._testing.predictor is not None or self._testing.loading:
            return
        run = own_run(self.models.runs())
        if run is not None and run.path not in self._tried:
            # Once: a model that cannot be loaded would be tried for ever.
            self._tried.add(run.path)
            self._testing.load(run.path)
            self._show_empty()

    def _load_chosen(self, run: Path) -> None:
        self.answers.time_label.setText(self.tr("Loading the model …"))
        self._testing.load(run)

    def _accepted_sentence(self) -> str:
        kinds = [medium_of(kind).plural() or kind for kind in self.board.kinds()]
        sentence = (self.tr("This model takes {kinds}, any of them or all. Drop, paste or click.")
                    if len(kinds) > 1 else
                    self.tr("This model takes {kinds}. Drop, paste or click."))
        return sentence.format(kinds=", ".join(kinds))

    def _show_empty(self) -> None:
        if self._testing.predictor is not None:
            return
        if self._testing.loading:
            self._no_model.show_loading()
        elif self._project.folder is None:
            self._no_model.show_no_project()
        elif self._training.running:
            experiment = self._project.experiment
            self._no_model.show_learning(
                quick=experiment is not None and experiment.training.combine)
        elif self.models.runs():
            self._no_model.show_none_loaded()
        else:
            self._no_model.show_none_trained()
        self._stack.setCurrentIndex(0)

    # Samples -------------------------------------------------------------------------------

    def take(self, found: Dropped) -> None:
        """Put what was dropped or pasted into the inputs, and ask the model; predict a table."""
        if self._testing.predictor is None:
            return
        if len(found.files) == 1 and is_table(found.files[0]):
            self._show_panel(True)
            self._tables.predict(found.files[0])
        else:
            self._show_panel(False)
            self.board.take(found)

    def _show_panel(self, shown: bool) -> None:
        """Show a table's answers, or the single sample; there must be a model."""
        if self._testing.predictor is not None:
            self._stack.setCurrentIndex(2 if shown else 1)
            self.table_button.setVisible(not shown)

    def _show_table_row(self, row: int) -> None:
        """Show a row of the table that was predicted as the sample."""
        sheet, predictor = self._tables.sheet, self._testing.predictor
        if sheet is None or predictor is None:
            return
        self._touched()
        self._show_panel(False)
        self._show_row(self.tr("Sample of the predicted table · row {row}"), row,
                       inputs_of(sheet.table, predictor.experiment, row), {})

    def paste(self) -> None:
        """Take what the clipboard holds."""
        self.take(dropped_from(QGuiApplication.clipboard().mimeData()))

    def choose_files(self) -> None:
        """Let the person choose files."""
        patterns = file_patterns(self.board.kinds())
        dialog = QFileDialog(self, self.tr("Choose the sample's files"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters(
            [self.tr("Samples ({patterns})").format(patterns=patterns), self.tr("All files (*)")]
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(self._files_chosen)
        dialog.open()

    def _files_chosen(self, files: list[str]) -> None:
        self.take(Dropped(files=tuple(Path(file) for file in files)))

    def next_sample(self) -> None:
        """Show the next row of the test split, with its truth."""
        self._touched()
        sample = self._testing.next_sample()
        if sample is None:
            self.note.show_note(
                self.tr("There is no test sample."),
                self.tr("No row of the table belongs to the test split. Drop a file instead."),
                "warn",
            )
            return
        self._show_row(self.tr("Test sample · row {row}"), *sample)

    def show_row(self, row: int) -> None:
        """Show a row of the table, with its truth; by the model that is on its way, if one is."""
        self._touched()
        if self._testing.loading:
            self._wanted_row = row  # the model there now may have other inputs
            return
        sample = self._testing.sample(row)
        if sample is not None and self._testing.predictor is not None:
            self._show_row(self.tr("Sample · row {row}"), row, *sample)
        else:
            self._wanted_row = row  # once the model is there

    def _show_row(
        self, line: str, row: int, inputs: dict[str, str | Path | None],
        truth: dict[str, str | None],
    ) -> None:
        self._row = row
        self._of_row = set(inputs)
        self._truth = dict(truth)
        self.sample_line.set_text(line.format(row=self._row + 1))
        self.board.show_sample(inputs)

    def clear(self) -> None:
        """Take the whole sample away."""
        self._touched()
        self.board.clear()

    def _touched(self) -> None:
        self._clock.start()
        self.note.hide()

    def _sample_replaced(self, names: set[str]) -> None:
        """A sample that a person changed is no longer the table's row; say what is left of it."""
        self._truth = {}
        self._of_row -= names
        kept = ", ".join(name for name, card in self.board.cards.items()
                         if name in self._of_row and card.value is not None)
        line = self.tr("Changed · still of row {row}: {inputs}") if kept else ""
        self.sample_line.set_text(line.format(row=self._row + 1, inputs=kept))

    # Answers -------------------------------------------------------------------------------

    def _ask(self) -> None:
        values, used = self.board.values(), self.board.used()
        self.side.similar.show_sample(values, used)
        if any(values[name] is not None for name in used):
            self._testing.predict(values, used)
        elif any(value is not None for value in values.values()):
            self.answers.show_nothing(self.tr("Every input is muted. Use one to get an answer."))
        else:
            self.answers.show_nothing(
                self.tr("Drop a sample, or press “Next test sample”: the answer appears here.")
            )

    def _show_prediction(self, prediction: Prediction) -> None:
        values = self.board.values()
        if not any(values[name] is not None for name in self.board.used()):
            return  # the sample was cleared while the model was at it
        self._awaiting_paint = self._clock.isValid()
        elapsed_ms = self._clock.elapsed() if self._awaiting_paint else 0
        self.answers.show_prediction(prediction, self._truth, elapsed_ms)
        if not self.isVisible():
            self._answer_painted()

    def _answer_painted(self) -> None:
        if self._awaiting_paint:
            self._awaiting_paint = False
            self.last_answer_ms = self._clock.nsecsElapsed() / 1e6

    def _prediction_failed(self, message: str, hint: str) -> None:
        self.answers.show_nothing("")
        self.note.show_note(message, hint, "bad")

    # Events --------------------------------------------------------------------------------

    def takes(self, mime: QMimeData) -> bool:
        """A table or folder too, where a model can answer it; a project is the window's."""
        if is_data(mime):
            return self._testing.predictor is not None and not is_project(mime)
        return super().takes(mime)

    def event(self, event: QEvent) -> bool:
        """Claim Escape: the window has a use for it too."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and (
                event.key() == Qt.Key.Key_Escape):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Clear the sample by Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.clear_button.click()
        else:
            super().keyPressEvent(event)

    def _light(self, on: bool) -> None:
        self.drop_area.hovered = on
        self.drop_area.update()
