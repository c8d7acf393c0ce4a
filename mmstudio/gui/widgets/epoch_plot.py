"""pyqtgraph's plot with an axis of whole epochs, which notes how long it takes to paint."""

from __future__ import annotations

import time
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QGraphicsItem, QWidget

_AXIS_WIDTH = 46


class EpochAxis(pg.AxisItem):
    """Numbers whole epochs only: there is no epoch 1.5."""

    def tickSpacing(self, minimum: float, maximum: float, size: float) -> Any:
        """Qtgraph's levels of ticks, without those between epochs."""
        levels = super().tickSpacing(minimum, maximum, size)
        return [(spacing, start) for spacing, start in levels if spacing >= 1] or [(1, 0)]


class EpochPlot(pg.PlotWidget):
    """Plain curves over epochs: no menu, no buttons; the wheel zooms along the epochs.

    `last_paint_ms` is how long the last repaint took.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty plot."""
        super().__init__(parent, axisItems={"bottom": EpochAxis("bottom")})
        self.last_paint_ms = 0.0
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=True, y=False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.getAxis("left").setWidth(_AXIS_WIDTH)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.enableAutoSIPrefix(False)
            # painted when its range changes, and not with every new point of a curve
            axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.getViewBox().setDefaultPadding(0.0)

    def settle(self) -> None:
        """Bring all items up to what was set: they would do so while painting, and then again."""
        self.scene().prepareForPaint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint, and note how long it took."""
        started = time.perf_counter()
        super().paintEvent(event)
        self.last_paint_ms = 1000 * (time.perf_counter() - started)
