"""One bar in parts, with a legend: how many samples each split has."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.lines import ROW, Lines


class SplitBar(Lines):
    """One bar in parts, with a legend below: how many samples each split has."""

    top = 18

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.can_choose = True
        self._parts: list[tuple[str, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        style.changed.connect(self.update)

    def show_parts(self, parts: Sequence[tuple[str, int]]) -> None:
        """Show names with their counts."""
        self._parts = [(name, count) for name, count in parts if count]
        self.forget_pointer()
        words = ", ".join(f"{name}: {count}" for name, count in self._parts)
        self.setAccessibleName(words)
        self.updateGeometry()
        self.update()

    @override
    def count(self) -> int:
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
        top = self.top
        for index, (name, count) in enumerate(self._parts):
            self.paint_ground(painter, index)
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
