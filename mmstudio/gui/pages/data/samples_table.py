"""The table `Samples`: shows the samples' model, and shares its width among the columns."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableView, QWidget

from mmstudio.gui.media.views.thumbnails import SIDE, WAVE_WIDTH
from mmstudio.gui.pages.data.samples_model import SamplesModel
from mmstudio.gui.parts.table_look import dress

LEAST_TEXT = 84
"""A text column gets no narrower by itself, pixels."""
READABLE_TEXT = 200
"""Width up to which files' names give way to a text, pixels."""


class RowNumbers(QHeaderView):
    """The rows' numbers. Its width comes from their count, not from asking for each of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setSectionsClickable(True)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setDefaultSectionSize(SIDE + 12)
        self.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def sizeHint(self) -> QSize:
        """Room for the largest number."""
        digits = max(4, len(str(self.count())))
        return QSize(self.fontMetrics().horizontalAdvance("0" * digits) + 20, 0)


class SamplesView(QTableView):
    """The table `Samples`.

    `row_opened` brings the row of the table that was clicked, or chosen with Enter; `row_passed`
    the one that the keys moved to.
    """

    row_opened = Signal(int)
    row_passed = Signal(int)

    def __init__(self, model: SamplesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        dress(self, "Samples", least_column=64)
        self.setModel(model)
        self._model = model
        self.setIconSize(QSize(WAVE_WIDTH, SIDE))
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setCornerButtonEnabled(False)
        self.setVerticalHeader(RowNumbers(self))
        columns = self.horizontalHeader()
        columns.setStretchLastSection(True)
        self._widths_for: tuple[str, ...] = ()
        self._suggested: list[int] = []
        self._least: list[int] = []
        self._by_hand = self._sharing = False
        columns.sectionResized.connect(self._on_resized)
        columns.setSortIndicatorClearable(True)
        columns.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.clicked.connect(lambda index: self.row_opened.emit(model.shown.row_at(index.row())))
        model.modelReset.connect(self._fit_columns)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens the sample."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            row = self._model.shown.row_at(self.currentIndex().row())
            if row >= 0:
                self.row_opened.emit(row)
                return
        super().keyPressEvent(event)

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex,
        previous: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Says which sample is the current one."""
        super().currentChanged(current, previous)
        if current.isValid() and current.row() != previous.row():
            self.row_passed.emit(self._model.shown.row_at(current.row()))

    def step(self, by: int) -> None:
        """Go to the next sample but `by` - 1, upwards where it is negative."""
        position = self.currentIndex().row() + by
        if 0 <= position < self._model.rowCount():
            self.selectRow(position)

    def go_to_row(self, row: int) -> bool:
        """Select a row of the table and scroll to it; False where it is not on show."""
        position = self._model.shown.position_of(row)
        if position < 0:
            return False
        self.selectRow(position)
        self.scrollTo(
            self._model.index(position, 0), QAbstractItemView.ScrollHint.PositionAtCenter
        )
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Columns of text take the room that is left, until the user sets widths."""
        super().resizeEvent(event)
        self._share_room()

    def _fit_columns(self) -> None:
        names = tuple(self._model.name_of(i) for i in range(self._model.columnCount()))
        if names != self._widths_for:
            self._widths_for = names
            self._by_hand = False
            self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            metrics = self.fontMetrics()
            sections = range(len(names))
            self._suggested = [self._model.suggested_width(i, metrics) for i in sections]
            self._least = [self._model.least_width(i, metrics) for i in sections]
            self._share_room()

    def _share_room(self) -> None:
        if self._by_hand or not self._widths_for:
            return
        widths = list(self._suggested)
        texts = [i for i, name in enumerate(self._widths_for) if self._model.is_text(name)]
        left = self.viewport().width() - sum(widths)
        wanted = sum(READABLE_TEXT - widths[i] for i in texts) - left
        for section, least in enumerate(self._least):
            if texts and wanted > 0 and section not in texts:
                given = min(wanted, widths[section] - least)
                widths[section] -= given
                wanted -= given
                left += given
        share = left // max(1, len(texts)) if texts else left // len(widths)
        self._sharing = True
        for section, width in enumerate(widths):
            if not texts or section in texts:
                # Where room is short, texts give way first: they are cut anyway.
                width = max(LEAST_TEXT if texts else width, width + share)
            self.setColumnWidth(section, width)
        self._sharing = False

    def _on_resized(self, *_: int) -> None:
        # The last section stretches by itself; only a drag of the user counts.
        if not self._sharing and QApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            self._by_hand = True
