"""The table of a predicted table's rows: a click opens a sample, a head's click sorts."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from mmstudio.gui.pages.testing.answered_rows import AnsweredRows
from mmstudio.gui.parts.sample_table import SampleTable

FILE_NAME, LEAST_TEXT = 88, 130
"""Widths of what stands beside a thumbnail, and of a text, pixels."""


class AnsweredTable(SampleTable):
    """The table; `opened` brings the row that was clicked, or chosen with Enter."""

    def __init__(self, model: AnsweredRows, parent: QWidget | None = None) -> None:
        super().__init__("Answers of the table", model, model.row_at, parent)
        self._rows = model
        head = self.horizontalHeader()
        head.setSortIndicatorClearable(True)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.clicked.connect(self.open_at)

    def fit(self) -> None:
        """Share the width among the columns."""
        numbers = self.fontMetrics().horizontalAdvance(f"{self._rows.table_rows():,}") + 26
        usual = {"row": max(58, numbers), "answer": 80, "sure": 90, "odd": 156, "error": 80}
        widths, wide = [], []
        for section, (kind, name) in enumerate(self._rows.columns):
            if kind != "input":
                width = usual[kind]
            elif self._rows.is_pictured(name):
                width = self._rows.thumbnail_width(name) + FILE_NAME
            else:
                width = LEAST_TEXT
                wide.append(section)
            widths.append(max(self.least_width(section, room=30), width))
        self.share_out(widths, wide)
