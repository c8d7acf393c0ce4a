"""Small bars: shares of the split, counts per class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override

ROW = 22


class Bars(QWidget):
    """What all bars share: lines that can be chosen with the mouse, if `can_choose`.

    `chosen` brings the line's number; those in `marked` are shown as chosen.
    """

    chosen = Signal(int)
    _top = 0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.can_choose = True
        self.marked: frozenset[int] = frozenset()
        self._under = -1
        self.setMouseTracking(True)

    def mark_lines(self, lines: Iterable[int]) -> None:
        """Show these lines as chosen."""
        self.marked = frozenset(lines)
        self.update()

    def _count(self) -> int:
        raise NotImplementedError

    def line_at(self, y: float) -> int:
        """The number of the line at a height, or -1."""
        line = int((y - self._top) // ROW)
        return line if y >= self._top and 0 <= line < self._count() else -1

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
        """Taken, so that the release comes here too."""
        event.accept()

    def _point_at(self, line: int) -> None:
        if line != self._under:
            self._under = line
            shape = Qt.CursorShape
            self.setCursor(shape.PointingHandCursor if line >= 0 else shape.ArrowCursor)
            self.update()

    def _paint_line_ground(self, painter: QPainter, line: int) -> None:
        """What lies under a line that is chosen or pointed at."""
        if line == self._under or line in self.marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(style.color("accent_soft" if line in self.marked else "hover"))
            place = QRectF(-3, self._top + line * ROW, self.width() + 6, ROW)
            painter.drawRoundedRect(place, 4, 4)


class SplitBar(Bars):
    """One bar in parts, with a legend below: how many samples each split has."""

    _top = 18

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: list[tuple[str, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        style.changed.connect(self.update)

    def show_parts(self, parts: Sequence[tuple[str, int]]) -> None:
        """Show names with their counts."""
        self._parts = [(name, count) for name, count in parts if count]
        self._under = -1
        words = ", ".join(f"{name}: {count}" for name, count in self._parts)
        self.setAccessibleName(words)
        self.updateGeometry()
        self.update()

    def _count(self) -> int:
        return len(self._parts)

    @override
    def sizeHint(self) -> QSize:
        return QSize(200, 18 + ROW * len(self._parts))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = sum(count for _, count in self._parts)
        if not total:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        left, room = 0.0, self.width() - 3.0 * (len(self._parts) - 1)
        for index, (_, count) in enumerate(self._parts):
            width = max(3.0, room * count / total)
            painter.setBrush(style.series(index))
            painter.drawRoundedRect(QRectF(left, 0, width, 8), 3, 3)
            left += width + 3
        top = self._top
        for index, (name, count) in enumerate(self._parts):
            self._paint_line_ground(painter, index)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(style.series(index))
            painter.drawEllipse(QRectF(1, top + ROW / 2 - 4, 8, 8))
            painter.setPen(style.color("text"))
            row = QRectF(18, top, self.width() - 18, ROW)
            painter.drawText(row, int(Qt.AlignmentFlag.AlignVCenter), name)
            painter.setPen(style.color("muted"))
            figure = f"{count:,}  ·  {100 * count / total:.0f} %"
            right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(row, int(right), figure)
            top += ROW


class CountBars(Bars):
    """One line per class: its name, a bar, its count; the largest first."""

    def __init__(self, most: int = 10, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._most = most
        self._counts: list[tuple[str, int]] = []
        self._more = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        style.changed.connect(self.update)

    def show_counts(self, counts: Sequence[tuple[str, int]], distinct: int = 0) -> None:
        """Show classes with their counts; `distinct` is how many there are in all."""
        self._counts = list(counts[: self._most])
        self._more = max(len(counts), distinct) - len(self._counts)
        self._under = -1
        self.setAccessibleName(", ".join(f"{name}: {count}" for name, count in self._counts))
        self.updateGeometry()
        self.update()

    def _count(self) -> int:
        return len(self._counts)

    @override
    def sizeHint(self) -> QSize:
        return QSize(200, ROW * (len(self._counts) + (self._more > 0)))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._counts:
            return
        metrics = self.fontMetrics()
        longest = max(metrics.horizontalAdvance(name) for name, _ in self._counts)
        names = min(longest + 10, int(0.45 * self.width()))
        figures = metrics.horizontalAdvance(f"{max(count for _, count in self._counts):,}") + 8
        room = max(8, self.width() - names - figures)
        largest = max(count for _, count in self._counts) or 1
        middle = Qt.AlignmentFlag.AlignVCenter
        for index, (name, count) in enumerate(self._counts):
            top = index * ROW
            self._paint_line_ground(painter, index)
            painter.setPen(style.color("text"))
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names - 8)
            painter.drawText(QRectF(0, top, names, ROW), int(middle), cut)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(style.palette().raised))
            painter.drawRoundedRect(QRectF(names, top + ROW / 2 - 3, room, 6), 3, 3)
            painter.setBrush(style.color("accent"))
            width = max(4.0, room * count / largest)
            painter.drawRoundedRect(QRectF(names, top + ROW / 2 - 3, width, 6), 3, 3)
            painter.setPen(style.color("muted"))
            right = QRectF(names + room, top, figures, ROW)
            painter.drawText(right, int(middle | Qt.AlignmentFlag.AlignRight), f"{count:,}")
        if self._more:
            painter.setPen(style.color("muted"))
            text = self.tr("and {0:,} more").format(self._more)
            row = QRectF(0, ROW * len(self._counts), self.width(), ROW)
            painter.drawText(row, int(middle), text)
