"""One confusion matrix, painted: rows are what is true, columns what was answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from mmstudio.gui import style
from mmstudio.gui.pages.results.matrix_image import image_of
from mmstudio.gui.plain_text import plain_tip

HEAD = 44
"""Title and figure above the matrix, pixels."""
FOOT = 8
LONGEST_NAME, LEAST_NAME = 96, 18
LARGEST_CELL, READABLE_CELL, LEAST_CELL = 56, 15, 2
MOST_NAMES = 30
"""Beyond so many classes names don't stand beside the cells; the pointer tells them."""
TOLD_MIXUPS = 5
_MOVES = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0),
          Qt.Key.Key_Down: (1, 0)}


class MatrixView(QWidget):
    """Counts as colours: right answers in one colour, mix-ups in another.

    `cell_chosen` brings the row and column of a cell that was clicked, or chosen with Enter;
    -1 and -1 where the head was clicked: all rows.
    """

    cell_chosen = Signal(int, int)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.setAccessibleName(title)
        self.setObjectName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._counts = np.zeros((0, 0), np.int64)
        self._truths: tuple[str, ...] = ()
        self._answers: tuple[str, ...] = ()
        self._figure = ""
        self._image = QImage()
        self._current = (0, 0)
        self._hovered: tuple[int, int] | None = None
        self.chosen: tuple[int, int] | None = None
        style.changed.connect(self._paint_image)

    # What it shows -------------------------------------------------------------------------

    def show_counts(
        self, counts: np.ndarray, truths: Sequence[str], answers: Sequence[str], figure: str
    ) -> None:
        """Show counts.

        Args:
            counts: ``(L, C)``.
            truths: Names of the rows.
            answers: Names of the columns.
            figure: What stands below the title.
        """
        self._counts, self._figure = counts, figure
        self._truths, self._answers = tuple(truths), tuple(answers)
        self._current, self.chosen = (0, 0), None
        self.setAccessibleDescription(self.in_words())
        self._paint_image()
        self.updateGeometry()

    def mark_chosen(self, cell: tuple[int, int] | None) -> None:
        """Frame the cell whose rows are on show."""
        self.chosen = cell
        if cell is not None and cell != (-1, -1):
            self._current = cell
        self.update()

    def in_words(self) -> str:
        """The figure and the largest mix-ups as sentences, for people who hear the window."""
        wrong = self._counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:TOLD_MIXUPS]
        told = [self.tr("{truth} taken for {answer}: {count}").format(
                    truth=self._truths[r], answer=self._answers[c], count=int(wrong[r, c]))
                for r, c in zip(*np.unravel_index(order, wrong.shape), strict=True)
                if wrong[r, c]]
        worst = "; ".join(told) or self.tr("no mix-ups")
        return f"{self._figure}. {worst}."

    def as_text(self) -> str:
        """The counts with their names, tab-separated, as a spreadsheet takes them."""
        lines = ["\t".join(["", *self._answers])]
        lines += ["\t".join([name, *map(str, row)])
                  for name, row in zip(self._truths, self._counts.tolist(), strict=True)]
        return "\n".join(lines)

    # Where things stand --------------------------------------------------------------------

    @property
    def named(self) -> bool:
        """Whether names stand beside the cells."""
        return max(self._counts.shape) <= MOST_NAMES and self._cell() >= READABLE_CELL - 3

    def _names_width(self) -> float:
        if max(self._counts.shape, default=0) > MOST_NAMES:
            return LEAST_NAME
        metrics = QFontMetricsF(self._small())
        widest = max((metrics.horizontalAdvance(name) for name in self._truths), default=0.0)
        return min(max(widest + 10, LEAST_NAME), LONGEST_NAME)

    def _names_height(self) -> float:
        metrics = QFontMetricsF(self._small())
        cell = self._cell()
        if max(self._counts.shape, default=0) > MOST_NAMES or cell < READABLE_CELL - 3:
            return 6.0
        widest = max((metrics.horizontalAdvance(name) for name in self._answers), default=0.0)
        return metrics.height() + 4 if widest <= cell - 2 else min(widest + 10, 64.0)

    def _cell(self) -> float:
        rows = max(1, self._counts.shape[0])
        room = max(40, self.height()) - HEAD - FOOT - 22
        cell = room / rows
        return float(min(LARGEST_CELL, int(cell) if cell >= 3 else max(cell, LEAST_CELL / 4)))

    def _area(self) -> QRectF:
        """The cells' place."""
        cell = self._cell()
        rows, columns = self._counts.shape
        top = HEAD + self._names_height()
        cell = min(cell, (self.height() - top - FOOT) / max(1, rows))
        return QRectF(self._names_width(), top, cell * columns, cell * rows)

    def sizeHint(self) -> QSize:
        """Qt's: as wide as the cells are, for the height that it has."""
        columns = self._counts.shape[1]
        title = QFontMetricsF(self._bold()).horizontalAdvance(self.title)
        figure = QFontMetricsF(self._small()).horizontalAdvance(self._figure)
        wide = max(self._names_width() + self._cell() * columns, title, figure) + 12
        return QSize(int(wide), 220)

    def minimumSizeHint(self) -> QSize:
        """Qt's."""
        return QSize(self.sizeHint().width(), 120)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: the width follows the height."""
        self.updateGeometry()

    def cell_at(self, place: QPointF) -> tuple[int, int] | None:
        """The cell under a point; None beside them, (-1, -1) on the head."""
        if place.y() < HEAD:
            return (-1, -1)
        area = self._area()
        if not area.contains(place) or not self._counts.size:
            return None
        size = area.width() / self._counts.shape[1]
        row, column = (int((v - start) / size) for v, start in (
            (place.y(), area.top()), (place.x(), area.left())))
        return (min(row, self._counts.shape[0] - 1), min(column, self._counts.shape[1] - 1))

    def place_of(self, row: int, column: int) -> QPointF:
        """The middle of a cell."""
        area = self._area()
        size = area.width() / max(1, self._counts.shape[1])
        return QPointF(area.left() + (column + 0.5) * size, area.top() + (row + 0.5) * size)

    # Painting ------------------------------------------------------------------------------

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(7.5, font.pointSizeF() - 1.5))
        return font

    def _bold(self) -> QFont:
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        return font

    def _paint_image(self) -> None:
        """One pixel per cell, in the colours of the theme."""
        self._image = image_of(self._counts)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's."""
        painter = QPainter(self)
        painter.setFont(self._bold())
        painter.setPen(style.color("text"))
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRectF(0, 0, self.width(), 20), left, self.title)
        painter.setFont(self._small())
        painter.setPen(style.color("muted"))
        painter.drawText(QRectF(0, 20, self.width(), 18), left, self._figure)
        if self._image.isNull():
            return
        area = self._area()
        painter.drawImage(area, self._image)
        if self.named:
            self._paint_names(painter, area)
            self._paint_counts(painter, area)
        self._paint_frame(painter, self._hovered, style.color("faint"), 1)
        if self.hasFocus():
            self._paint_frame(painter, self._current, style.color("text"), 1)
        self._paint_frame(painter, self.chosen, style.color("warn"), 2)

    def _paint_names(self, painter: QPainter, area: QRectF) -> None:
        size = area.height() / len(self._truths)
        metrics = QFontMetricsF(painter.font())
        painter.setPen(style.color("muted"))
        for row, name in enumerate(self._truths):
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, area.left() - 8)
            place = QRectF(0, area.top() + row * size, area.left() - 6, size)
            painter.drawText(
                place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), cut)
        height = self._names_height()
        upright = height > metrics.height() + 5
        for column, name in enumerate(self._answers):
            x = area.left() + column * size
            if not upright:
                painter.drawText(QRectF(x, area.top() - height, size, height - 2),
                                 int(Qt.AlignmentFlag.AlignCenter), name)
                continue
            painter.save()
            painter.translate(x + size / 2, area.top() - 4)
            painter.rotate(-90)
            cut = metrics.elidedText(name, Qt.TextElideMode.ElideRight, height - 6)
            painter.drawText(QRectF(0, -size / 2, height, size), left_middle(), cut)
            painter.restore()

    def _paint_counts(self, painter: QPainter, area: QRectF) -> None:
        size = area.height() / self._counts.shape[0]
        metrics = QFontMetricsF(painter.font())
        for row, counts in enumerate(self._counts.tolist()):
            total = max(1, sum(counts))
            for column, count in enumerate(counts):
                text = f"{count:,}"
                if not count or metrics.horizontalAdvance(text) > size - 2:
                    continue
                strong = (count / total) ** 0.5 > 0.55
                painter.setPen(style.color("on_accent" if strong else "text"))
                painter.drawText(
                    QRectF(area.left() + column * size, area.top() + row * size, size, size),
                    int(Qt.AlignmentFlag.AlignCenter), text)

    def _paint_frame(
        self, painter: QPainter, cell: tuple[int, int] | None, colour: QColor, width: int
    ) -> None:
        if cell is None or not self._counts.size:
            return
        pen = QPen(colour, width)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if cell == (-1, -1):
            painter.drawLine(0, HEAD - 5, min(self.width() - 8, 90), HEAD - 5)
            return
        middle = self.place_of(*cell)
        half = max(3.0, self._area().width() / self._counts.shape[1] / 2)
        painter.drawRect(QRectF(middle.x() - half, middle.y() - half, 2 * half, 2 * half))

    # Hands ---------------------------------------------------------------------------------

    def words_of(self, cell: tuple[int, int]) -> str:
        """A cell as a sentence."""
        row, column = cell
        count = int(self._counts[row, column])
        share = 100 * count / max(1, int(self._counts[row].sum()))
        return self.tr("true {truth}, answered {answer}: {count} ({share:.1f} % of its row)"
                       ).format(truth=self._truths[row], answer=self._answers[column],
                                count=f"{count:,}", share=share)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt's: choose a cell, or all of them by the head."""
        cell = self.cell_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and cell is not None:
            self._choose(cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt's."""
        cell = self.cell_at(event.position())
        hovered = None if cell == (-1, -1) else cell
        self.setCursor(Qt.CursorShape.PointingHandCursor if cell is not None
                       else Qt.CursorShape.ArrowCursor)
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Qt's."""
        self._hovered = None
        self.update()

    def event(self, event: QEvent) -> bool:
        """Qt's: the tooltip tells the cell under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            cell = self.cell_at(QPointF(event.pos()))
            if cell is None or not self._counts.size:
                QToolTip.hideText()
            elif cell == (-1, -1):
                tip = self.tr("Click: list all of its samples")
                QToolTip.showText(event.globalPos(), tip, self)
            else:
                QToolTip.showText(event.globalPos(), plain_tip(self.words_of(cell)), self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's: the arrows move, Enter and space choose, Ctrl+C copies the counts."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.as_text())
        elif event.key() in _MOVES and self._counts.size:
            by_row, by_column = _MOVES[Qt.Key(event.key())]
            row, column = self._current
            self._current = (min(max(0, row + by_row), self._counts.shape[0] - 1),
                             min(max(0, column + by_column), self._counts.shape[1] - 1))
            self.setAccessibleDescription(f"{self.words_of(self._current)}. {self.in_words()}")
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose(self._current)
        else:
            super().keyPressEvent(event)

    def _choose(self, cell: tuple[int, int]) -> None:
        self.mark_chosen(cell)
        self.cell_chosen.emit(*cell)


def left_middle() -> int:
    """Qt's number for text at the left, in the middle of its height."""
    return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
