"""Figures of subsets of the inputs as bars, the best one first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import plain_tip

ROW = 24
_LONGEST_NAME = 0.55
"""Of the width."""


class SubsetBars(QWidget):
    """One line per subset: its inputs, a bar, its figure."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """Make it empty, called `name`."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name)
        self._rows: list[tuple[str, float, str, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        style.changed.connect(self.update)

    def show_rows(self, rows: Sequence[tuple[str, float, str, str]]) -> None:
        """Show names, figures, the figures as they are to be read, and hints."""
        self._rows = list(rows)
        self.setAccessibleDescription(self.text())
        self.updateGeometry()
        self.update()

    def text(self) -> str:
        """All lines as one: "image + sound 98.0 %, sound 95.1 %"."""
        return ", ".join(f"{name} {shown}" for name, _, shown, _ in self._rows)

    @override
    def sizeHint(self) -> QSize:
        return QSize(240, ROW * len(self._rows))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def event(self, event: QEvent) -> bool:
        """The whole name and the hint of the line under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            line = int(event.pos().y() // ROW)
            if 0 <= line < len(self._rows):
                name, _, shown, hint = self._rows[line]
                tip = plain_tip(f"{name}: {shown}\n{hint}")
                QToolTip.showText(event.globalPos(), tip, self)
                return True
        return super().event(event)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        longest = max(metrics.horizontalAdvance(name) for name, *_ in self._rows)
        names = min(longest + 12, int(_LONGEST_NAME * self.width()))
        figures = max(metrics.horizontalAdvance(shown) for _, _, shown, _ in self._rows) + 10
        room = max(8.0, self.width() - names - figures)
        largest = max(1e-9, *(value for _, value, *_ in self._rows))
        middle = int(Qt.AlignmentFlag.AlignVCenter)
        for index, (name, value, shown, _) in enumerate(self._rows):
            top = index * ROW
            painter.setPen(style.color("text"))
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names - 8)
            painter.drawText(QRectF(0, top, names, ROW), middle, cut)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(style.palette().grid))
            track = QRectF(names, top + ROW / 2 - 4, room, 8)
            painter.drawRoundedRect(track, 3, 3)
            fill = QColor(style.palette().accent)
            # the best one stands out
            fill.setAlphaF(1.0 if index == 0 else 0.5)
            painter.setBrush(fill)
            # a figure that is at most 1 fills the track at 1: it is not a share of the best one
            width = room * max(0.0, value) / max(1.0, largest)
            painter.drawRoundedRect(QRectF(names, track.top(), max(2.0, width), 8), 3, 3)
            painter.setPen(style.color("text" if index == 0 else "muted"))
            right = middle | int(Qt.AlignmentFlag.AlignRight)
            painter.drawText(QRectF(names + room, top, figures, ROW), right, shown)
