"""One curve of a plot: its points, its look, its words in the legend; the axis that fits curves."""

from __future__ import annotations

import html
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel

from mmstudio.gui import style
from mmstudio.gui.plots.growing import GrowingCurve, nearest

# Dots show single epochs; more of them would hide the line.
_DOTS_UP_TO = 40


@dataclass
class CurveLine:
    """A curve, the plot's item that draws it, and the label that names it."""

    label: str
    series: int
    faint: bool
    dashed: bool
    curve: GrowingCurve = field(default_factory=GrowingCurve)
    item: Any = None
    drawn: Hashable = None
    """What decides on the points that ``item`` shows; while it is the same, they stay."""
    legend: QLabel | None = None

    def dress(self) -> None:
        """Give the plot's item its colour and its pen."""
        import pyqtgraph as pg

        colour = style.series(self.series)
        if self.faint:
            colour.setAlphaF(0.32)
        pattern = Qt.PenStyle.DashLine if self.dashed else Qt.PenStyle.SolidLine
        self.item.setPen(pg.mkPen(colour, width=1 if self.faint else 2, style=pattern))
        self.drawn = None  # its dots have a colour too

    def dots(self, count: int) -> dict[str, Any]:
        """How the plot's item marks its points, where it has `count` of them."""
        if self.faint or count > _DOTS_UP_TO:
            return {"symbol": None}
        colour = style.series(self.series)
        return {"symbol": "o", "symbolSize": 5, "symbolBrush": colour, "symbolPen": None}

    def show_legend(self, where: float | None, *, percent: bool) -> None:
        """Show the value at an epoch, or the newest one."""
        if self.legend is None:
            return
        if where is None:
            value = float(self.curve.y[-1]) if len(self.curve) else None
        else:
            value = nearest(self.curve.x, self.curve.y, where)
        colour = style.series(self.series)
        if self.faint:
            colour = _blend(colour, style.color("surface"), 0.5)
        swatch = "┅" if self.dashed else "━"
        shown = "" if value is None else f" <b>{written(value, percent=percent)}</b>"
        self.legend.setText(
            f'<span style="color:{colour.name()}">{swatch}</span> {html.escape(self.label)}{shown}'
        )


def written(value: float, *, percent: bool) -> str:
    """A value for people; a share in percent."""
    if not math.isfinite(value):
        return "–"
    return f"{100 * value:.1f} %" if percent else f"{value:.3g}"


def height_range(
    lines: Sequence[tuple[np.ndarray, bool]], *, percent: bool, log: bool
) -> tuple[float, float]:
    """The ends of the y axis; a few wild first steps must not flatten the rest.

    Args:
        lines: (points,) of each curve, and whether it is a faint one, whose wildest points may
            be cut off.
        percent: Values are shares; the axis is in percent.
        log: The axis is in powers of ten.
    """
    lows, highs = [], []
    for values, faint in lines:
        values = values[np.isfinite(values)]
        if len(values) == 0:
            continue
        if faint and len(values) > 20:
            low, high = np.percentile(values[:: max(1, len(values) // 4000)], (1, 98))
        else:
            low, high = values.min(), values.max()
        lows.append(float(low))
        highs.append(float(high))
    low, high = (min(lows), max(highs)) if lows else (0.0, 1.0)
    if percent:
        # At least a fifth of the range: the first epochs' noise is no mountain.
        low = max(0.0, math.floor(min(low, high - 0.2) * 10 - 0.3) / 10)
        return 100 * low, 100 * min(1.02, high + 0.1 * (high - low) + 0.01)
    if log:
        return math.log10(max(low, 1e-6)) - 0.1, math.log10(max(high, 1e-5)) + 0.1
    if low < -1.0 < high <= 1.0:
        low = -1.0  # R² has no lower end: its first epochs may be cut off
    low = 0.0 if 0 <= low < 0.6 * high else low - 0.1 * abs(low)
    return low, high + 0.06 * (high - low) + 1e-9


def _blend(one: QColor, other: QColor, share: float) -> QColor:
    return QColor.fromRgbF(
        one.redF() * share + other.redF() * (1 - share),
        one.greenF() * share + other.greenF() * (1 - share),
        one.blueF() * share + other.blueF() * (1 - share),
    )
