"""A table of figures: sorted by a click on a head, copied as a spreadsheet takes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.table_look import dress
from mmstudio.gui.plain_text import plain_tip

Index = QModelIndex | QPersistentModelIndex
LEAST_NAMES = 0.5
"""Of the width, for the first column, as far as its names need it."""


@dataclass(frozen=True)
class Figure:
    """A cell: what it says, and what it is sorted by."""

    text: str
    value: float = math.nan


def share(value: float, ends: Sequence[float] = ()) -> Figure:
    """A share in per cent, with its interval: "94.1 (91 – 96)"."""
    if not math.isfinite(value):
        return Figure("—")
    text = f"{100 * value:.1f}"
    if len(ends) == 2 and all(map(math.isfinite, ends)):
        text += f" ({100 * ends[0]:.0f} – {100 * ends[1]:.0f})"
    return Figure(text, value)


def count(value: int) -> Figure:
    """A whole number."""
    return Figure(f"{value:,}", float(value))


class FiguresModel(QAbstractTableModel):
    """Rows of a name and some figures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._heads: tuple[str, ...] = ()
        self._tips: tuple[str, ...] = ()
        self.rows: list[Sequence[Figure]] = []
        self._order: list[int] = []
        self._sorted: tuple[int, Qt.SortOrder] = (-1, Qt.SortOrder.AscendingOrder)

    def show_rows(
        self, heads: Sequence[str], rows: Sequence[Sequence[Figure]], tips: Sequence[str] = ()
    ) -> None:
        """Show other figures; the order that was asked for stays."""
        self.beginResetModel()
        self._heads, self._tips, self.rows = tuple(heads), tuple(tips), list(rows)
        self._arrange()
        self.endResetModel()

    def source_row(self, position: int) -> int:
        """Which of the rows stands at a position; -1 for none."""
        return self._order[position] if 0 <= position < len(self._order) else -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self._heads)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Qt's."""
        if orientation == Qt.Orientation.Vertical or not 0 <= section < len(self._heads):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        if role == Qt.ItemDataRole.ToolTipRole and section < len(self._tips):
            return plain_tip(self._tips[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        if not index.isValid():
            return None
        text = self.rows[self._order[index.row()]][index.column()].text
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(text)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(index.column())
        if role == Qt.ItemDataRole.ForegroundRole and text == "—":
            return style.color("faint")
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Qt's."""
        self.layoutAboutToBeChanged.emit()
        self._sorted = (column, order)
        self._arrange()
        self.layoutChanged.emit()

    def as_text(self, positions: Sequence[int]) -> str:
        """The heads and some rows, tab-separated."""
        lines = ["\t".join(self._heads)]
        lines += ["\t".join(cell.text for cell in self.rows[self._order[at]]) for at in positions]
        return "\n".join(lines)

    def _arrange(self) -> None:
        column, order = self._sorted
        self._order = list(range(len(self.rows)))
        if 0 <= column < len(self._heads):
            down = order == Qt.SortOrder.DescendingOrder
            known = [at for at in self._order if not math.isnan(self.rows[at][column].value)]
            words = [at for at in self._order if math.isnan(self.rows[at][column].value)]
            known.sort(key=lambda at: self.rows[at][column].value, reverse=down)
            if not known:
                words.sort(key=lambda at: self.rows[at][column].text.casefold(), reverse=down)
            self._order = known + words

    def _side(self, section: int) -> int:
        side = Qt.AlignmentFlag.AlignLeft if section == 0 else Qt.AlignmentFlag.AlignRight
        return int(side | Qt.AlignmentFlag.AlignVCenter)


class FiguresTable(QTableView):
    """The table; Ctrl+C copies the chosen rows, or all, with their heads."""

    def __init__(self, name: str, parent: QWidget | None = None, *, row_height: int = 32) -> None:
        super().__init__(parent)
        dress(self, name, least_column=48, row_height=row_height)
        self.figures = FiguresModel(self)
        self.setModel(self.figures)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        head = self.horizontalHeader()
        head.setSortIndicatorClearable(True)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)

    def show_rows(
        self, heads: Sequence[str], rows: Sequence[Sequence[Figure]], tips: Sequence[str] = ()
    ) -> None:
        """Show other figures."""
        self.figures.show_rows(heads, rows, tips)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: the first column takes the room that is left."""
        super().resizeEvent(event)
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's."""
        if event.matches(QKeySequence.StandardKey.Copy):
            chosen = sorted({index.row() for index in self.selectedIndexes()})
            every = range(self.figures.rowCount())
            QGuiApplication.clipboard().setText(self.figures.as_text(chosen or every))
        else:
            super().keyPressEvent(event)

    def _fit(self) -> None:
        columns = self.figures.columnCount()
        if not columns:
            return
        metrics = self.horizontalHeader().fontMetrics()
        widths = [max(self.sizeHintForColumn(at) + 4, metrics.horizontalAdvance(
            str(self.figures.headerData(at, Qt.Orientation.Horizontal))) * 1.06 + 28)
            for at in range(columns)]
        room = self.viewport().width()
        spare = room - sum(widths)
        # names are read first: where there is little room, the figures scroll
        widths[0] = max(70.0, min(widths[0], LEAST_NAMES * room), widths[0] + spare)
        for at, width in enumerate(widths):
            self.setColumnWidth(at, int(width))
