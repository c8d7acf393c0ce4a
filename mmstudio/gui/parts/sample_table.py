"""A table of samples with thumbnails: one is opened from it, and texts take the spare width."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from mmstudio.gui.media.views.thumbnails import SIDE, WAVE_WIDTH
from mmstudio.gui.parts.table_look import dress


class SampleTable(QTableView):
    """`opened` brings the row of the data that was chosen with Enter, or by the mouse.

    A page's own table says in `fit` how wide its columns are.

    Args:
        name: Object name and accessible name.
        model: The samples.
        row_at: The row of the data at a position of the model, -1 for none.
    """

    opened = Signal(int)

    def __init__(
        self, name: str, model: QAbstractTableModel, row_at: Callable[[int], int],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        dress(self, name, least_column=56, row_height=SIDE + 8)
        self._row_at = row_at
        self.setModel(model)
        self.setIconSize(QSize(WAVE_WIDTH, SIDE))
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setStretchLastSection(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's: Enter opens the sample."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open_at(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: texts take the spare width."""
        super().resizeEvent(event)
        self.fit()

    def open_at(self, index: QModelIndex) -> None:
        """Open the sample of a cell."""
        row = self._row_at(index.row())
        if row >= 0:
            self.opened.emit(row)

    def fit(self) -> None:
        """Share the width among the columns."""

    def least_width(self, section: int, *, room: int) -> int:
        """The width of a column's head with some room beside it, pixels."""
        head = str(self.model().headerData(section, Qt.Orientation.Horizontal))
        return self.fontMetrics().horizontalAdvance(head) + room

    def share_out(self, widths: Sequence[int], wide: Container[int]) -> None:
        """Give every column its width, and the spare room to the wide ones in equal parts."""
        growing = sum(section in wide for section in range(len(widths)))
        spare = max(0, self.viewport().width() - sum(widths))
        for section, width in enumerate(widths):
            self.setColumnWidth(section, width + (spare // growing if section in wide else 0))
