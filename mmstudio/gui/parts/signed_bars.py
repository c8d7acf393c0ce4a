"""Small bars to both sides of zero: what speaks for an answer, and what against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.bar_list import BarList, BarRow


class SignedBars(BarList):
    """One line per name: a bar to the right where it is above zero, to the left below."""

    @override
    def show_rows(self, rows: Sequence[BarRow], note: str = "") -> None:
        read = [row if any(c in "123456789" for c in row.shown) else replace(row, value=0.0)
                for row in rows]
        super().show_rows(read, note)

    def largest(self) -> float:
        """What a whole bar stands for; values that read as 0 have no bar."""
        return max((abs(row.value) for row in self._rows), default=0.0)

    @override
    def paint_value(self, painter: QPainter, track: QRectF, index: int) -> None:
        share = self._rows[index].value / (self.largest() or 1.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(style.color("grid"))
        painter.drawRoundedRect(track, 3, 3)
        zero = track.center().x()
        width = max(2.0, abs(share) * track.width() / 2)
        painter.setBrush(style.color("accent" if share >= 0 else "warn"))
        left = zero if share >= 0 else zero - width
        painter.drawRoundedRect(QRectF(left, track.top(), width, track.height()), 2, 2)
        painter.setBrush(style.color("faint"))
        painter.drawRect(QRectF(zero - 0.5, track.top() - 3, 1, track.height() + 6))
