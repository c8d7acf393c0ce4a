"""A widget of equally high lines that can be chosen with the mouse."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override

ROW = 22
"""How high a line is, in pixels."""


class Lines(QWidget):
    """Lines that can be chosen, if `can_choose`.

    `chosen` brings the line's number; those in `marked` are shown as chosen.
    """

    chosen = Signal(int)
    top = 0
    """Where the first line begins, in pixels."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.can_choose = False
        self.marked: frozenset[int] = frozenset()
        self._under = -1
        self.setMouseTracking(True)

    def count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def mark_lines(self, lines: Iterable[int]) -> None:
        """Show these lines as chosen."""
        self.marked = frozenset(lines)
        self.update()

    def line_at(self, y: float) -> int:
        """The number of the line at a height, or -1."""
        line = int((y - self.top) // ROW)
        return line if y >= self.top and 0 <= line < self.count() else -1

    def forget_pointer(self) -> None:
        """The lines are others now; none of them is pointed at."""
        self._under = -1

    def paint_ground(self, painter: QPainter, line: int) -> None:
        """What lies under a line that is chosen or pointed at."""
        if line == self._under or line in self.marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(style.color("accent_soft" if line in self.marked else "hover"))
            place = QRectF(-3, self.top + line * ROW, self.width() + 6, ROW)
            painter.drawRoundedRect(place, 4, 4)

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point_at(self.line_at(event.position().y()) if self.can_choose else -1)

    @override
    def leaveEvent(self, event: QEvent) -> None:
        self._point_at(-1)

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        line = self.line_at(event.position().y())
        if self.can_choose and line >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(line)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Taken where lines can be chosen, so that the release comes here too."""
        event.setAccepted(self.can_choose)

    def _point_at(self, line: int) -> None:
        if line != self._under:
            self._under = line
            shape = Qt.CursorShape
            self.setCursor(shape.PointingHandCursor if line >= 0 else shape.ArrowCursor)
            self.update()
