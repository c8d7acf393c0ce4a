"""The table of a cell's samples: shares its width among the columns, and opens a sample."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from mmstudio.gui.media.views.thumbnails import SIDE, WAVE_WIDTH
from mmstudio.gui.pages.results.samples_of_cell import CellSamples
from mmstudio.gui.parts.table_look import dress

LEAST_TEXT, LONGEST_LABEL = 120, 120
"""Widths of a text and of a label's name, pixels."""


class CellSamplesTable(QTableView):
    """`opened` brings the row of the table that was double-clicked, or chosen with Enter."""

    opened = Signal(int)

    def __init__(
        self, model: CellSamples, parent: QWidget | None = None, *,
        name: str = "Samples of the cell",
    ) -> None:
        super().__init__(parent)
        dress(self, name, least_column=56, row_height=SIDE + 8)
        self.setModel(model)
        self._model = model
        self.setIconSize(QSize(WAVE_WIDTH, SIDE))
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setStretchLastSection(True)
        self.doubleClicked.connect(self._open)
        self._alone_width = 0
        self.wide_inputs: list[str] = []
        self.pictured: dict[str, int] = {}

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's: Enter opens the sample."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        row = self._model.table_row(index.row())
        if row >= 0:
            self.opened.emit(row)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: texts take the room that is left."""
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Share the width among the columns."""
        usual = {"row": 58, "confidence": 96, "error": 80, "apart": 110, "truth": 64, "answer": 76}
        metrics = self.fontMetrics()
        names = max(map(metrics.horizontalAdvance, self._model.label_names()), default=0)
        names = min(names, LONGEST_LABEL)
        usual["truth"] = usual["answer"] = max(usual["truth"], names + 28)
        self._alone_width = names + metrics.horizontalAdvance("  100 %") + 28
        widths = []
        for section, (kind, name) in enumerate(self._model.columns):
            head = str(self._model.headerData(section, Qt.Orientation.Horizontal))
            least = metrics.horizontalAdvance(head) + 28
            if kind == "input":
                pictured = self.pictured.get(name)
                widths.append(max(least, LEAST_TEXT if pictured is None else pictured + 26))
            elif kind == "alone":
                widths.append(max(least, self._alone_width))
            else:
                widths.append(max(least, usual[kind]))
        spare = self.viewport().width() - sum(widths)
        wide = [i for i, (kind, name) in enumerate(self._model.columns)
                if kind == "input" and name in self.wide_inputs]
        for section, width in enumerate(widths):
            more = spare // len(wide) if section in wide and spare > 0 else 0
            self.setColumnWidth(section, width + more)
