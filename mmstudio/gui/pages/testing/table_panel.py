"""*Predict a table or folder*: its progress, its answers, and whether its rows are unusual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.testing.answered_rows import AnsweredRows
from mmstudio.gui.pages.testing.answered_table import AnsweredTable
from mmstudio.gui.pages.testing.drift_words import drift_words
from mmstudio.gui.parts.cards import ElidedLabel, button, label
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.parts.progress_line import ProgressLine
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.predictor_store import PredictorStore
from mmstudio.gui.state.table_predictions import TablePredictions
from mmstudio.inference.sheet_question import SheetQuestion
from mmstudio.units import time_left_text

if TYPE_CHECKING:
    from mmstudio.inference.answer_sheet import AnswerSheet

TABLES = "*.csv *.tsv *.jsonl *.ndjson *.json *.parquet *.xlsx *.ods"
ANSWERS = "CSV (*.csv);;Parquet (*.parquet);;TSV (*.tsv);;JSON lines (*.jsonl)"
MOST_ANSWERS = 500
"""Of a list of answers to choose from."""
SURE = ((0.0, 2.0), (0.0, 0.5), (0.0, 0.8), (0.8, 2.0), (0.95, 2.0))
"""Ranges of confidence to choose from."""


class TablePanel(QWidget):
    """Shows one table's answers.

    `sample_asked` brings a row whose sample is wanted, `back_asked` wants the single sample.
    """

    sample_asked = Signal(int)
    back_asked = Signal()

    def __init__(
        self, jobs: JobRunner, testing: PredictorStore, tables: TablePredictions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("Predict a table or folder")
        self._testing, self._tables = testing, tables
        self._sheet: AnswerSheet | None = None
        self._question = SheetQuestion()
        self._odd: frozenset[int] = frozenset()
        self.model = AnsweredRows(jobs.small_things, self)
        self.table = AnsweredTable(self.model, self)
        self._build()
        self._connect()
        self._show_status()

    # Building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.title = ElidedLabel("", "section")
        self.table_button = button(self.tr("Choose a table…"), "mdi6.table", name="Choose a table…")
        self.folder_button = button(
            self.tr("Choose a folder…"), "mdi6.folder-outline", name="Choose a folder…",
            tip=self.tr("Files of one name are one sample; folders may be named like inputs"))
        self.save_button = button(
            self.tr("Save answers…"), "mdi6.content-save-outline", name="Save answers…",
            tip=self.tr("The table with the answers beside it, as CSV or Parquet"))
        self.back_button = button(self.tr("One sample"), "mdi6.arrow-left", name="One sample",
                                  tip=self.tr("Back to a single sample; the answers stay"))
        head = QHBoxLayout()
        head.setSpacing(style.SPACE)
        head.addWidget(self.back_button)
        head.addWidget(self.title, 1)
        for one in (self.table_button, self.folder_button, self.save_button):
            head.addWidget(one)
        self.note = NoteLine("Table message", self)
        self.drift_note = NoteLine("Drift", self)
        self.drift_line = label("", "muted", wrap=True)
        self.drift_line.setAccessibleName("Drift progress")
        self.drift_line.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE)
        layout.addLayout(head)
        layout.addWidget(self._build_progress())
        layout.addWidget(self.note)
        layout.addWidget(self.drift_note)
        layout.addLayout(self._build_drift_line())
        layout.addLayout(self._build_filters())
        layout.addWidget(self.table, 1)

    def _build_progress(self) -> QWidget:
        self.progress = ProgressLine(self)
        self.progress.label.setAccessibleName("Table progress")
        self.progress.label.setObjectName("Table progress")
        self.stop_button = button(self.tr("Stop"), "mdi6.stop", name="Stop predicting",
                                  tip=self.tr("Stop here; the answers so far are kept"))
        self.go_on_button = button(self.tr("Continue"), "mdi6.play", name="Continue predicting",
                                   tip=self.tr("Answer the remaining rows"))
        self.working = QWidget(self)
        row = QHBoxLayout(self.working)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * style.SPACE)
        row.addWidget(self.progress, 1)
        row.addWidget(self.stop_button)
        row.addWidget(self.go_on_button)
        return self.working

    def _build_drift_line(self) -> QHBoxLayout:
        self.compare_button = button(
            self.tr("Compare with the training data"), "mdi6.compare-horizontal",
            name="Compare with the training data",
            tip=self.tr("Do these rows look like those that the model learned from?"))
        self.stop_drift_button = button(self.tr("Stop"), "mdi6.stop", name="Stop comparing")
        row = QHBoxLayout()
        row.addWidget(self.drift_line, 1000)
        row.addStretch(1)  # the line is hidden where it has nothing to say
        row.addWidget(self.stop_drift_button)
        row.addWidget(self.compare_button)
        return row

    def _build_filters(self) -> QHBoxLayout:
        self.task_box = self._box("Task of the answers", self.tr("Whose answers are looked at"))
        self.answer_box = self._box("Answer", self.tr("Only rows with this answer"))
        self.sure_box = self._box("Confidence", self.tr("Only rows that are so sure"))
        self.rows_box = self._box("Rows", self.tr("Which rows are listed"))
        self.count_label = ElidedLabel("", "small")
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        row.addWidget(self.count_label, 1)
        for box in (self.task_box, self.answer_box, self.sure_box, self.rows_box):
            row.addWidget(box)
        return row

    def _box(self, name: str, tip: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        box.setObjectName(name)
        box.setToolTip(plain_tip(tip))
        box.setMaximumWidth(220)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        box.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        guard_wheel(box)
        box.activated.connect(lambda _: self._filter())
        return box

    def _connect(self) -> None:
        tables = self._tables
        self.table_button.clicked.connect(lambda: self._choose(folder=False))
        self.folder_button.clicked.connect(lambda: self._choose(folder=True))
        self.save_button.clicked.connect(self._ask_place)
        self.back_button.clicked.connect(self.back_asked)
        self.stop_button.clicked.connect(tables.stop)
        self.go_on_button.clicked.connect(tables.go_on)
        self.compare_button.clicked.connect(tables.compare)
        self.stop_drift_button.clicked.connect(tables.stop_comparing)
        self.table.opened.connect(self.sample_asked)
        self.model.sort_asked.connect(self._sort)
        tables.changed.connect(self._show_status)
        tables.progressed.connect(self._show_progress)
        tables.answered.connect(self._grow)
        tables.listed.connect(self._list)
        tables.written.connect(self._show_written)
        tables.not_written.connect(
            lambda message, hint: self.note.show_note(message, hint, "bad"))
        tables.drift_changed.connect(self._show_drift)

    # What is shown -------------------------------------------------------------------------

    def _show_status(self) -> None:
        tables, status = self._tables, self._tables.status
        if tables.sheet is not self._sheet:
            self._show_sheet(tables.sheet)
        name = "" if tables.source is None else tables.source.name
        self.title.set_text(name or self.tr("Drop a table or a folder here, or choose one"))
        there = self._sheet is not None
        left = there and len(self._sheet or ()) < len(self._sheet.table if self._sheet else ())
        self.working.setVisible(status in ("reading", "working", "stopped"))
        self.stop_button.setVisible(status in ("reading", "working"))
        self.go_on_button.setVisible(status == "stopped" and left)
        self.save_button.setEnabled(there and status != "working")
        if status == "reading":
            self.progress.show_progress(self.tr("Reading the table …"), None)
        elif status == "stopped" and self._sheet is not None:
            done, total = len(self._sheet), len(self._sheet.table)
            sentence = self.tr("Stopped: {done} of {total} rows are answered")
            self.progress.show_progress(
                sentence.format(done=f"{done:,}", total=f"{total:,}"), done / total)
        if status == "failed":
            self.note.show_note(tables.message, tables.hint, "bad")
        elif tables.notes:
            self.note.show_note(tables.notes[0], "\n".join(tables.notes[1:]), "warn")
        else:
            self.note.hide()
        self._show_drift()

    def _show_progress(self, done: int, total: int, rows_per_s: float, left_s: float) -> None:
        sentence = self.tr("{done} of {total} rows · {pace} rows/s · about {time} left").format(
            done=f"{done:,}", total=f"{total:,}", pace=f"{rows_per_s:,.0f}",
            time=time_left_text(left_s))
        self.progress.show_progress(sentence, done / total if total else None)

    def _show_sheet(self, sheet: AnswerSheet | None) -> None:
        self._sheet = sheet
        predictor = self._testing.predictor
        inputs = {} if predictor is None else predictor.experiment.active_inputs
        self.model.show_sheet(sheet, inputs)
        self._question = SheetQuestion()
        self.table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.table.fit()
        self._odd = frozenset()
        self._fill_boxes(sheet)
        self._question = SheetQuestion(task=str(self.task_box.currentData() or ""))
        self._show_count()

    def _fill_boxes(self, sheet: AnswerSheet | None) -> None:
        tasks = [] if sheet is None else sheet.tasks
        _refill(self.task_box, [(name, name) for name in tasks])
        self.task_box.setVisible(len(tasks) > 1)
        texts = [self.tr("Any confidence"), self.tr("Below 50 %"), self.tr("Below 80 %"),
                 self.tr("80 % or more"), self.tr("95 % or more")]
        _refill(self.sure_box, list(zip(texts, SURE, strict=True)))
        _refill(self.rows_box, [(self.tr("All rows"), ""),
                                (self.tr("Not wholly read"), "faults")])
        self._fill_answers()

    def _fill_answers(self) -> None:
        """The answers of the chosen task that can be chosen from, as far as they are known."""
        predictor, task = self._testing.predictor, str(self.task_box.currentData() or "")
        sheet = self._sheet
        is_number = sheet is not None and task in sheet.numbers
        spec = {} if predictor is None else predictor.schema.targets.get(task, {})
        classes = [] if is_number or task in getattr(predictor, "separators", {}) else [
            str(one) for one in spec.get("classes", ())][:MOST_ANSWERS]
        _refill(self.answer_box, [(self.tr("Any answer"), None), *((n, n) for n in classes)])
        self.answer_box.setVisible(bool(classes))
        self.sure_box.setVisible(bool(task) and not is_number)

    def _filter(self) -> None:
        task = str(self.task_box.currentData() or "")
        if task != self._question.task:
            self._fill_answers()
        least, below = self.sure_box.currentData() or SURE[0]
        rows = str(self.rows_box.currentData() or "")
        self._ask(replace(
            self._question, task=task, answer=self.answer_box.currentData(), least=least,
            below=below, faults=rows == "faults", among=self._odd if rows == "odd" else None))

    def _sort(self, what: str, task: str, descending: bool) -> None:
        question = replace(self._question, sort=what, sort_task=task, descending=descending)
        if question != self._question:
            self._ask(question)

    def _ask(self, question: SheetQuestion) -> None:
        self._question = question
        if question.takes_all:
            self.model.show_rows(None)
            self._show_count()
        else:
            self._tables.ask(question)

    def _grow(self, count: int) -> None:
        if self._question.takes_all:
            self.model.grow(count)
            self._show_count()
        else:
            self._tables.ask(self._question)

    def _list(self, rows: np.ndarray) -> None:
        if not self._question.takes_all:
            self.model.show_rows(rows)
            self._show_count()

    def _show_count(self) -> None:
        listed, sheet = self.model.rowCount(), self._sheet
        text = "" if sheet is None else self.tr(
            "{listed} of {answered} answered rows. Click one to see its sample.").format(
            listed=f"{listed:,}", answered=f"{len(sheet):,}")
        self.count_label.set_text(text)
        self.table.setAccessibleDescription(text)

    def _show_drift(self) -> None:
        tables = self._tables
        self.drift_line.setText(tables.drift_words)
        self.drift_line.setVisible(bool(tables.drift_words))
        self.stop_drift_button.setVisible(tables.comparing)
        self.compare_button.setVisible(
            tables.status in ("done", "stopped") and tables.drift is None and not tables.comparing)
        drift = tables.drift
        if drift is None:
            self.drift_note.hide()
            self._offer_odd(frozenset())
            self.model.show_odd(None)
            return
        odd = {one.row: one for one in drift.rows if one.stands_out}
        self._offer_odd(frozenset(odd))
        self.model.show_odd(odd)
        self.table.fit()
        self.drift_note.show_note(*drift_words(drift, len(odd)),
                                  "warn" if drift.drifted else "good")

    def _offer_odd(self, odd: frozenset[int]) -> None:
        """Let rows that stand out be chosen, where there are some."""
        at = self.rows_box.findData("odd")
        if odd and at < 0:
            self.rows_box.addItem(self.tr("Unlike the training data"), "odd")
        elif not odd and at >= 0:
            self.rows_box.removeItem(at)
        if odd != self._odd:
            self._odd = odd
            self._filter()

    # Files ---------------------------------------------------------------------------------

    def _choose(self, *, folder: bool) -> None:
        title = self.tr("Predict a folder") if folder else self.tr("Predict a table")
        dialog = QFileDialog(self.window(), title)
        dialog.setFileMode(QFileDialog.FileMode.Directory if folder
                           else QFileDialog.FileMode.ExistingFile)
        if not folder:
            dialog.setNameFilters([self.tr("Tables ({0})").format(TABLES),
                                   self.tr("All files (*)")])
        dialog.fileSelected.connect(lambda path: self._tables.predict(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_place(self) -> None:
        source = self._tables.source
        if source is None:
            return
        name = f"{source.stem} answers.csv"
        dialog = QFileDialog(self.window(), self.tr("Save answers"), str(source.parent / name),
                             ANSWERS)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(name)
        dialog.filterSelected.connect(
            lambda kind: dialog.setDefaultSuffix(kind.partition("*.")[2].rstrip(")")))
        dialog.fileSelected.connect(lambda path: self._write(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _write(self, path: Path) -> None:
        self.note.show_note(self.tr("Saving {path} …").format(path=path))
        self._tables.write(path)

    def _show_written(self, path: Path, count: int) -> None:
        self.note.show_note(self.tr("The answers to {count} rows are in {path}").format(
            count=f"{count:,}", path=path), "", "good")


def _refill(box: QComboBox, entries: list[tuple[str, object]]) -> None:
    box.clear()
    for text, data in entries:
        box.addItem(text, data)
