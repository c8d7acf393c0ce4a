"""A card with a plot of one quantity over another: lines, points, dots and a line to drag.

Unlike `CurvePlot` it knows nothing of epochs. pyqtgraph should be loaded when it is first given
something to draw: whoever fills it imports it in the job that works the figures out.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import ElidedLabel, label
from mmstudio.gui.plain_text import MarkedLabel
from mmstudio.gui.plots.loops import inside

HOVER_PIXELS = 12
LOOP = "loop"
"""The key of the line that is drawn by hand."""


@dataclass(frozen=True)
class Drawn:
    """One thing on the plot; its colour is a field of the palette or the number of a series."""

    item: Any
    colour: str | int
    kind: str
    dashed: bool = False


class XYPlot(QFrame):
    """The plot.

    Signals:
        handle_moved: Where the line was dragged to.
        point_clicked: The number of the point that was clicked.
        point_hovered: The number of the point under the pointer, -1 where there is none.
        loop_drawn: The numbers of the points round which a loop was drawn.
    """

    handle_moved = Signal(float)
    point_clicked = Signal(int)
    point_hovered = Signal(int)
    loop_drawn = Signal(object)

    def __init__(self, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name)
        style.mark(self, "card")
        self._drawn: dict[str, Drawn] = {}
        self._plot: Any = None
        self._handle: Any = None
        self._axes = ("", "")
        self.loops = False
        """Whether a loop can be drawn; to be said before anything is drawn."""
        self._points = np.zeros((0, 2))
        self._numbers = np.zeros(0, np.int64)
        self.title = label(title, "section")
        self.figure = ElidedLabel("", "small")
        head = QHBoxLayout()
        head.setSpacing(style.SPACE)
        head.addWidget(self.title)
        head.addWidget(self.figure, 1)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(14, 10, 12, 8)
        self.body.setSpacing(4)
        self.body.addLayout(head)
        self._entries: list[tuple[str, str | int | QColor]] = []
        self._legend = QHBoxLayout()
        self._legend.setSpacing(2 * style.SPACE)
        self._legend.addStretch(1)
        self.body.addLayout(self._legend)
        self._room = QVBoxLayout()
        self._room.addStretch(1)  # the plot's place
        self.body.addLayout(self._room, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        style.changed.connect(self._restyle)

    def sizeHint(self) -> QSize:
        """Qt's."""
        return QSize(340, 300)

    def minimumSizeHint(self) -> QSize:
        """Qt's."""
        return QSize(220, 180)

    @property
    def plot(self) -> Any:
        """Qtgraph's plot, made when it is first needed."""
        if self._plot is None:
            from mmstudio.gui.plots.plain_plot import PlainPlot

            self._plot = PlainPlot(self)
            self._plot.setAccessibleName(self.accessibleName())
            self._plot.scene().sigMouseClicked.connect(self._clicked)
            self._plot.scene().sigMouseMoved.connect(self._moved)
            self._plot.looping = self.loops
            self._plot.loop_moved.connect(self._show_loop)
            self._plot.loop_closed.connect(self._close_loop)
            self._room.takeAt(0)
            self._room.addWidget(self._plot)
            self._restyle()
        return self._plot

    def show_words(self, figure: str, words: str = "") -> None:
        """What stands beside the title, and what people hear who don't see the plot."""
        self.figure.set_text(figure)
        self.setAccessibleDescription(f"{figure} {words}".strip())

    def show_legend(self, entries: Sequence[tuple[str, str | int | QColor]]) -> None:
        """Name the colours below the title."""
        while self._legend.count() > 1:
            taken = self._legend.takeAt(0)
            widget = taken.widget() if taken is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._entries = list(entries)
        for place, (name, colour) in enumerate(entries):
            one = MarkedLabel(self)
            style.mark(one, "small")
            one.setText(f'<span style="color:{_colour(colour).name()}">●</span> '
                        f"{html.escape(name)}")
            self._legend.insertWidget(place, one)

    def set_axes(
        self, bottom: str, left: str, x: tuple[float, float] | None = None,
        y: tuple[float, float] | None = None,
    ) -> None:
        """Name the axes; without ranges they fit what is drawn."""
        self._axes = (bottom, left)
        for values, setter in ((x, self.plot.setXRange), (y, self.plot.setYRange)):
            if values is not None:
                setter(*values, padding=0.04)
        if x is None or y is None:
            self.plot.enableAutoRange("xy", True)
            self.plot.getViewBox().setDefaultPadding(0.03)
        for side in ("bottom", "left"):  # a map's numbers mean nothing
            self.plot.showAxis(side, not self.loops)
        self._restyle()

    def set_steps(self, texts: Sequence[str]) -> None:
        """Have words in place of the numbers 0, 1, … on the lower axis."""
        self.plot.getAxis("bottom").setTicks([list(enumerate(texts)), []])

    def clear(self) -> None:
        """Take everything away but the line that is dragged."""
        for one in self._drawn.values():
            self.plot.removeItem(one.item)
        self._drawn.clear()
        self._points, self._numbers = np.zeros((0, 2)), np.zeros(0, np.int64)

    def empty(self) -> None:
        """Take everything away, with the words and the legend: they are of something else."""
        self.clear()
        self.show_legend([])
        self.show_words("")

    def set_line(
        self, key: str, x: np.ndarray, y: np.ndarray, colour: str | int = 0, *,
        dashed: bool = False,
    ) -> None:
        """Draw a line, or another in its place."""
        one = self._item(key, colour, "line", dashed)
        one.item.setData(np.asarray(x, float), np.asarray(y, float), connect="finite")

    def set_dot(self, key: str, x: float, y: float, colour: str | int = "warn") -> None:
        """Draw one large dot; none where it has no place."""
        one = self._item(key, colour, "dot")
        there = np.isfinite(x) and np.isfinite(y)
        one.item.setData([x] if there else [], [y] if there else [])

    def set_points(
        self, groups: Sequence[tuple[str, np.ndarray, str | int | QColor]], x: np.ndarray,
        y: np.ndarray, *, size: int = 5,
    ) -> None:
        """Draw points in groups of one colour.

        Args:
            groups: Per group its name, which of the points are in it, and its colour.
            x: ``(N,)``.
            y: ``(N,)``.
            size: Of a point, pixels.
        """
        for key in [key for key, one in self._drawn.items() if one.kind == "points"]:
            self.plot.removeItem(self._drawn.pop(key).item)
        for name, members, colour in groups:
            kept = colour.name() if isinstance(colour, QColor) else colour
            one = self._item(f"points {name}", kept, "points")
            one.item.setSize(size)
            one.item.setData(x[members], y[members])
        every = [members for _, members, _ in groups]
        self._numbers = np.concatenate(every) if every else np.zeros(0, np.int64)
        self._points = np.stack([x[self._numbers], y[self._numbers]], axis=1)

    def set_handle(self, value: float, low: float = 0.0, high: float = 1.0) -> None:
        """Have a line that can be dragged along the lower axis."""
        import pyqtgraph as pg

        if self._handle is None:
            self._handle = pg.InfiniteLine(angle=90, movable=True)
            self._handle.setZValue(10)
            self._handle.sigPositionChanged.connect(
                lambda line: self.handle_moved.emit(float(line.value())))
            self.plot.addItem(self._handle, ignoreBounds=True)
            self._restyle()
        self._handle.setBounds((low, high))
        if abs(self._handle.value() - value) > 1e-9:
            self._handle.setValue(value)

    # Look ----------------------------------------------------------------------------------

    def _item(self, key: str, colour: str | int, kind: str, dashed: bool = False) -> Drawn:
        import pyqtgraph as pg

        one = self._drawn.get(key)
        if one is None:
            makers: dict[str, Callable[[], Any]] = {
                "line": lambda: pg.PlotDataItem(antialias=True),
                "dot": lambda: pg.ScatterPlotItem(size=11, pxMode=True),
                "points": lambda: pg.ScatterPlotItem(pxMode=True, antialias=False)}
            item = makers[kind]()
            item.setZValue({"points": -1, "line": 1, "dot": 5}[kind])
            one = self._drawn[key] = Drawn(item, colour, kind, dashed)
            self.plot.addItem(item, ignoreBounds=key == LOOP)
            self._dress(one)
        return one

    def _dress(self, one: Drawn) -> None:
        import pyqtgraph as pg

        colour = _colour(one.colour)
        if one.kind == "line":
            dash = Qt.PenStyle.DashLine if one.dashed else Qt.PenStyle.SolidLine
            one.item.setPen(pg.mkPen(colour, width=1.2 if one.dashed else 2, style=dash))
        else:
            one.item.setPen(pg.mkPen(style.color("surface")) if one.kind == "dot" else (
                pg.mkPen(None)))
            one.item.setBrush(pg.mkBrush(colour))

    def _restyle(self) -> None:
        if self._plot is None:
            return
        import pyqtgraph as pg

        colours = style.palette()
        self._plot.setBackground(colours.surface)
        small = QFont(self.font())
        small.setPointSizeF(max(7.5, small.pointSizeF() - 1.0))
        for side, name in zip(("bottom", "left"), self._axes, strict=True):
            axis = self._plot.getAxis(side)
            axis.setPen(pg.mkPen(colours.border))
            axis.setTextPen(pg.mkPen(colours.muted))
            axis.setTickFont(small)
            axis.setStyle(tickLength=-4, tickTextOffset=6)
            axis.setLabel(html.escape(name), color=colours.muted)  # qtgraph reads HTML
            axis.showLabel(bool(name))
        self._plot.showGrid(x=False, y=not self.loops, alpha=0.35 if colours.dark else 0.25)
        if self._handle is not None:
            self._handle.setPen(pg.mkPen(colours.warn, width=2))
            self._handle.setHoverPen(pg.mkPen(colours.warn, width=4))
        for one in self._drawn.values():
            self._dress(one)
        self.show_legend(self._entries)

    # Hands ---------------------------------------------------------------------------------

    def nearest(self, place: QPointF) -> int:
        """The number of the point at a place of the scene; -1 where there is none near."""
        if not len(self._points):
            return -1
        box = self.plot.getViewBox()
        at = box.mapSceneToView(place)
        wide, high = box.viewPixelSize()
        apart = (self._points - (at.x(), at.y())) / (max(wide, 1e-30), max(high, 1e-30))
        distances = np.einsum("ij,ij->i", apart, apart)
        best = int(distances.argmin())
        return int(self._numbers[best]) if distances[best] <= HOVER_PIXELS**2 else -1

    def inside_loop(self, loop: Sequence[QPointF]) -> np.ndarray:
        """The numbers of the points inside a loop of places of the scene."""
        box = self.plot.getViewBox()
        corners = np.array([(p.x(), p.y()) for p in map(box.mapSceneToView, loop)])
        return np.sort(self._numbers[inside(corners, self._points)])

    def _show_loop(self, loop: list[QPointF]) -> None:
        places = [self.plot.getViewBox().mapSceneToView(p) for p in [*loop, loop[0]]]
        self.set_line(LOOP, np.array([p.x() for p in places]),
                      np.array([p.y() for p in places]), "warn")

    def _close_loop(self, loop: list[QPointF]) -> None:
        self.set_line(LOOP, np.zeros(0), np.zeros(0), "warn")
        found = self.inside_loop(loop)
        if len(found):
            self.loop_drawn.emit(found)

    def _clicked(self, event: Any) -> None:
        number = self.nearest(event.scenePos())
        if number >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.point_clicked.emit(number)

    def _moved(self, place: QPointF) -> None:
        if len(self._points):
            self.point_hovered.emit(self.nearest(place))


def _colour(colour: str | int | QColor) -> QColor:
    if isinstance(colour, QColor):
        return colour
    return style.series(colour) if isinstance(colour, int) else style.color(colour)
