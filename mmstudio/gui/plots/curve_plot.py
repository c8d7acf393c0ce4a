"""Curves over epochs: a card with title, legend with values, crosshair and a marked best epoch.

pyqtgraph is loaded by the page when it is first shown, in a job; until then the card keeps its
data and shows its title. `begin_drawing` makes the plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import ElidedLabel
from mmstudio.gui.plain_text import MarkedLabel, PlainLabel
from mmstudio.gui.plots.cursor_plot import CursorPlot
from mmstudio.gui.plots.curve_line import CurveLine, height_range, written
from mmstudio.gui.plots.growing import nearest, thinned

if TYPE_CHECKING:
    from mmstudio.gui.plots.epoch_plot import EpochPlot

_SLACK = 0.04
"""How much of its height the axis may leave free beyond what fits the curves."""
_HEADER_HEIGHT = 24
"""Pixels of a toggle button: titles stand at one height, whether or not one is beside them."""


class CurvePlot(CursorPlot):
    """A card with the curves of one quantity over the epochs.

    Args:
        name: Object name and accessible name.
        title: What is shown, for people.
        percent: Values are shares and are shown in percent.
        with_log: Offer a logarithmic axis.
    """

    def __init__(
        self,
        name: str,
        title: str,
        parent: QWidget | None = None,
        *,
        percent: bool = False,
        with_log: bool = False,
    ) -> None:
        super().__init__(name, parent)
        style.mark(self, "card")
        self._percent = percent
        self._lines: dict[str, CurveLine] = {}
        self._best: Any = None
        self._best_label: Any = None
        self._best_at: tuple[float, str] | None = None
        self._x_end = 1.0
        self._hover_x: float | None = None
        self._with_values = False
        self._build(title, with_log)

    def _build(self, title: str, with_log: bool) -> None:
        self._title = style.mark(PlainLabel(title, self), "section")
        self._where = ElidedLabel("", "small")
        self._log_button = QToolButton(self)
        self._log_button.setText(self.tr("Log"))
        self._log_button.setCheckable(True)
        self._log_button.setVisible(with_log)
        self._log_button.setAccessibleName(self.tr("Logarithmic axis"))
        self._log_button.setToolTip(self.tr("Logarithmic axis: shows small differences"))
        self._log_button.toggled.connect(self._set_log)
        style.mark(self._log_button, "toggle")
        self._title.setMinimumHeight(_HEADER_HEIGHT)
        self.header = QHBoxLayout()
        self.header.setSpacing(style.SPACE)
        self.header.addWidget(self._title)
        self.header.addWidget(self._where, 1)
        self.header.addWidget(self._log_button)
        self._legend = QHBoxLayout()
        self._legend.setSpacing(2 * style.SPACE)
        self._legend.addStretch(1)
        self._body = QVBoxLayout(self)
        self._body.setContentsMargins(14, 10, 12, 8)
        self._body.setSpacing(4)
        self._body.addLayout(self.header)
        self._body.addLayout(self._legend)
        self._body.addStretch(1)

    def sizeHint(self) -> QSize:
        """A size at which the curves can be read."""
        return QSize(420, 280)

    def minimumSizeHint(self) -> QSize:
        """The least at which they can."""
        return QSize(230, 150)

    @property
    def last_paint_ms(self) -> float:
        """How long the last repaint of the plot took."""
        return 0.0 if self._plot is None else self._plot.last_paint_ms

    @property
    def drawing(self) -> bool:
        """Whether the plot itself stands already."""
        return self._plot is not None

    def _place(self, plot: EpochPlot) -> None:
        import pyqtgraph as pg

        self._best = pg.InfiniteLine(angle=90, movable=False)
        self._best.hide()
        plot.addItem(self._best, ignoreBounds=True)
        self._best_label = pg.TextItem()
        self._best_label.hide()
        plot.addItem(self._best_label, ignoreBounds=True)
        # The stretch held the plot's place.
        self._body.takeAt(self._body.count() - 1)
        self._body.addWidget(plot, 1)

    def set_curve(
        self,
        key: str,
        label: str,
        x: Sequence[float],
        y: Sequence[float],
        *,
        series: int = 0,
        faint: bool = False,
        dashed: bool = False,
    ) -> None:
        """Show a curve, or go on with it; `x` and `y` may be the ever growing lists of a run."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = CurveLine(label, series, faint, dashed)
            line.legend = style.mark(MarkedLabel(self), "small")
            self._legend.insertWidget(self._legend.count() - 1, line.legend)
        line.curve.follow(x, y)

    def remove_curves(self) -> None:
        """Take all curves away."""
        for line in self._lines.values():
            if line.item is not None and self._plot is not None:
                self._plot.removeItem(line.item)
            if line.legend is not None:
                self._legend.removeWidget(line.legend)
                line.legend.hide()
                line.legend.deleteLater()
        self._lines.clear()
        self._free = False
        self._hover_x = None
        if self._cross is not None:
            self._cross.hide()
        self.set_best(None, "")

    def set_title(self, title: str, *, percent: bool) -> None:
        """Change the title, and whether values are shares."""
        self._title.setText(title)
        self._percent = percent

    def set_best(self, x: float | None, label: str) -> None:
        """Mark an epoch by a thin line with a label; None takes it away."""
        self._best_at = None if x is None else (x, label)

    def set_end(self, x_end: float) -> None:
        """Where the epoch axis ends."""
        self._x_end = x_end

    def redraw(self) -> None:
        """Bring the screen up to the data; call it at most 20 times a second."""
        self._show_values()
        if self._plot is None:
            return
        self._show_axes(any(len(line.curve) for line in self._lines.values()))
        if not self._free:
            # A little room, so that the last dot and its number are not cut.
            self._plot.setXRange(0, 1.03 * self._x_end, padding=0)
        low, high = self._plot.getViewBox().viewRange()[0]
        columns = max(200, self._plot.width())
        for line in self._lines.values():
            if line.item is None:
                line.item = self._plot.plot([], [], antialias=True, connect="finite")
                line.item.setZValue(-1 if line.faint else 1)
                line.dress()
            first = max(0, int(np.searchsorted(line.curve.x, low)) - 1)
            last = int(np.searchsorted(line.curve.x, high)) + 1
            drawn = (line.curve.version, first, last, columns, self._percent, self._log)
            if drawn != line.drawn:
                line.drawn = drawn
                x, y = thinned(line.curve.x[first:last], line.curve.y[first:last], columns)
                line.item.setData(x, self._heights(y), **line.dots(len(x)))
        self._fit_height()
        self._place_best()
        self._plot.settle()

    def text_values(self) -> str:
        """The newest value of each curve as a sentence, for screen readers."""
        parts = [
            f"{line.label} {written(float(line.curve.y[-1]), percent=self._percent)}"
            for line in self._lines.values()
            if len(line.curve)
        ]
        return ", ".join(parts)

    def _fit_height(self) -> None:
        if self._plot is not None:
            lines = [(line.curve.y, line.faint) for line in self._lines.values()]
            low, high = height_range(lines, percent=self._percent, log=self._log)
            bottom, top = self._plot.getViewBox().viewRange()[1]
            # an axis that moves a little with every point can't be read, and costs a repaint
            slack = _SLACK * (top - bottom)
            if not (low - slack <= bottom <= low and high <= top <= high + slack):
                self._plot.setYRange(low, high, padding=0)

    def _show_axes(self, with_values: bool) -> None:
        """Lines and numbers of the axes mean nothing while there is no curve."""
        if with_values != self._with_values:
            self._with_values = with_values
            self._style_axes(self.tr("Epoch"), shown=with_values)

    def _place_best(self) -> None:
        self._best.setVisible(self._best_at is not None)
        self._best_label.setVisible(self._best_at is not None)
        if self._best_at is None or self._plot is None:
            return
        x, label = self._best_at
        self._best.setValue(x)
        self._best_label.setText(label)
        # Beside the line on the side that has room, in the corner that the curves leave free.
        on_left = x > 0.5 * self._x_end
        bottom, top = self._plot.getViewBox().viewRange()[1]
        self._best_label.setAnchor((1.0 if on_left else 0.0, 1.0 if self._percent else 0.0))
        self._best_label.setPos(x, bottom if self._percent else top)

    def _show_values(self) -> None:
        where = self._hover_x
        if where is not None:
            text = self.tr("at epoch {x}").format(x=f"{where:.3g}")
        elif any(len(line.curve) for line in self._lines.values()):
            text = ""
        else:
            text = self.tr("appears in training")
        self._where.set_text(text)
        for line in self._lines.values():
            line.show_legend(where, percent=self._percent)
        self.setAccessibleDescription(self.text_values() or text)

    def _set_log(self, on: bool) -> None:
        self._log = on
        if self._plot is not None:
            self._plot.getAxis("left").setLogMode(on)
        self.redraw()

    def _hover(self, position: QPointF) -> None:
        if self._plot is None:
            return
        box = self._plot.getViewBox()
        inside = box.sceneBoundingRect().contains(position) and any(
            len(line.curve) for line in self._lines.values()
        )
        self._hover_x = None
        if inside:
            x = box.mapSceneToView(position).x()
            whole = [line.curve for line in self._lines.values() if not line.faint]
            snapped = [nearest(curve.x, curve.x, x) for curve in whole if len(curve)]
            self._hover_x = min(snapped, key=lambda at: abs(at - x)) if snapped else x
            self._cross.setValue(self._hover_x)
        self._cross.setVisible(inside)
        self._show_values()

    def leaveEvent(self, event: QEvent) -> None:
        """Show the newest values again."""
        super().leaveEvent(event)
        if self._cross is not None:
            self._hover_x = None
            self._cross.hide()
            self._show_values()

    def _restyle(self) -> None:
        if self._plot is None:
            return
        import pyqtgraph as pg

        colours = style.palette()
        self._style_axes(self.tr("Epoch"), shown=self._with_values)
        self._best.setPen(pg.mkPen(colours.good, width=1, style=Qt.PenStyle.DashLine))
        self._best_label.setColor(colours.good)
        for line in self._lines.values():
            if line.item is not None:
                line.dress()
        self.redraw()
