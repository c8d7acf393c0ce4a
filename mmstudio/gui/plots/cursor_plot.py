"""A frame around a plot of lines: it is zoomed by hand, has a cursor, and follows the theme.

pyqtgraph is loaded by the page when it is first shown, in a job; `begin_drawing` makes the plot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from mmstudio.gui import style

if TYPE_CHECKING:
    from mmstudio.gui.plots.epoch_plot import EpochPlot

LEAST_LOG = 1e-6
"""Smaller values have no place of their own on a logarithmic axis."""


class CursorPlot(QFrame):
    """What `CurvePlot` and `OverlayPlot` share; each draws its own lines.

    Args:
        name: Object name and accessible name.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name)
        self._plot: EpochPlot | None = None
        self._cross: Any = None
        self._percent = self._log = False
        self._free = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        style.changed.connect(self._restyle)

    def begin_drawing(self) -> None:
        """Make the plot; pyqtgraph should be loaded by now."""
        if self._plot is not None:
            return
        import pyqtgraph as pg

        from mmstudio.gui.plots.epoch_plot import EpochPlot

        plot = EpochPlot(self)
        plot.setAccessibleName(self.accessibleName())
        plot.setToolTip(self.tr("Wheel or drag: zoom and move. Double click: show all."))
        plot.getViewBox().sigRangeChangedManually.connect(self._moved_by_hand)
        plot.scene().sigMouseMoved.connect(self._hover)
        plot.scene().sigMouseClicked.connect(self._clicked)
        self._cross = pg.InfiniteLine(angle=90, movable=False)
        self._cross.hide()
        plot.addItem(self._cross, ignoreBounds=True)
        self._plot = plot
        self._place(plot)
        self._restyle()

    def redraw(self) -> None:
        """Bring the screen up to the data."""

    def _place(self, plot: EpochPlot) -> None:
        """Put the new plot into the layout."""

    def _hover(self, position: QPointF) -> None:
        """Move the cursor to a place of the scene."""

    def _restyle(self) -> None:
        """Take the colours of the theme."""

    def _heights(self, y: np.ndarray) -> np.ndarray:
        """Values as the left axis has them."""
        if self._percent:
            return y * 100.0
        if self._log:
            heights: np.ndarray = np.log10(np.maximum(y, LEAST_LOG))
            return heights
        return y

    def _style_axes(self, along: str, *, shown: bool) -> None:
        """Dress the axes.

        Args:
            along: The words at the lower axis.
            shown: Whether they have lines and numbers, which mean nothing without a curve.
        """
        import pyqtgraph as pg

        if self._plot is None:
            return
        colours = style.palette()
        self._plot.setBackground(colours.surface)
        self._cross.setPen(pg.mkPen(colours.faint, width=1))
        small = QFont(self.font())
        small.setPointSizeF(max(7.5, small.pointSizeF() - 1.0))
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(pg.mkPen(colours.border if shown else None))
            axis.setTextPen(pg.mkPen(colours.muted))
            axis.setTickFont(small)
            axis.setStyle(showValues=shown, tickLength=-4, tickTextOffset=6)
        bottom = self._plot.getAxis("bottom")
        bottom.setLabel(along, color=colours.muted)
        bottom.showLabel(shown)
        self._plot.showGrid(x=False, y=shown, alpha=0.35 if colours.dark else 0.25)

    def _moved_by_hand(self, *_: object) -> None:
        self._free = True
        self.redraw()

    def _clicked(self, event: Any) -> None:
        if event.double():
            self._free = False
            self.redraw()
