"""pyqtgraph's plot with an axis of whole epochs, which notes how long it takes to paint."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QGraphicsItem, QLabel, QWidget

_AXIS_WIDTH = 46
_LEAST_GAP = 18
"""Pixels from one number on the axis to the next."""
_OF_A_DECADE = (tuple(range(1, 10)), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,))


class EpochAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph is not typed
    """Numbers whole epochs only, as long as it is `whole`: there is no epoch 1.5."""

    whole = True

    def tickSpacing(self, minimum: float, maximum: float, size: float) -> Any:
        """Qtgraph's levels of ticks, without those between epochs."""
        levels = super().tickSpacing(minimum, maximum, size)
        if not self.whole:
            return levels
        return [(spacing, start) for spacing, start in levels if spacing >= 1] or [(1, 0)]


class ValueAxis(pg.AxisItem):  # type: ignore[misc]
    """In its logarithmic mode it numbers as many values of a decade as there is room for."""

    def logTickValues(self, minVal: float, maxVal: float, size: float, stdTicks: Any) -> Any:
        """Qtgraph would number all nine."""
        decades = range(math.floor(minVal), math.ceil(maxVal) + 1)
        for chosen in _OF_A_DECADE:
            values = (np.array(decades)[:, None] + np.log10(chosen)).ravel()
            shown = values[(values >= minVal) & (values <= maxVal)]
            gaps = np.diff(shown) / (maxVal - minVal) * size
            if gaps.size == 0 or gaps.min() >= _LEAST_GAP:
                return [(None, shown.tolist())]
        return [(spacing, values) for spacing, values in stdTicks if spacing >= 1][:1]


class EpochPlot(pg.PlotWidget):  # type: ignore[misc]
    """Plain curves over epochs: no menu, no buttons; the wheel zooms along the epochs.

    `last_paint_ms` is how long the last repaint took.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make an empty plot."""
        super().__init__(parent, enableMenu=False, axisItems={
            "bottom": EpochAxis("bottom"), "left": ValueAxis("left")})
        self.last_paint_ms = 0.0
        # It is made all the same, a window of its own that would outlive the plot.
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(self, menu.windowFlags())
        for label in menu.findChildren(QLabel):
            label.setTextFormat(Qt.TextFormat.PlainText)
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
