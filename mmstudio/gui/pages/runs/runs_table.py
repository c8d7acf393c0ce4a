"""The table of runs, sortable by every column."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QDate,
    QDateTime,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    QTime,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import readable
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.table_look import dress
from mmstudio.gui.plain_text import plain_tip
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.training.run_folder import RunSummary

Index = QModelIndex | QPersistentModelIndex
LEAST_NAME = 200
"""Width down to which the names give way, pixels: a comparison's names differ in their middle."""
LEAST_REST = 84
"""Width down to which inputs, encoders and data give way."""
HEAD_PADDING = 22
SORT_ROLE = Qt.ItemDataRole.UserRole + 1


class RunsModel(QAbstractTableModel):
    """The project's runs; a column per figure that any of them has."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs: list[RunSummary] = []
        self._in_training: Path | None = None
        self._figures: list[str] = []
        self._titles = [
            self.tr("Name"),
            self.tr("When"),
            self.tr("Status"),
            self.tr("Best epoch"),
            self.tr("Fusion"),
            self.tr("Inputs"),
            self.tr("Encoders"),
            self.tr("Data"),
        ]
        style.changed.connect(self._repaint)

    def show_runs(self, runs: list[RunSummary], in_training: Path | None = None) -> None:
        """Show other runs, one of which may be in training."""
        self.beginResetModel()
        self._in_training = in_training
        self.runs = list(runs)
        self._figures = list(dict.fromkeys(name for run in runs for name in run.metrics))
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.runs)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._titles) + len(self._figures)

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._title(section)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._title_tip(section)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _title(self, section: int) -> str:
        """A column's title; those that are wider than what stands below go on two lines."""
        figures = len(self._figures)
        if 3 <= section < 3 + figures:
            task, _, metric = self._figures[section - 3].rpartition(" ")
            return f"{readable(task)}\n{metric.replace('_', ' ')}" if task else readable(metric)
        if section == 3 + figures:
            return self._titles[3].replace(" ", "\n")
        return self._titles[section if section < 3 else section - figures]

    def _title_tip(self, section: int) -> str | None:
        figures = len(self._figures)
        if 3 <= section < 3 + figures:
            return self.tr("On the validation rows, of what the run answers with: all answers "
                           "weighed together, or the fusion alone where they are not")
        return self.tr("Of the fusion's curves") if section == 3 + figures else None

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        run = self.runs[index.row()]
        value = self._value(run, index.column())
        if role == SORT_ROLE:
            return value if value is not None else float("-inf")  # R² may be far below 0
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(value, index.column())
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._color(run, index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._text(value, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            shown = str(run.path) if index.column() == 0 else self._text(value, index.column())
            if run.problem:
                shown = run.problem
            return plain_tip(shown)
        return None

    def _value(self, run: RunSummary, column: int) -> Any:
        figures = len(self._figures)
        if 3 <= column < 3 + figures:
            return run.metrics.get(self._figures[column - 3])
        column = column if column < 3 else column - figures
        return (
            run.name,
            run.created.timestamp(),
            self.tr("Training …") if run.path == self._in_training else self.status(run.status),
            run.best_epoch or None,  # 0 where it was stopped before the first one ended
            run.fusion,
            ", ".join(run.inputs),
            ", ".join(run.encoders),
            run.data,
        )[column]

    def _text(self, value: Any, column: int) -> str:
        if value is None:
            return "—"
        if column == 1:
            return when(datetime.fromtimestamp(value))
        if isinstance(value, float):
            share = metric_named(self._figures[column - 3].rpartition(" ")[2]).share
            return f"{100 * value:.1f} %" if share else f"{value:.3f}"
        return str(value)

    def _color(self, run: RunSummary, column: int) -> QColor | None:
        if column == 2:
            good = run.status in ("completed", "early_stopped")
            return style.color("good" if good else "warn")
        return style.color("muted") if column == 1 else None

    def status(self, status: str) -> str:
        """A run's status for people."""
        names = {
            "completed": self.tr("Completed"),
            "early_stopped": self.tr("Ended early"),
            "stopped": self.tr("Stopped"),
            "unfinished": self.tr("Unfinished"),
            "unreadable": self.tr("Can't be read"),
        }
        return names.get(status, status)

    def _repaint(self) -> None:
        if self.runs:
            last = self.index(len(self.runs) - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)


def when(moment: datetime) -> str:
    """A time for people: today's by the hour, others with their date."""
    locale = QLocale()
    there = QDateTime(
        QDate(moment.year, moment.month, moment.day), QTime(moment.hour, moment.minute))
    time = locale.toString(there.time(), QLocale.FormatType.ShortFormat)
    if moment.date() == datetime.now().date():
        return time
    return f"{locale.toString(there.date(), QLocale.FormatType.ShortFormat)} {time}"


class RunsView(QTableView):
    """The table `Runs`."""

    opened = Signal(Path)
    chosen = Signal()

    def __init__(self, model: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        dress(self, "Runs", least_column=64, row_height=40)
        self._source = model
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(model)
        self._sorted.setSortRole(SORT_ROLE)
        self.setModel(self._sorted)
        self.setSortingEnabled(True)
        self.sortByColumn(1, Qt.SortOrder.DescendingOrder)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.horizontalHeader().setStretchLastSection(True)
        self.doubleClicked.connect(self._open)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())
        model.modelReset.connect(self._fit)

    def selected(self) -> list[RunSummary]:
        """The selected runs, in the order on show."""
        rows = sorted(self.selectionModel().selectedRows(), key=lambda index: index.row())
        return [self._source.runs[self._sorted.mapToSource(index).row()] for index in rows]

    def select(self, paths: list[Path]) -> None:
        """Select runs by their folders."""
        flags = self.selectionModel().SelectionFlag
        for row in range(self._sorted.rowCount()):
            index = self._sorted.index(row, 0)
            if self._source.runs[self._sorted.mapToSource(index).row()].path in paths:
                self.selectionModel().select(index, flags.Select | flags.Rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open()
        else:
            super().keyPressEvent(event)

    def _open(self) -> None:
        runs = self.selected()
        if runs:
            self.opened.emit(runs[0].path)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where room is short, the widest of names, inputs, encoders and data give way."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        header = self.horizontalHeader()
        font = QFont(header.font())
        font.setWeight(QFont.Weight.DemiBold)  # as the style sheet has it
        metrics = QFontMetrics(font)
        columns = self._source.columnCount()
        widths = []
        for column in range(columns):
            title = str(self._source.headerData(column, Qt.Orientation.Horizontal))
            arrow = 18 if column == header.sortIndicatorSection() else 0
            head = metrics.size(0, title).width() + HEAD_PADDING + arrow
            limit = 320 if column == 0 else 240
            width = max(head, self.sizeHintForColumn(column) + 6)
            widths.append(min(limit, max(64, width)))
        giving = {0: LEAST_NAME} | dict.fromkeys(range(columns - 3, columns), LEAST_REST)
        shrink(widths, giving, self.viewport().width())
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width)


def shrink(widths: list[int], least: dict[int, int], room: int) -> None:
    """Narrow the columns in `least`, the widest first, until all fit or none can give way."""
    missing = sum(widths) - room
    while missing > 0:
        able = [column for column, width in least.items() if widths[column] > width]
        if not able:
            return
        widest = max(able, key=lambda column: widths[column])
        widths[widest] -= 1
        missing -= 1
