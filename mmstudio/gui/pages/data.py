"""The Data page: the samples, what each column is used as, what is wrong with the data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.cards import Card, EmptyState, button, label, page_head
from mmstudio.gui.widgets.data_side import DataSide
from mmstudio.gui.widgets.problems_list import ProblemsList
from mmstudio.gui.widgets.samples_model import SamplesModel, split_title
from mmstudio.gui.widgets.samples_table import SamplesView

SEARCH_DELAY_MS = 150
PART_INTERVAL_MS = 15
"""Between two parts of the page, so that each is painted before the next one is made."""


class DataPage(QWidget):
    """Shows the session's table.

    `import_asked` brings "table" or "folder"; `page_asked` asks the window for another page.
    """

    import_asked = Signal(str)
    page_asked = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._search_timer = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._search_timer.timeout.connect(self._filter)
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
        session.project_changed.connect(self._show)
        session.splits_changed.connect(self._show)
        session.experiment_changed.connect(self._show_columns)
        session.check_changed.connect(self._show_check)
        QShortcut(QKeySequence.StandardKey.Find, self, self.search.setFocus)
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
        left.addLayout(self._tools())
        self.model = SamplesModel(self._session, self)
        self.model.matched.connect(self._on_matched)
        self.samples = SamplesView(self.model)
        left.addWidget(self.samples, 1)
        left.addWidget(self._problems_card())
        row.addLayout(left, 1)
        self.side = DataSide(self._session)
        row.addWidget(self.side)
        return body

    def _tools(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search all columns"))
        self.search.setAccessibleName("Search samples")
        self.search.setObjectName("Search samples")
        self.search.setToolTip(self.tr("Show the rows that hold this text (Ctrl+F)"))
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(320)
        self.search.textChanged.connect(lambda _: self._search_timer.start())
        row.addWidget(self.search, 1)
        self.split = QComboBox()
        self.split.setAccessibleName("Show split")
        self.split.setObjectName("Show split")
        self.split.setToolTip(self.tr("Show the samples of one split"))
        self.split.addItem(self.tr("All samples"), "")
        for name in ("train", "validation", "test"):
            self.split.addItem(split_title(name), name)
        guard_wheel(self.split)
        self.split.currentIndexChanged.connect(self._filter)
        row.addWidget(self.split)
        row.addStretch(1)
        self._matched = label("", "small")
        row.addWidget(self._matched)
        return row

    def _problems_card(self) -> QWidget:
        self._problems_box = Card(self.tr("Problems"))
        self._problems_box.layout().setContentsMargins(16, 10, 8, 8)
        self.problems = ProblemsList()
        self.problems.row_chosen.connect(self._go_to_row)
        self._problems_box.body.addWidget(self.problems)
        return self._problems_box

    # Showing -------------------------------------------------------------------------------

    def _show(self) -> None:
        session = self._session
        self.check.setEnabled(session.experiment is not None and session.table is not None)
        if session.table is None:
            self._show_empty()
            return
        self._stack.setCurrentIndex(1)
        self.model.show_table()
        self._about.set_text(
            self.tr("{0:,} samples from {1}").format(
                len(session.table), os.path.normpath(session.table.path)
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
        experiment = self._session.experiment
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
        session = self._session
        self.next_button.setVisible(session.experiment is not None and session.table is not None)
        if session.table is None:
            return
        if session.experiment is not None:
            self.model.show_table()
        self.side.show_columns()

    def _filter(self) -> None:
        self.model.filter(self.search.text(), str(self.split.currentData()))

    def _on_matched(self, shown: int, total: int) -> None:
        same = shown == total
        self._matched.setText(
            "" if same else self.tr("{0:,} of {1:,} samples").format(shown, total)
        )

    def _go_to_row(self, row: int) -> None:
        if not self.samples.go_to_row(row):
            self.search.clear()
            self.split.setCurrentIndex(0)
            self._search_timer.stop()
            self._filter()
            self.samples.go_to_row(row)

    # Checking ------------------------------------------------------------------------------

    def _toggle_check(self) -> None:
        if self._session.is_checking:
            self._session.stop_check()
        else:
            self._session.check_data()

    def _show_check(self) -> None:
        session = self._session
        running = session.is_checking
        self.check.setText(self.tr("Stop checking") if running else self.tr("Check data"))
        self.bar.setVisible(running)
        progress = session.checking
        self.bar.setRange(0, progress.total if running and progress is not None else 0)
        if running and progress is not None:
            self.bar.setValue(progress.done)
        report = session.report
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

    def _check_texts(self, running: bool, progress: Any, report: Any) -> tuple[str, str]:
        title = self.tr("Problems")
        if running:
            what = progress.message if progress is not None else self.tr("Reading the data")
            return title, f"{what} …"
        if self._session.experiment is None:
            text = self.tr("Say on the right which columns are inputs and which is to predict.")
            return title, text
        if report is None:
            return title, self.tr("Not checked yet. “Check data” reads every file once.")
        if report.problems:
            return self.tr("Problems ({0:,})").format(len(report.problems)), ""
        return title, self.tr("No problems found in {0:,} rows.").format(report.rows)


