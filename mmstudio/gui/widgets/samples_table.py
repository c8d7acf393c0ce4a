"""The table `Samples`: shows the samples' model, and shares its width among the columns."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableView, QWidget

from mmstudio.gui.widgets.samples_model import SamplesModel
from mmstudio.gui.widgets.thumbnails import SIDE, WAVE_WIDTH

LEAST_TEXT = 96
"""A text column gets no narrower by itself, pixels."""


class RowNumbers(QHeaderView):
    """The rows' numbers. Its width comes from their count, not from asking for each of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setSectionsClickable(True)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setDefaultSectionSize(SIDE + 12)
        self.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def sizeHint(self) -> QSize:
        """Qt's: room for the largest number."""
        digits = max(4, len(str(self.count())))
        return QSize(self.fontMetrics().horizontalAdvance("0" * digits) + 20, 0)


class SamplesView(QTableView):
    """The table `Samples`."""

    def __init__(self, model: SamplesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Samples")
        self.setObjectName("Samples")
        self.setModel(model)
        self._model = model
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setIconSize(QSize(WAVE_WIDTH, SIDE))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setVerticalHeader(RowNumbers(self))
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setStretchLastSection(True)
        columns.setMinimumSectionSize(64)
        self._widths_for: tuple[str, ...] = ()
        self._suggested: list[int] = []
        self._by_hand = self._sharing = False
        columns.sectionResized.connect(self._on_resized)
        model.modelReset.connect(self._fit_columns)

    def go_to_row(self, row: int) -> bool:
        """Select a row of the table and scroll to it; False where it is not on show."""
        position = self._model.position_of(row)
        if position < 0:
            return False
        self.selectRow(position)
        self.scrollTo(
            self._model.index(position, 0), QAbstractItemView.ScrollHint.PositionAtCenter
        )
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: columns of text take the room that is left, until the user sets widths."""
        super().resizeEvent(event)
        self._share_room()

    def _fit_columns(self) -> None:
        names = tuple(self._model.name_of(i) for i in range(self._model.columnCount()))
        if names != self._widths_for:
            self._widths_for = names
            self._by_hand = False
            metrics = self.fontMetrics()
            sections = range(len(names))
            self._suggested = [self._model.suggested_width(i, metrics) for i in sections]
            self._share_room()

    def _share_room(self) -> None:
        if self._by_hand or not self._widths_for:
            return
        widths = self._suggested
        texts = [i for i, name in enumerate(self._widths_for) if self._model.is_text(name)]
        left = self.viewport().width() - sum(widths)
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
