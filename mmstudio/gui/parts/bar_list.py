"""A list of names with a bar and a figure each, and the bar itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.lines import ROW, Lines
from mmstudio.gui.plain_text import plain_tip

BAR = 8.0
"""How high a bar is, in pixels."""
NARROWEST = 4.0
"""A bar that is there can be seen."""


def paint_bar(
    painter: QPainter, track: QRectF, share: float, fill: QBrush | QColor, ground: str = "grid"
) -> None:
    """A track and the part of it that is filled.

    Args:
        painter: Without a pen afterwards.
        track: The whole.
        share: From 0 to 1; what lies beyond is cut. Below a pixel nothing is filled.
        fill: Of the part.
        ground: The track's colour.
    """
    radius = min(4.0, track.height() / 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(style.color(ground))
    painter.drawRoundedRect(track, radius, radius)
    width = track.width() * min(1.0, max(0.0, share))
    if width >= 1:
        painter.setBrush(fill)
        filled = QRectF(track.left(), track.top(), max(NARROWEST, width), track.height())
        painter.drawRoundedRect(filled, radius, radius)


@dataclass(frozen=True)
class BarRow:
    """One line: its name, what its bar stands for, that as it is to be read, and a hint."""

    name: str
    value: float
    shown: str
    hint: str = ""


class BarList(Lines):
    """One line per name: the name, a bar, a figure.

    Args:
        name: For a screen reader, and for tests.
        parent: As Qt has it.
        longest_name: A line's name takes so much of the width at most.
        first_stands_out: The others are paler.
    """

    def __init__(
        self,
        name: str = "",
        parent: QWidget | None = None,
        *,
        longest_name: float = 0.45,
        first_stands_out: bool = False,
    ) -> None:
        super().__init__(parent)
        self._longest_name = longest_name
        self._first_stands_out = first_stands_out
        self._rows: list[BarRow] = []
        self._note = ""
        self.setObjectName(name)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        style.changed.connect(self.update)

    def show_rows(self, rows: Sequence[BarRow], note: str = "") -> None:
        """Show these lines, and below them what else there is to say."""
        self._rows, self._note = list(rows), note
        self.forget_pointer()
        self.setAccessibleDescription(self.text())
        self.updateGeometry()
        self.update()

    def text(self) -> str:
        """All lines as one: "image + sound 98.0 %, sound 95.1 %"."""
        return ", ".join(f"{row.name} {row.shown}" for row in self._rows)

    @override
    def count(self) -> int:
        return len(self._rows)

    @override
    def sizeHint(self) -> QSize:
        return QSize(220, ROW * (len(self._rows) + bool(self._note)))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(min(160, self.sizeHint().width()), self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        """The whole name and the hint of the line under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            line = self.line_at(event.pos().y())
            if line >= 0 and (self._rows[line].hint or not self.toolTip()):
                row = self._rows[line]
                tip = plain_tip(f"{row.name}: {row.shown}\n{row.hint}".strip())
                QToolTip.showText(event.globalPos(), tip, self)
                return True
        return super().event(event)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        middle = Qt.AlignmentFlag.AlignVCenter
        longest = max((metrics.horizontalAdvance(row.name) for row in self._rows), default=0)
        names = min(longest + 10, int(self._longest_name * self.width()))
        figures = 8 + max(
            (metrics.horizontalAdvance(row.shown) for row in self._rows), default=0)
        room = max(16.0, self.width() - names - figures)
        for index, row in enumerate(self._rows):
            top = index * ROW
            self.paint_ground(painter, index)
            painter.setPen(style.color("text"))
            cut = metrics.elidedText(row.name, Qt.TextElideMode.ElideRight, names - 8)
            painter.drawText(QRectF(0, top, names, ROW), int(middle), cut)
            self.paint_value(
                painter, QRectF(names, top + (ROW - BAR) / 2, room, BAR), index)
            stands_out = self._first_stands_out and index == 0
            painter.setPen(style.color("text" if stands_out else "muted"))
            place = QRectF(names + room, top, figures, ROW)
            painter.drawText(place, int(middle | Qt.AlignmentFlag.AlignRight), row.shown)
        if self._note:
            painter.setPen(style.color("muted"))
            place = QRectF(0, ROW * len(self._rows), self.width(), ROW)
            painter.drawText(place, int(middle), self._note)

    def paint_value(self, painter: QPainter, track: QRectF, index: int) -> None:
        """The bar of a line: a whole one is 1, or the largest value where that is more."""
        largest = max(1.0, *(row.value for row in self._rows))
        fill = QColor(style.color("accent"))
        if self._first_stands_out and index > 0:
            fill.setAlphaF(0.5)
        paint_bar(painter, track, self._rows[index].value / largest, fill)
