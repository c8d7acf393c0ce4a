"""The Data page: the samples, what each column is used as, what is wrong with the data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.pages.data.data_side import DataSide
from mmstudio.gui.pages.data.filter_bar import FilterBar
from mmstudio.gui.pages.data.label_view import LabelView
from mmstudio.gui.pages.data.problem_groups import ProblemGroups
from mmstudio.gui.pages.data.problems_list import ProblemsList
from mmstudio.gui.pages.data.sample_detail import SampleDetail
from mmstudio.gui.pages.data.samples_model import SamplesModel
from mmstudio.gui.pages.data.samples_table import SamplesView
from mmstudio.gui.parts.cards import Card, EmptyState, button, page_head
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.findings import LabellingStore
from mmstudio.gui.state.going_on import GoingOn
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.mending import Mending
from mmstudio.gui.state.project_store import ProjectStore

PART_INTERVAL_MS = 15
"""Between two parts of the page, so that each is painted before the next one is made."""


class DataPage(QWidget):
    """Shows the project's table.

    `import_asked` brings "table" or "folder"; `page_asked` asks the window for another page.
    """

    import_asked = Signal(str)
    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, check: DataCheck, mending: Mending,
        labelling: LabellingStore, decisions: DecisionsStore, going_on: GoingOn,
        parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project, self._check = jobs, project, check
        self._mending = mending
        self._labelling, self._decisions, self._going_on = labelling, decisions, going_on
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(12)
        box.addLayout(self._head())
        self._stack = QStackedWidget()
        box.addWidget(self._stack, 1)
        self._stack.addWidget(self._empty())
        self._stack.addWidget(self._body())
        # One part per turn: together they would keep the window waiting.
        self._parts_left: list[Callable[[], None]] = []
        self._parts_timer = QTimer(self, singleShot=True, interval=PART_INTERVAL_MS)
        self._parts_timer.timeout.connect(self._show_part)
        self._labels: LabelView | None = None
        self._labelled: object = None
        self._project.changed.connect(self._show)
        self._project.splits_changed.connect(self._show)
        self._project.experiment_changed.connect(self._show_columns)
        self._check.changed.connect(self._show_check)
        QShortcut(QKeySequence.StandardKey.Find, self, self.filters.search.setFocus)
        self._show()
        self._show_check()

    # Parts ---------------------------------------------------------------------------------

    def _head(self) -> QHBoxLayout:
        row, self._about = page_head(self.tr("Data"))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(120)
        self.bar.hide()
        row.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignVCenter)
        self.check = button(
            self.tr("Check data"),
            "mdi6.shield-check-outline",
            tip=self.tr("Read every file once and list what is wrong"),
            name="Check data",
        )
        self.check.clicked.connect(self._toggle_check)
        self.label_button = button(
            self.tr("Label"), "mdi6.tag-outline", name="Label rows",
            tip=self.tr("Fill in missing labels, the most useful rows first"))
        self.label_button.clicked.connect(self._open_labels)
        row.addWidget(self.label_button)
        row.addWidget(self.check)
        self.import_button = button(
            self.tr("Import data"),
            "mdi6.tray-arrow-down",
            tip=self.tr("Use a table or a folder of files (Ctrl+I)"),
            name="Import data",
        )
        self._fill_import_menu(self.import_button)
        row.addWidget(self.import_button)
        self.next_button = button(
            self.tr("Go to the model"),
            "mdi6.arrow-right",
            mark="primary",
            tip=self.tr("The Model page (Ctrl+2)"),
            name="Go to the model",
        )
        self.next_button.clicked.connect(lambda: self.page_asked.emit("Model"))
        row.addWidget(self.next_button)
        return row

    def _fill_import_menu(self, target: Any) -> None:
        menu = QMenu(target)
        table = menu.addAction(self.tr("A table (CSV, TSV, JSONL, Parquet) …"))
        table.triggered.connect(lambda: self.import_asked.emit("table"))
        folder = menu.addAction(self.tr("A folder of files …"))
        folder.triggered.connect(lambda: self.import_asked.emit("folder"))
        target.setMenu(menu)

    def _empty(self) -> QWidget:
        action = button(
            self.tr("Choose data"), "mdi6.tray-arrow-down", mark="primary", name="Choose data"
        )
        self._fill_import_menu(action)
        self._empty_state = EmptyState("mdi6.database-plus-outline", "", "", action)
        return self._empty_state

    def _body(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        left = QVBoxLayout()
        left.setSpacing(12)
        self.model = SamplesModel(self._jobs, self._project, self)
        self.filters = FilterBar(self.model)
        left.addWidget(self.filters)
        self.samples = SamplesView(self.model)
        self.samples.row_opened.connect(self._open_row)
        self.samples.row_passed.connect(self._pass_row)
        left.addWidget(self.samples, 1)
        left.addWidget(self._problems_card())
        row.addLayout(left, 1)
        self.side = DataSide(self._jobs, self._project, self.filters)
        self.detail = SampleDetail(self._jobs, self._project)
        self.detail.closed.connect(self._close_row)
        self.detail.step_asked.connect(self.samples.step)
        self._right = QStackedWidget()
        self._right.setFixedWidth(self.side.width())
        self._right.addWidget(self.side)
        self._right.addWidget(self.detail)
        row.addWidget(self._right)
        return body

    def _problems_card(self) -> QWidget:
        self._problems_box = Card(self.tr("Problems"))
        outer = self._problems_box.layout()
        if outer is not None:
            outer.setContentsMargins(16, 10, 8, 8)
        self.problems = ProblemsList()
        self.problems.row_chosen.connect(self._go_to_row)
        self.groups = ProblemGroups(self._check, self._mending)
        self.groups.kind_chosen.connect(self.problems.go_to_kind)
        self._problems_box.heading.addWidget(self.groups.heading)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        row.addWidget(self.groups)
        row.addWidget(self.problems, 1)
        self._problems_box.body.addLayout(row)
        return self._problems_box

    # Showing -------------------------------------------------------------------------------

    def _show(self) -> None:
        usable = self._project.experiment is not None and self._project.table is not None
        self.check.setEnabled(usable)
        self.label_button.setEnabled(usable)
        if self._project.table is None:
            self._show_empty()
            return
        labels_shown = self._labels is not None and self._stack.currentWidget() is self._labels
        if not labels_shown or self._labelled != self._project.folder:
            self._stack.setCurrentIndex(1)
        if self._project.table is not self._shown_table:
            self._shown_table = self._project.table
            self._close_row()
            self.model.show_table()
            self.filters.clear()
        else:
            self.model.show_table()
        self._about.set_text(
            self.tr("{0:,} samples from {1}").format(
                len(self._project.table), os.path.normpath(self._project.table.path)
            )
        )
        self._parts_left = [self._show_columns, self.side.show_splits, self._show_check]
        self._parts_timer.start()

    def _show_part(self) -> None:
        if self._parts_left:
            self._parts_left.pop(0)()
            self._parts_timer.start()

    def _show_empty(self) -> None:
        self._parts_left = []
        self._stack.setCurrentIndex(0)
        self._about.set_text("")
        self.next_button.hide()
        experiment = self._project.experiment
        if experiment is not None:
            title = self.tr("This project's data is not where it was")
            text = self.tr("It should be at {0}. Put it back, or choose other data.").format(
                experiment.data.table
            )
        else:
            title = self.tr("No data yet")
            text = self.tr(
                "Choose a table that names your pictures, sounds and texts (CSV, TSV, JSONL, "
                "Parquet), or a folder with one sub-folder per class. You can also drop it here."
            )
        self._empty_state.set_texts(title, text)

    def _show_columns(self) -> None:
        self.next_button.setVisible(
            self._project.experiment is not None and self._project.table is not None)
        if self._project.table is None:
            return
        if self._project.experiment is not None:
            self.model.show_table()
        self.side.show_columns()

    def _open_labels(self) -> None:
        """Ask for missing labels; the view is made when it is first asked for."""
        if self._labels is None:
            self._labels = LabelView(
                self._jobs, self._project, self._labelling, self._decisions, self._going_on,
                self)
            self._labels.closed.connect(lambda: self._stack.setCurrentIndex(1))
            self._labels.page_asked.connect(self.page_asked)
            self._stack.addWidget(self._labels)
        self._labelled = self._project.folder
        self._stack.setCurrentWidget(self._labels)
        self._labels.begin()

    def _go_to_row(self, row: int) -> None:
        if not self.samples.go_to_row(row):
            self.filters.clear()
            self.samples.go_to_row(row)
        self._open_row(row)

    # One sample ----------------------------------------------------------------------------

    def _open_row(self, row: int) -> None:
        self._right.setCurrentWidget(self.detail)
        self._pass_row(row)

    def _pass_row(self, row: int) -> None:
        if self._right.currentWidget() is self.detail and row >= 0:
            self.detail.show_row(row, self.model.problems_of(row))

    def _close_row(self) -> None:
        if self._right.currentWidget() is self.detail:
            if self.detail.isAncestorOf(self.focusWidget() or self):
                self.samples.setFocus()
            self._right.setCurrentWidget(self.side)
            self.detail.put_away()

    def event(self, event: QEvent) -> bool:
        """Claim Escape while a sample is open: the window has a use for it too."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and (
                event.key() == Qt.Key.Key_Escape):
            if self._right.currentWidget() is self.detail:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the sample."""
        if event.key() == Qt.Key.Key_Escape and self._right.currentWidget() is self.detail:
            self._close_row()
        else:
            super().keyPressEvent(event)

    # Checking ------------------------------------------------------------------------------

    def _toggle_check(self) -> None:
        if self._check.running:
            self._check.stop()
        else:
            self._check.start()

    def _show_check(self) -> None:
        running = self._check.running
        self.check.setText(self.tr("Stop checking") if running else self.tr("Check data"))
        self.bar.setVisible(running)
        progress = self._check.progress
        self.bar.setRange(0, progress.total if running and progress is not None else 0)
        if running and progress is not None:
            self.bar.setValue(progress.done)
        report = self._check.report
        title, hint = self._check_texts(running, progress, report)
        self._problems_box.title.setText(title)
        listed = report is not None and bool(report.problems)
        self._problems_box.setFixedHeight(176 if listed else 92)
        self.problems.show_hint(hint)
        if report is None:
            if self.problems.count():
                self.problems.show_problems(())
                self.model.show_problems(())
        elif report is not self._shown_report:
            self.problems.show_problems(report.problems)
            self.model.show_problems(report.problems)
        self._shown_report = report

    _shown_report: Any = None
    _shown_table: Any = None

    def _check_texts(self, running: bool, progress: Any, report: Any) -> tuple[str, str]:
        title = self.tr("Problems")
        if running:
            what = progress.message if progress is not None else self.tr("Reading the data")
            return title, f"{what} …"
        if self._project.experiment is None:
            text = self.tr("Say on the right which columns are inputs and which is to predict.")
            return title, text
        if report is None:
            return title, self.tr("Not checked yet. “Check data” reads every file once.")
        if report.problems:
            return self.tr("Problems ({0:,})").format(len(report.problems)), ""
        return title, self.tr("No problems found in {0:,} rows.").format(report.rows)


