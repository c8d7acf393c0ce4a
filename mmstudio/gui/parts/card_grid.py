"""Cards side by side, as many as fit; the last row's cards share its width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QWidget

_GAP = 12
_PROPORTION = 1.4


class CardGrid(QWidget):
    """Lays its cards out in columns of at least `least_width` pixels, in good proportions."""

    def __init__(self, least_width: int, parent: QWidget | None = None) -> None:
        """Make an empty grid."""
        super().__init__(parent)
        self._least_width = least_width
        self._cards: list[QWidget] = []
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(_GAP)

    def show_cards(self, cards: Sequence[QWidget]) -> None:
        """Show these cards instead of those before, which are deleted."""
        for card in self._cards:
            self._grid.removeWidget(card)
            if card not in cards:
                card.hide()
                card.deleteLater()
        self._cards = list(cards)
        self._columns = 0
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the new width."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        count = len(self._cards)
        if count == 0:
            return
        columns = self._best_columns(count)
        if columns == self._columns:
            return
        self._columns = columns
        for card in self._cards:
            self._grid.removeWidget(card)
        # Twelfths divide evenly by 1, 2, 3, 4 and 6 cards in a row.
        for index, card in enumerate(self._cards):
            row, place = divmod(index, columns)
            in_row = min(columns, count - row * columns)
            span = max(1, 12 // in_row)
            self._grid.addWidget(card, row, place * span, 1, span)
            card.show()
        for column in range(12):
            self._grid.setColumnStretch(column, 1)
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, 1 if row * columns < count else 0)

    def _best_columns(self, count: int) -> int:
        """As many columns as bring the cards closest to the proportions of a picture."""
        width, height = max(1, self.width()), max(1, self.height())
        most = max(1, min(count, (width + _GAP) // (self._least_width + _GAP)))

        def misfit(columns: int) -> float:
            rows = -(-count // columns)
            return abs(math.log((width / columns) / (height / rows) / _PROPORTION))

        return min(range(1, most + 1), key=misfit)


def scrolled(inside: QWidget, parent: QWidget | None = None) -> QScrollArea:
    """A scroll area without a frame around `inside`, for windows that are too low."""
    area = QScrollArea(parent)
    area.setWidget(inside)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
