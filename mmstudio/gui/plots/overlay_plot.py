"""Lines of many runs over each other, with a cursor; only what the screen can show is drawn.

Unlike `CurvePlot` its lines come whole, as arrays, and lie over steps, epochs or time.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsItem, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.plots.cursor_plot import CursorPlot
from mmstudio.gui.plots.curve_line import height_range, written
from mmstudio.gui.plots.growing import nearest, thinned
from mmstudio.gui.plots.rendered import PIXELS, rendered

if TYPE_CHECKING:
    from mmstudio.gui.plots.epoch_plot import EpochPlot

MOST_FOR_RANGE = 4000
"""Points of a line that decide on the axis; of one with more the wildest may be cut off."""
PATTERNS = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
"""Where there are more lines than colours."""
SHOWN_DOTS = 40
DENSE = 150
"""Lines with more points on show are thin."""
LINE_WIDTH, DENSE_WIDTH = 2.0, 1.0


@dataclass(frozen=True)
class OverlayLine:
    """A line: its name, its number among the chosen, ``x`` rising, and ``y``, each (points,)."""

    name: str
    number: int
    x: np.ndarray
    y: np.ndarray


def pen_of(number: int, *, width: float = LINE_WIDTH) -> QPen:
    """The pen of a line by its number: other colours first, then other patterns."""
    pen = QPen(style.series(number))
    pen.setWidthF(width)
    pen.setCosmetic(True)
    pen.setStyle(PATTERNS[number // len(style.palette().series) % len(PATTERNS)])
    return pen


class OverlayPlot(CursorPlot):
    """The plot; `begin_drawing` makes it once pyqtgraph is loaded.

    `hovered` carries the place of the cursor on the lower axis, None where there is none.
    """

    hovered = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._lines: list[OverlayLine] = []
        self._for_range: list[tuple[np.ndarray, bool]] = []
        self._range: tuple[float, float] | None = None
        self._items: list[Any] = []
        self._drawn: list[object] = []
        self._axis = ""
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)

    def sizeHint(self) -> QSize:
        """A size at which the lines can be read."""
        return QSize(520, 260)

    def minimumSizeHint(self) -> QSize:
        """The least at which they can."""
        return QSize(230, 120)

    def _place(self, plot: EpochPlot) -> None:
        layout = self.layout()
        if layout is not None:
            layout.addWidget(plot)

    def show_lines(
        self, lines: Sequence[OverlayLine], *, axis: str, percent: bool, whole: bool = True
    ) -> None:
        """Show other lines; what is zoomed into stays while the axis is the same.

        Args:
            lines: Those with a point at least are drawn.
            axis: The words at the lower axis.
            percent: Values are shares, and shown in per cent.
            whole: Only whole numbers have a meaning on the lower axis.
        """
        if axis != self._axis or percent != self._percent:
            self._free = False
        self._axis, self._percent = axis, percent
        self._lines = [line for line in lines if len(line.x)]
        self.setAccessibleDescription(self.in_words())
        self._for_range = [
            (thinned(line.x, line.y, MOST_FOR_RANGE // 2)[1], len(line.x) > MOST_FOR_RANGE)
            for line in self._lines]
        self._range = None
        self._drawn = [None] * len(self._lines)
        if self._plot is None:
            return
        import pyqtgraph as pg

        while len(self._items) > len(self._lines):
            self._plot.removeItem(self._items.pop())
        while len(self._items) < len(self._lines):
            item = pg.PlotDataItem(antialias=True, connect="finite")
            self._plot.addItem(item, ignoreBounds=True)
            self._items.append(item)
        self._end_hover()
        self._plot.getAxis("left").setLogMode(self._log and not percent)
        self._plot.getAxis("bottom").whole = whole
        self._restyle()

    def set_log(self, on: bool) -> None:
        """Have a logarithmic axis, but for shares."""
        self._log, self._range = on, None
        if self._plot is not None:
            self._plot.getAxis("left").setLogMode(on and not self._percent)
        self._drawn = [None] * len(self._lines)
        self.redraw()

    def in_words(self) -> str:
        """Per line its value at the end and what it went from, for people who hear the window."""
        return "; ".join(
            self.tr("{name}: {first} at first, {last} at the end").format(
                name=line.name, first=written(float(line.y[0]), percent=self._percent),
                last=written(float(line.y[-1]), percent=self._percent))
            for line in self._lines)

    def values_at(self, where: float) -> dict[int, float]:
        """Per line's number the value of its point nearest to a place; none beyond its ends."""
        found = {}
        for line in self._lines:
            value = nearest(line.x, line.y, where)
            if value is not None and line.x[0] <= where <= line.x[-1]:
                found[line.number] = value
        return found

    def redraw(self) -> None:
        """Draw what lies between the ends of the lower axis."""
        if self._plot is None:
            return
        box = self._plot.getViewBox()
        if not self._free:
            self._plot.setXRange(*self._ends(), padding=0.02)
        low, high = box.viewRange()[0]
        columns = max(200, self._plot.width())
        for at, (line, item) in enumerate(zip(self._lines, self._items, strict=True)):
            first = max(0, int(np.searchsorted(line.x, low)) - 1)
            last = int(np.searchsorted(line.x, high)) + 1
            drawn = (first, last, columns)
            if drawn != self._drawn[at]:
                self._drawn[at] = drawn
                x, y = thinned(line.x[first:last], line.y[first:last], columns)
                dotted = len(x) <= SHOWN_DOTS
                self._dress(item, line.number, dense=len(x) > DENSE)
                item.setData(x, self._heights(y), symbol="o" if dotted else None, symbolSize=5,
                             symbolBrush=style.series(line.number), symbolPen=None)
        if self._range is None:  # it is of all points, so that a move leaves it as it is
            self._range = height_range(self._for_range, percent=self._percent, log=self._log)
        if list(self._range) != box.viewRange()[1]:
            self._plot.setYRange(*self._range, padding=0)
        self._plot.settle()

    def _dress(self, item: Any, number: int, *, dense: bool, scale: float = 1.0) -> None:
        """Give a line its pen.

        Ten noisy lines of 1,500 points take 500 ms to paint with a wide pen, and 8 ms like this.
        """
        pen = pen_of(number, width=scale * (DENSE_WIDTH if dense else LINE_WIDTH))
        if dense:
            pen.setStyle(Qt.PenStyle.SolidLine)  # dashes are as slow as width
        if pen != item.opts["pen"]:
            item.setPen(pen)
            item.curve.setSegmentedLineMode("on" if dense else "auto")

    def picture(self, title: str, *, svg: bool) -> bytes:
        """What is on show, with a title and the lines' names, as an SVG or a PNG file.

        pyqtgraph's own exporters leave the names small, and its SVG fails on closed paths.
        """
        if self._plot is None:
            return b""
        self._end_hover()
        plot = self._plot.getPlotItem()
        axes = [self._plot.getAxis(side) for side in ("left", "bottom")]
        modes = [axis.cacheMode() for axis in axes]
        legend = self._plot.addLegend(offset=(-10, 10), labelTextColor=style.color("text"))
        try:
            for axis in axes:
                axis.setCacheMode(QGraphicsItem.CacheMode.NoCache)  # a cache is of pixels
            plot.setTitle(html.escape(title), color=style.palette().text)
            for line, item in zip(self._lines, self._items, strict=True):
                legend.addItem(item, html.escape(line.name))
                item.scatter.setExportMode(True, {"antialias": True, "resolutionScale": 1.0})
                # pens are as wide as the file's pixels, not as the screen's
                self._dress(item, line.number, dense=len(item.xData) > DENSE,
                            scale=1.0 if svg else float(PIXELS))
            plot.layout.activate()
            self._plot.settle()
            return rendered(self._plot, svg=svg)
        finally:
            plot.setTitle(None)
            plot.legend = None
            self._plot.scene().removeItem(legend)
            plot.layout.activate()
            for axis, mode in zip(axes, modes, strict=True):
                axis.setCacheMode(mode)
            for item in self._items:
                item.scatter.setExportMode(False)
            self._restyle()

    def leaveEvent(self, event: QEvent) -> None:
        """No cursor any more."""
        super().leaveEvent(event)
        self._end_hover()

    def _ends(self) -> tuple[float, float]:
        lows, highs = ([float(line.x[at]) for line in self._lines] for at in (0, -1))
        low, high = min([0.0, *lows]), max(highs, default=1.0)
        return low, high if high > low else low + 1.0

    def _hover(self, position: QPointF) -> None:
        if self._plot is None:
            return
        box = self._plot.getViewBox()
        if not self._lines or not box.sceneBoundingRect().contains(position):
            self._end_hover()
            return
        x = box.mapSceneToView(position).x()
        points = [nearest(line.x, line.x, x) for line in self._lines]
        at = min((p for p in points if p is not None), key=lambda p: abs(p - x))
        self._cross.setValue(at)
        self._cross.show()
        self.hovered.emit(at)

    def _end_hover(self) -> None:
        if self._cross is not None and self._cross.isVisible():
            self._cross.hide()
            self.hovered.emit(None)

    def _restyle(self) -> None:
        if self._plot is None:
            return
        self._style_axes(self._axis, shown=bool(self._lines))
        self._drawn = [None] * len(self._lines)  # lines and dots have colours
        self.redraw()


def time_unit(longest_s: float) -> tuple[str, float]:
    """The unit in which times up to this one are read best, and its seconds."""
    if not math.isfinite(longest_s) or longest_s < 300:
        return "s", 1.0
    return ("min", 60.0) if longest_s < 5 * 3600 else ("h", 3600.0)
