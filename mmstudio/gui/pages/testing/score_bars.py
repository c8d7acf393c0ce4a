"""A task's answer as a list: scores as bars, highest first, or plain figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.parts.bar_list import paint_bar

AnyIndex = QModelIndex | QPersistentModelIndex
SCORE = Qt.ItemDataRole.UserRole
IS_TRUTH = Qt.ItemDataRole.UserRole + 1
LABEL = Qt.ItemDataRole.UserRole + 2
FIGURE = Qt.ItemDataRole.UserRole + 3
IS_ANSWER = Qt.ItemDataRole.UserRole + 4
_ROW_HEIGHT = 27
_PERCENT_SAMPLE = "100.0 %"


def percent(share: float) -> str:
    """0.971 -> "97.1 %"."""
    return f"{100 * share:.1f} %"


class ScoreModel(QAbstractListModel):
    """Labels and their scores, each row reads "3, 97.1 %"; or figures, "Value, 3.2 years"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._rows: list[tuple[str, float | None, str]] = []
        self._truth: frozenset[str] = frozenset()
        self._threshold: float | None = None

    def show_scores(
        self, scores: Mapping[str, float], truth: Collection[str], threshold: float | None
    ) -> None:
        """Replace all rows; the highest score comes first."""
        self.beginResetModel()
        ordered = sorted(scores.items(), key=lambda pair: -pair[1])
        self._rows = [(label, score, percent(score)) for label, score in ordered]
        self._truth = frozenset(truth)
        self._threshold = threshold
        self.endResetModel()

    def show_figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """Replace all rows by names and figures; the first is the answer."""
        self.beginResetModel()
        self._rows = [(name, None, figure) for name, figure in figures]
        self._truth, self._threshold = frozenset(), None
        self.endResetModel()

    def labels(self) -> list[str]:
        """All labels, in the order shown."""
        return [label for label, *_ in self._rows]

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        """Number of labels."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The row's text, score, label, or whether it is the truth."""
        if not index.isValid():
            return None
        label, score, figure = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{label}, {figure}"
        if role == FIGURE:
            return figure
        if role == SCORE:
            return score
        if role == LABEL:
            return label
        if role == IS_TRUTH:
            return label in self._truth
        if role == IS_ANSWER:
            if self._threshold is None or score is None:
                return index.row() == 0
            return score >= self._threshold
        return None


class _BarDelegate(QStyledItemDelegate):
    """Paints label, bar and percentage of one row."""

    label_width = 60
    threshold: float | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Every row is equally high."""
        return QSize(160, _ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Paint one row."""
        colours = style.palette()
        score = index.data(SCORE)
        is_truth = bool(index.data(IS_TRUTH))
        winner = bool(index.data(IS_ANSWER))
        row = option.rect.adjusted(8, 0, -8, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.border))
            painter.drawRoundedRect(option.rect.adjusted(2, 1, -2, -1), 5, 5)
        font = QFont(option.font)
        font.setWeight(QFont.Weight.DemiBold if winner else QFont.Weight.Normal)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        # as wide in every row, bold or not: the bars and their thresholds stand in line
        bold = QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        number_width = QFontMetrics(bold).horizontalAdvance(_PERCENT_SAMPLE) + 4
        if score is None:
            number_width = row.width() - self.label_width
        label_area = QRect(row.left(), row.top(), self.label_width, row.height())
        number_area = QRect(row.right() - number_width, row.top(), number_width, row.height())
        label = metrics.elidedText(
            str(index.data(LABEL)), Qt.TextElideMode.ElideRight, self.label_width
        )
        painter.setPen(QColor(colours.good if is_truth else colours.text))
        painter.drawText(label_area, Qt.AlignmentFlag.AlignVCenter, label)
        painter.setPen(QColor(colours.text if winner else colours.muted))
        alignment = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(number_area, alignment, str(index.data(FIGURE)))
        if score is not None:
            left = label_area.right() + 10
            track = QRectF(left, row.center().y() - 4, max(10, number_area.left() - 8 - left), 9)
            fill = style.color("accent")
            if not winner:
                fill.setAlphaF(0.45)
            paint_bar(painter, track, float(score), fill)
            self._paint_threshold(painter, track)
        painter.restore()

    def _paint_threshold(self, painter: QPainter, track: QRectF) -> None:
        """A line across the bar where a label begins to be answered."""
        if self.threshold is None:
            return
        x = track.left() + track.width() * self.threshold
        painter.setBrush(QColor(style.palette().text))
        painter.drawRect(QRectF(x - 0.75, track.top() - 4, 1.5, track.height() + 8))


class ScoreList(QListView):
    """The scores of one task as bars."""

    painted = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """Make an empty list named `name` for accessibility and tests."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name)
        self._model = ScoreModel(self)
        self._delegate = _BarDelegate(self)
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        style.mark(self, "flat")
        style.changed.connect(self.viewport().update)

    def show_scores(
        self,
        scores: Mapping[str, float],
        truth: Collection[str] = (),
        threshold: float | None = None,
    ) -> None:
        """Show these scores, highest first, with the labels of the `truth` marked.

        The answer is the first label or, with a threshold, every label that reaches it.
        """
        self._delegate.threshold = threshold
        self._model.show_scores(scores, truth, threshold)
        self._fit_labels()

    def show_figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """Show names and figures instead of scores; the first is the answer."""
        self._model.show_figures(figures)
        self._fit_labels()

    def minimumSizeHint(self) -> QSize:
        """Three rows, or all where there are fewer."""
        rows = max(1, min(3, self._model.rowCount()))
        return QSize(180, rows * _ROW_HEIGHT + 4)

    def sizeHint(self) -> QSize:
        """All rows, up to twenty-four."""
        rows = max(1, min(24, self._model.rowCount()))
        return QSize(280, rows * _ROW_HEIGHT + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give long labels as much as the new width allows."""
        super().resizeEvent(event)
        self._fit_labels()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint, then say so: the time from drop to screen ends here."""
        super().paintEvent(event)
        self.painted.emit()

    def _fit_labels(self) -> None:
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        metrics = QFontMetrics(font)
        # Only the first labels are measured: a thousand classes must not slow an answer down.
        widest = max(
            (metrics.horizontalAdvance(label) for label in self._model.labels()[:40]), default=40
        )
        self._delegate.label_width = int(min(max(widest + 6, 28), self.width() * 0.42))
        self.updateGeometry()
