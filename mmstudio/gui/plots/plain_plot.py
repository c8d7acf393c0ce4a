"""pyqtgraph's plot without its menu and its buttons."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

_AXIS_WIDTH = 46


class PlainPlot(pg.PlotWidget):  # type: ignore[misc]
    """Lines and points; it does not zoom by the wheel, as what holds it may scroll."""

    def __init__(self, parent: QWidget | None = None, *, moves: bool = False) -> None:
        super().__init__(parent, enableMenu=False)
        # It is made all the same, a window of its own that would outlive the plot.
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(self, menu.windowFlags())
        for label in menu.findChildren(QLabel):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.hideButtons()
        self.setMouseEnabled(x=moves, y=moves)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.getAxis("left").setWidth(_AXIS_WIDTH)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
