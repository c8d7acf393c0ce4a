"""Several runs' curves over each other: one quantity at a time, a colour per run."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel, readable
from mmstudio.gui.parts.cards import label
from mmstudio.gui.plain_text import MarkedLabel
from mmstudio.gui.plots.curve_plot import CurvePlot
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory


class CompareCard(QWidget):
    """Two plots side by side: the validation loss, and a figure that is chosen."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histories: dict[Path, RunHistory] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        head = QHBoxLayout()
        head.addWidget(label(self.tr("Compare"), "section"))
        head.addStretch(1)
        head.addWidget(label(self.tr("Figure"), "muted"))
        self.figure = QComboBox()
        self.figure.setAccessibleName("Figure")
        self.figure.setObjectName("Figure")
        self.figure.setMinimumWidth(180)
        guard_wheel(self.figure)
        self.figure.currentIndexChanged.connect(self._show_figure)
        head.addWidget(self.figure)
        close = QToolButton()
        close.setAccessibleName("Close comparison")
        close.setToolTip(self.tr("Close the comparison"))
        close.clicked.connect(self.closed)
        self._close = close
        head.addWidget(close)
        box.addLayout(head)
        self._legend = MarkedLabel()
        self._legend.setWordWrap(True)
        self._legend.setAccessibleName("Compared runs")
        box.addWidget(self._legend)
        row = QHBoxLayout()
        row.setSpacing(12)
        self.loss = CurvePlot("Compare loss", self.tr("Validation loss"))
        self.metric_plot = CurvePlot("Compare figure", "")
        row.addWidget(self.loss)
        row.addWidget(self.metric_plot)
        box.addLayout(row, 1)
        style.changed.connect(self._tint)
        self._tint()

    def begin_drawing(self) -> None:
        """Make the plots; pyqtgraph should be loaded by now."""
        self.loss.begin_drawing()
        self.metric_plot.begin_drawing()

    def show_histories(self, histories: Mapping[Path, RunHistory]) -> None:
        """Show other runs."""
        self._histories = dict(histories)
        before = self.figure.currentData()
        names = dict.fromkeys(
            (task, figure)
            for history in histories.values()
            for task, figures in history.metrics.items()
            for figure in figures
            if figure != "loss"
        )
        self.figure.blockSignals(True)
        self.figure.clear()
        for task, figure in names:
            self.figure.addItem(f"{task}: {readable(figure).lower()}", (task, figure))
        found = next((i for i, name in enumerate(names) if name == before), 0)
        self.figure.setCurrentIndex(found)
        self.figure.blockSignals(False)
        self.metric_plot.setVisible(bool(names))
        self._show_legend()
        self.loss.remove_curves()
        for index, (path, history) in enumerate(self._histories.items()):
            self.loss.set_curve(
                str(path), str(index + 1), history.epochs, history.validation_loss, series=index
            )
        self.loss.set_end(self._end())
        self.loss.redraw()
        self._show_figure()

    def _end(self) -> float:
        return max((h.epochs[-1] for h in self._histories.values() if h.epochs), default=1)

    def _show_figure(self) -> None:
        chosen = self.figure.currentData()
        if chosen is None:
            return
        task, figure = chosen
        self.metric_plot.remove_curves()
        self.metric_plot.set_title(self.figure.currentText(), percent=metric_named(figure).share)
        for index, (path, history) in enumerate(self._histories.items()):
            values = history.metrics.get(task, {}).get(figure, {}).get("validation")
            if values:
                self.metric_plot.set_curve(
                    str(path), str(index + 1), history.epochs, values, series=index
                )
        self.metric_plot.set_end(self._end())
        self.metric_plot.redraw()

    def _show_legend(self) -> None:
        parts = [
            f'<span style="color:{style.series(index).name()}">━</span>&nbsp;{index + 1}&nbsp;'
            f"{html.escape(path.name)}"
            for index, path in enumerate(self._histories)
        ]
        self._legend.setText("&nbsp;&nbsp;&nbsp; ".join(parts))

    def _tint(self) -> None:
        self._show_legend()
        self._close.setIcon(style.icon("mdi6.close", "muted"))
