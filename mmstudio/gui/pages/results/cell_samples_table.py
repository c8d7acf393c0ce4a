"""The table of a cell's samples: a double click opens one."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from mmstudio.gui.pages.results.samples_of_cell import CellSamples
from mmstudio.gui.parts.sample_table import SampleTable

LEAST_TEXT, LONGEST_LABEL = 120, 120
"""Widths of a text and of a label's name, pixels."""


class CellSamplesTable(SampleTable):
    """`opened` brings the row of the table that was double-clicked, or chosen with Enter."""

    def __init__(
        self, model: CellSamples, parent: QWidget | None = None, *,
        name: str = "Samples of the cell",
    ) -> None:
        super().__init__(name, model, model.table_row, parent)
        self._samples = model
        self.doubleClicked.connect(self.open_at)
        self.wide_inputs: list[str] = []
        self.pictured: dict[str, int] = {}

    def fit(self) -> None:
        """Share the width among the columns."""
        usual = {"row": 58, "confidence": 96, "error": 80, "apart": 110, "truth": 64, "answer": 76}
        metrics = self.fontMetrics()
        names = max(map(metrics.horizontalAdvance, self._samples.label_names()), default=0)
        names = min(names, LONGEST_LABEL)
        usual["truth"] = usual["answer"] = max(usual["truth"], names + 28)
        usual["alone"] = names + metrics.horizontalAdvance("  100 %") + 28
        widths = []
        for section, (kind, name) in enumerate(self._samples.columns):
            if kind == "input":
                pictured = self.pictured.get(name)
                width = LEAST_TEXT if pictured is None else pictured + 26
            else:
                width = usual[kind]
            widths.append(max(self.least_width(section, room=28), width))
        self.share_out(widths, [
            section for section, (kind, name) in enumerate(self._samples.columns)
            if kind == "input" and name in self.wide_inputs])
