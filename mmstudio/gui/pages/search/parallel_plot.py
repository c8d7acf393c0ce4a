"""Trials as lines over parallel axes: one axis per setting, the last one is the figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override

if TYPE_CHECKING:
    from mmstudio.search.progress import TrialLine
    from mmstudio.search.space import Dimension

SIDE, TOP, BOTTOM = 46.0, 22.0, 8.0
NEAR = 8.0
"""Pixels from which a line can be pointed at."""
MOST_CHOICES = 8
"""Of an axis, that are named."""


class ParallelPlot(QWidget):
    """The better a trial, the stronger its line. `pointed` brings its number, -1 for none."""

    pointed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("Settings of all trials")
        self.setAccessibleName(self.tr("Settings of all trials"))
        self._space: list[Dimension] = []
        self._trials: list[TrialLine] = []
        self._marked = -1
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        style.changed.connect(self.update)

    @override
    def sizeHint(self) -> QSize:
        return QSize(420, 220)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(240, 140)

    def show_trials(self, space: Sequence[Dimension], trials: Sequence[TrialLine]) -> None:
        """Show the trials that have a figure."""
        self._space = list(space)
        self._trials = sorted((t for t in trials if not math.isnan(t.figure)),
                              key=lambda t: t.figure)
        best = self._trials[-1] if self._trials else None
        from mmstudio.search.progress import value_text

        words = "" if best is None else self.tr("The best, trial {0}: {1}").format(
            best.number, ", ".join(f"{d.title} {value_text(best.values.get(d.key))}"
                                   for d in self._space))
        self.setAccessibleDescription(words)
        self.update()

    def mark(self, number: int) -> None:
        """Have one trial's line stand out, -1 for none."""
        if number != self._marked:
            self._marked = number
            self.update()

    # Places --------------------------------------------------------------------------------

    def _axes(self) -> list[float]:
        count = len(self._space) + 1
        room = self.width() - 2 * SIDE
        return [SIDE + room * i / max(1, count - 1) for i in range(count)]

    def _height(self, share: float) -> float:
        return TOP + (self.height() - TOP - BOTTOM) * (1 - share)

    def _line(self, trial: TrialLine) -> QPolygonF:
        from mmstudio.search.progress import place_of

        low, high = self._trials[0].figure, self._trials[-1].figure
        points = []
        for dimension, x in zip(self._space, self._axes(), strict=False):
            share = place_of(dimension, trial.values.get(dimension.key))
            if share is not None:
                points.append(QPointF(x, self._height(share)))
        share = (trial.figure - low) / (high - low) if high > low else 0.5
        points.append(QPointF(self._axes()[-1], self._height(share)))
        return QPolygonF(points)

    def trial_at(self, place: QPointF) -> int:
        """The number of the trial whose line is nearest to a place; -1 where none is near."""
        best, found = NEAR, -1
        for trial in self._trials:
            line = self._line(trial)
            for i in range(line.size() - 1):
                away = _distance(place, line.at(i), line.at(i + 1))
                if away < best:
                    best, found = away, trial.number
        return found

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pointed.emit(self.trial_at(event.position()))

    @override
    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(-1)

    # Painting ------------------------------------------------------------------------------

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._trials:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        best = len(self._trials) - 1
        marked = None
        for place, trial in enumerate(self._trials):
            colour = QColor(style.color("accent"))
            colour.setAlphaF(0.12 + 0.5 * (place / max(1, best)) ** 3)
            if trial.number == self._marked:
                marked = trial
                continue
            painter.setPen(QPen(colour, 2.0 if place == best else 1.3))
            painter.drawPolyline(self._line(trial))
        self._paint_axes(painter)
        if marked is not None:
            painter.setPen(QPen(style.color("warn"), 2.4))
            painter.drawPolyline(self._line(marked))

    def _paint_axes(self, painter: QPainter) -> None:
        from mmstudio.search.progress import value_text

        axes = self._axes()
        gap = axes[1] - axes[0] if len(axes) > 1 else self.width()
        metrics = self.fontMetrics()
        low, high = self._trials[0].figure, self._trials[-1].figure
        for i, x in enumerate(axes):
            painter.setPen(QPen(style.color("border"), 1))
            painter.drawLine(QPointF(x, self._height(1)), QPointF(x, self._height(0)))
            last = i == len(self._space)
            title = self.tr("Figure") if last else self._space[i].title
            painter.setPen(style.color("text" if last else "muted"))
            cut = metrics.elidedText(title, Qt.TextElideMode.ElideRight, int(gap) - 6)
            width = min(gap, 2 * SIDE) if i in (0, len(axes) - 1) else gap
            painter.drawText(QRectF(x - width / 2, 0, width, TOP - 4),
                             int(Qt.AlignmentFlag.AlignCenter), cut)
            ends = [(0.0, f"{low:.3f}"), (1.0, f"{high:.3f}")]
            if not last:
                dimension = self._space[i]
                if dimension.choices:
                    count = len(dimension.choices)
                    ends = [(j / (count - 1) if count > 1 else 0.5, value_text(choice))
                            for j, choice in enumerate(dimension.choices[:MOST_CHOICES])]
                else:
                    ends = [(0.0, f"{dimension.low:g}"), (1.0, f"{dimension.high:g}")]
            self._paint_ticks(painter, x, gap, ends, at_left=last)

    def _paint_ticks(
        self, painter: QPainter, x: float, gap: float, ticks: Sequence[tuple[float, str]],
        at_left: bool,
    ) -> None:
        metrics = self.fontMetrics()
        ground = QColor(style.color("surface"))
        ground.setAlphaF(0.8)
        for share, text in ticks:
            cut = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(gap * 0.7))
            width = metrics.horizontalAdvance(cut) + 6
            left = x - width - 2 if at_left else x + 2
            y = self._height(share)
            top = min(max(y - metrics.height() / 2, TOP), self.height() - metrics.height())
            place = QRectF(left, top, width, metrics.height())
            painter.fillRect(place, ground)
            painter.setPen(style.color("muted"))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), cut)


def _distance(place: QPointF, begin: QPointF, end: QPointF) -> float:
    """From a place to a line from ``begin`` to ``end``."""
    across, up = end.x() - begin.x(), end.y() - begin.y()
    length = across * across + up * up
    at = 0.0 if length == 0 else min(1.0, max(0.0, (
        (place.x() - begin.x()) * across + (place.y() - begin.y()) * up) / length))
    return math.hypot(place.x() - begin.x() - at * across, place.y() - begin.y() - at * up)
