"""The picture of a model: inputs on the left, the fusion between, targets on the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSpacerItem, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import label

GAP = (36, 64)
"""Least and usual room for the curves between two columns, pixels."""
DOT = 5
"""Radius of a curve's ends, with a pixel of air, pixels."""
CARD_WIDTH = (228, 400)
WIDE = 960
SCROLL_BAR = 16


class Flow(QWidget):
    """Lays cards out in three columns and draws the curves that connect them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._links: list[tuple[QWidget, QWidget, int, bool]] = []
        self._settled = QTimer(self, singleShot=True, interval=0)
        self._settled.timeout.connect(self._lay_out_again)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 8)
        row.setSpacing(0)
        row.addStretch(1)
        self._room: list[QSpacerItem] = []
        self._holders: list[QWidget] = []
        self._columns: list[QVBoxLayout] = []
        titles = (self.tr("Inputs"), self.tr("Fusion"), self.tr("Targets"))
        for index, title in enumerate(titles):
            holder = QWidget()
            holder.setMinimumWidth(CARD_WIDTH[0])
            holder.setMaximumWidth(CARD_WIDTH[1])
            outer = QVBoxLayout(holder)
            outer.setContentsMargins(0, 0, 0, 0)
            outer.setSpacing(12)
            head = label(title if index != 1 else "", "muted")
            outer.addStretch(1)
            outer.addWidget(head, 0, Qt.AlignmentFlag.AlignHCenter)
            cards = QVBoxLayout()
            cards.setSpacing(16)
            outer.addLayout(cards)
            outer.addStretch(1)
            self._holders.append(holder)
            self._columns.append(cards)
            if index:
                row.addSpacing(GAP[0])
                self._room.append(QSpacerItem(0, 0, QSizePolicy.Policy.Maximum))
                row.addItem(self._room[-1])
            row.addWidget(holder, 20)
        row.addStretch(1)
        style.changed.connect(self.update)

    def heightForWidth(self, width: int) -> int:
        """The height that is still enough beside a scroll bar."""
        layout = self.layout()
        room = max(0, width - SCROLL_BAR)
        return -1 if layout is None else layout.totalHeightForWidth(room)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window the gaps give way before the cards."""
        super().resizeEvent(event)
        extra = GAP[1] - GAP[0] if event.size().width() >= WIDE else 0
        for spacer in self._room:
            spacer.changeSize(extra, 0, QSizePolicy.Policy.Maximum)
        _invalidate(self)
        self._settled.start()

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while it was hidden was not laid out."""
        super().showEvent(event)
        self._settled.start()

    def follow(self) -> None:
        """A card may need another height: give it that, and draw the curves to its new edges."""
        self._settled.start()
        self.update()

    def _lay_out_again(self) -> None:
        # The scroll area asks for the height before the columns are laid out. The answer makes
        # their layouts pass for clean, and Qt leaves the cards at the heights that they had.
        for holder in self._holders:
            _invalidate(holder)

    def show_cards(self, columns: Sequence[Sequence[QWidget]]) -> None:
        """Put other cards into the three columns; cards that leave are deleted."""
        for layout, cards in zip(self._columns, columns, strict=True):
            while (item := layout.takeAt(0)) is not None:
                widget = item.widget()
                if widget is not None and widget not in cards:
                    widget.hide()
                    widget.deleteLater()
            for card in cards:
                layout.addWidget(card)

    def show_links(self, links: Sequence[tuple[QWidget, QWidget, int, bool]]) -> None:
        """Draw curves: from a card, to a card, the number of its colour, whether it is in use."""
        self._links = list(links)
        self.follow()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The curves, below the cards."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        into: dict[QWidget, int] = {}
        out_of: dict[QWidget, int] = {}
        for start, end, _, _ in self._links:
            into[end] = into.get(end, 0) + 1
            out_of[start] = out_of.get(start, 0) + 1
        arrived: dict[QWidget, int] = {}
        left: dict[QWidget, int] = {}
        for start, end, series, used in self._links:
            a = self._edge(start, True, left.get(start, 0), out_of[start])
            b = self._edge(end, False, arrived.get(end, 0), into[end])
            left[start] = left.get(start, 0) + 1
            arrived[end] = arrived.get(end, 0) + 1
            self._draw(painter, a, b, series, used)

    def _edge(self, card: QWidget, right: bool, index: int, count: int) -> QPointF:
        """Where the i-th of a card's curves begins or ends: spread around its middle."""
        corner = card.mapTo(self, card.rect().topLeft())
        step = min(26.0, (card.height() - 32) / max(1, count))
        y = corner.y() + card.height() / 2 + (index - (count - 1) / 2) * step
        return QPointF(corner.x() + (card.width() + DOT if right else -DOT), y)

    def _draw(
        self, painter: QPainter, a: QPointF, b: QPointF, series: int, used: bool
    ) -> None:
        color = QColor(style.series(series)) if used else QColor(style.palette().faint)
        color.setAlphaF(0.9 if used else 0.45)
        pen = QPen(color, 2.5 if used else 1.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        if not used:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = QPainterPath(a)
        bend = max(24.0, (b.x() - a.x()) * 0.55)
        path.cubicTo(QPointF(a.x() + bend, a.y()), QPointF(b.x() - bend, b.y()), b)
        painter.drawPath(path)
        if used:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawEllipse(a, DOT - 1, DOT - 1)
            painter.drawEllipse(b, DOT - 1, DOT - 1)


def _invalidate(widget: QWidget) -> None:
    layout = widget.layout()
    if layout is not None:
        layout.invalidate()
