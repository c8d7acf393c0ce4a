"""Small bars to both sides of zero: what speaks for an answer, and what against it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import plain_tip

ROW = 22


class SignedBars(QWidget):
    """One line per name: a bar to the right where it is above zero, to the left below."""

    def __init__(
        self, name: str, parent: QWidget | None = None, *, longest_name: float = 0.42
    ) -> None:
        """Make it empty, called `name`; a line's name takes so much of the width at most."""
        super().__init__(parent)
        self._longest_name = longest_name
        self.setObjectName(name)
        self.setAccessibleName(name)
        self._rows: list[tuple[str, float, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        style.changed.connect(self.update)

    def show_rows(self, rows: Sequence[tuple[str, float, str]]) -> None:
        """Show names, values, and the values as they are to be read."""
        self._rows = [(name, value if any(c in "123456789" for c in shown) else 0.0, shown)
                      for name, value, shown in rows]
        self.setAccessibleDescription(self.text())
        self.setToolTip(plain_tip("\n".join(f"{name} {shown}" for name, _, shown in self._rows)))
        self.updateGeometry()
        self.update()

    def text(self) -> str:
        """All lines as one: "words +5.9, image −1.1"."""
        return ", ".join(f"{name} {shown}" for name, _, shown in self._rows)

    def largest(self) -> float:
        """What a whole bar stands for; values that read as 0 have no bar."""
        return max((abs(value) for _, value, _ in self._rows), default=0.0)

    @override
    def sizeHint(self) -> QSize:
        return QSize(200, ROW * len(self._rows))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        longest = max(metrics.horizontalAdvance(name) for name, *_ in self._rows)
        names = min(longest + 10, int(self._longest_name * self.width()))
        figures = max(metrics.horizontalAdvance(shown) for *_, shown in self._rows) + 8
        room = max(16.0, self.width() - names - figures)
        largest = self.largest() or 1.0
        for index, (name, value, shown) in enumerate(self._rows):
            top = index * ROW
            middle = int(Qt.AlignmentFlag.AlignVCenter)
            painter.setPen(style.color("text"))
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names - 8)
            painter.drawText(QRectF(0, top, names, ROW), middle, cut)
            self._paint_bar(painter, QRectF(names, top, room, ROW), value / largest)
            painter.setPen(style.color("muted"))
            right = middle | int(Qt.AlignmentFlag.AlignRight)
            painter.drawText(QRectF(names + room, top, figures, ROW), right, shown)

    def _paint_bar(self, painter: QPainter, place: QRectF, share: float) -> None:
        """The track with its zero in the middle, and the bar; `share` is from -1 to 1."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(style.palette().grid))
        height, zero = 8.0, place.center().x()
        top = place.center().y() - height / 2
        painter.drawRoundedRect(QRectF(place.left(), top, place.width(), height), 3, 3)
        width = max(2.0, abs(share) * place.width() / 2)
        painter.setBrush(style.color("accent" if share >= 0 else "warn"))
        painter.drawRoundedRect(
            QRectF(zero if share >= 0 else zero - width, top, width, height), 2, 2
        )
        painter.setBrush(style.color("faint"))
        painter.drawRect(QRectF(zero - 0.5, top - 3, 1, height + 6))
