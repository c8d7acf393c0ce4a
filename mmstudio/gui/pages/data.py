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
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.bars import CountBars, SplitBar
from mmstudio.gui.widgets.cards import Card, EmptyState, button, label, page_head
from mmstudio.gui.widgets.columns_panel import ColumnsPanel
from mmstudio.gui.widgets.problems_list import ProblemsList
from mmstudio.gui.widgets.samples_model import SamplesModel, split_title
from mmstudio.gui.widgets.samples_table import SamplesView
from mmstudio.gui.widgets.split_form import SplitForm

SIDE_WIDTH = 368
SEARCH_DELAY_MS = 150
PART_INTERVAL_MS = 15
"""Between two parts of the page, so that each is painted before the next one is made."""


class DataPage(QWidget):
    """Shows the session's table; `import_asked` brings "table" or "folder"."""

    import_asked = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._count_number = 0
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
        session.small_things.done.connect(self._on_made)
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
            mark="primary",
            tip=self.tr("Use a table or a folder of files (Ctrl+I)"),
            name="Import data",
        )
        self._fill_import_menu(self.import_button)
        row.addWidget(self.import_button)
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
        row.addWidget(self._side())
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

    def _side(self) -> QWidget:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFixedWidth(SIDE_WIDTH)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        holder = QWidget()
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 6, 0)
        box.setSpacing(12)
        columns = Card(self.tr("Columns"))
        self.columns = ColumnsPanel()
        self.columns.changed.connect(self._session.assign_columns)
        columns.body.addWidget(self.columns)
        box.addWidget(columns)
        split = Card(self.tr("Split"))
        self._split_bar = SplitBar()
        split.body.addWidget(self._split_bar)
        self._split_form = SplitForm(self._session)
        split.body.addWidget(self._split_form)
        self._split_card = split
        box.addWidget(split)
        classes = Card(self.tr("Classes"))
        self._target = QComboBox()
        self._target.setAccessibleName("Show classes of")
        self._target.setObjectName("Show classes of")
        guard_wheel(self._target)
        self._target.currentIndexChanged.connect(lambda _: self._count())
        classes.heading.addWidget(self._target)
        self._counts = CountBars()
        classes.body.addWidget(self._counts)
        self._classes_card = classes
        box.addWidget(classes)
        box.addStretch(1)
        scroll.setWidget(holder)
        return scroll

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
        self._parts_left = [self._show_columns, self._show_splits, self._show_check]
        self._parts_timer.start()

    def _show_part(self) -> None:
        if self._parts_left:
            self._parts_left.pop(0)()
            self._parts_timer.start()

    def _show_empty(self) -> None:
        self._parts_left = []
        self._stack.setCurrentIndex(0)
        self._about.set_text("")
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
        self.columns.show_columns(session.columns)
        if session.table is None:
            return
        if session.experiment is not None:
            self.model.show_table()
        targets = [c.name for c in session.columns if c.role == "target"]
        if targets != [self._target.itemText(i) for i in range(self._target.count())]:
            self._target.blockSignals(True)
            self._target.clear()
            self._target.addItems(targets)
            self._target.blockSignals(False)
        self._target.setVisible(len(targets) > 1)
        self._classes_card.setVisible(bool(targets))
        of_one = self.tr("Classes of {0}")
        one = len(targets) == 1
        self._classes_card.title.setText(of_one.format(targets[0]) if one else self.tr("Classes"))
        self._split_form.show_experiment()
        self._count()

    def _show_splits(self) -> None:
        splits = self._session.splits
        self._split_card.setVisible(splits is not None)
        if splits is None:
            return
        names = ("train", "validation", "test", "")
        self._split_bar.show_parts([(split_title(n), int((splits == n).sum())) for n in names])

    def _count(self) -> None:
        """Count the classes in the background."""
        session, name = self._session, self._target.currentText()
        table = session.table
        if table is None or not name:
            return

        def work() -> Any:
            counts = table.column(name).drop_nulls().value_counts(sort=True)
            return [(str(value), int(count)) for value, count in counts.rows()]

        self._count_number += 1
        session.small_things.ask(("classes", self._count_number), work)

    def _on_made(self, key: object, made: object) -> None:
        if key == ("classes", self._count_number) and isinstance(made, list):
            counts = made
            if all(name.lstrip("-").isdigit() for name, _ in counts):
                counts = sorted(counts, key=lambda c: int(c[0]))
            self._counts.show_counts(counts)

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


