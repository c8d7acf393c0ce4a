"""pyqtgraph's plot without its menu and its buttons."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QLabel, QWidget

_AXIS_WIDTH = 46
_LEAST_LOOP = 3
"""Places of a loop; fewer are a click with an unsteady hand."""


class PlainPlot(pg.PlotWidget):  # type: ignore[misc]
    """Lines and points; it does not zoom by the wheel, as what holds it may scroll.

    Where it is `looping`, dragging draws a loop: `loop_moved` and `loop_closed` bring its places
    in the scene.
    """

    loop_moved = Signal(list)
    loop_closed = Signal(list)

    def __init__(self, parent: QWidget | None = None, *, moves: bool = False) -> None:
        super().__init__(parent, enableMenu=False)
        # It is made all the same, a window of its own that would outlive the plot.
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(self, menu.windowFlags())
        for label in menu.findChildren(QLabel):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.looping = False
        self._loop: list[QPointF] = []
        self.hideButtons()
        self.setMouseEnabled(x=moves, y=moves)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.getAxis("left").setWidth(_AXIS_WIDTH)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's."""
        super().mousePressEvent(event)
        self._loop = [self.mapToScene(event.position().toPoint())]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's."""
        super().mouseMoveEvent(event)
        if self.looping and self._loop and event.buttons() & Qt.MouseButton.LeftButton:
            self._loop.append(self.mapToScene(event.position().toPoint()))
            self.loop_moved.emit(self._loop)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt's."""
        super().mouseReleaseEvent(event)
        loop, self._loop = self._loop, []
        if self.looping and len(loop) > _LEAST_LOOP:
            self.loop_closed.emit(loop)
