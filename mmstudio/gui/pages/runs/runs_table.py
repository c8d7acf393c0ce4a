"""The table of runs on the screen: chosen, opened, starred; its columns fit the room."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from mmstudio.gui.pages.runs.runs_model import RunsModel
from mmstudio.gui.parts.table_look import dress

if TYPE_CHECKING:
    from mmstudio.training.run_summary import RunSummary

LEAST_NAME = 200
"""Width down to which the names give way, pixels: a comparison's names differ in their middle."""
LEAST_REST = 84
"""Width down to which the other columns of words give way."""
HEAD_PADDING = 22
STAR_WIDTH = 30
"""Of the place before the name that is clicked to star a run."""


class RunsView(QTableView):
    """The table `Runs`.

    Signals:
        opened: Carries the run to open.
        chosen: Other runs are selected.
        star_asked: Carries the run whose star was clicked.
    """

    opened = Signal(Path)
    chosen = Signal()
    star_asked = Signal(Path)

    def __init__(self, model: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        dress(self, "Runs", least_column=64, row_height=40)
        self._source = model
        self._wanted: set[Path] = set()
        self.setModel(model)
        header = self.horizontalHeader()
        header.setResizeContentsPrecision(0)  # the rows on show: there may be thousands
        self.setSortingEnabled(True)
        self.sortByColumn(1, Qt.SortOrder.DescendingOrder)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header.setStretchLastSection(True)
        self.doubleClicked.connect(self._open)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())
        model.modelAboutToBeReset.connect(self._note_selected)
        model.modelReset.connect(self._fit)
        model.modelReset.connect(self._select_again)

    def selected(self) -> list[RunSummary]:
        """The selected runs, in the order on show."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self._source.runs[row] for row in rows]

    def select(self, paths: Collection[Path]) -> None:
        """Select runs by their folders."""
        flags = self.selectionModel().SelectionFlag
        for row, run in enumerate(self._source.runs):
            if run.path in paths:
                self.selectionModel().select(
                    self._source.index(row, 0), flags.Select | flags.Rows)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click onto the star changes it, and chooses nothing."""
        starred = self._star_at(event)
        if starred is None:
            super().mousePressEvent(event)
        else:
            self.star_asked.emit(starred)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """A second click onto the star opens nothing."""
        if self._star_at(event) is None:
            super().mouseDoubleClickEvent(event)

    def _star_at(self, event: QMouseEvent) -> Path | None:
        """The run whose star lies where the left button was pressed."""
        index = self.indexAt(event.position().toPoint())
        across = event.position().x() - self.columnViewportPosition(0)
        if (event.button() != Qt.MouseButton.LeftButton or not index.isValid()
                or index.column() != 0 or across >= STAR_WIDTH):
            return None
        return self._source.runs[index.row()].path

    def _note_selected(self) -> None:
        self._wanted = {run.path for run in self.selected()}

    def _select_again(self) -> None:
        self.select(self._wanted)
        self.chosen.emit()

    def _open(self) -> None:
        runs = self.selected()
        if runs:
            self.opened.emit(runs[0].path)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where room is short, the widest of the columns of words give way."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        header = self.horizontalHeader()
        font = QFont(header.font())
        font.setWeight(QFont.Weight.DemiBold)  # as the style sheet has it
        metrics = QFontMetrics(font)
        columns = self._source.columns
        sorted_by = self._source.sorted_column()
        if sorted_by != header.sortIndicatorSection():  # a figure has come or gone before it
            header.blockSignals(True)
            header.setSortIndicator(sorted_by, header.sortIndicatorOrder())
            header.blockSignals(False)
        widths = []
        for number, column in enumerate(columns):
            arrow = 18 if number == sorted_by else 0
            head = metrics.size(0, column.title).width() + HEAD_PADDING + arrow
            limit = 320 if number == 0 else 240
            width = max(head, self.sizeHintForColumn(number) + 6)
            widths.append(min(limit, max(64, width)))
        giving = {number: LEAST_REST if number else LEAST_NAME
                  for number, column in enumerate(columns) if column.gives_way}
        shrink(widths, giving, self.viewport().width())
        for number, width in enumerate(widths):
            self.setColumnWidth(number, width)


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
