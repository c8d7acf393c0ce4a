"""The table of a comparison's contestants, their intervals drawn as small bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.overriding import override
from mmstudio.gui.parts.table_look import dress
from mmstudio.gui.plain_text import plain_tip
from mmstudio.units import duration_text, size_text

if TYPE_CHECKING:
    from mmstudio.comparison.plan import Contestant
    from mmstudio.comparison.ranking import Ranking, Standing

Index = QModelIndex | QPersistentModelIndex
BAR = Qt.ItemDataRole.UserRole + 1
METHOD, FIGURE, INTERVAL, DIFFERENCE = 1, 2, 3, 4
NUMBERS = (FIGURE, DIFFERENCE, 5, 6, 7, 8, 9)
"""Columns whose texts stand at the right."""
LEAST_BAR = 150


class RankingModel(QAbstractTableModel):
    """A row per contestant: those with a score in their order, then those that wait."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ranking: Ranking | None = None
        self._waiting: list[Contestant] = []
        self._going = ""
        self._seeds = 0
        style.changed.connect(self._repaint)

    def show_ranking(
        self, ranking: Ranking | None, waiting: list[Contestant], going: str, seeds: int
    ) -> None:
        """Show a ranking.

        Args:
            ranking: None before the first run is done.
            waiting: Contestants without a score.
            going: Key of the one that is in training, or "".
            seeds: Runs planned of each.
        """
        self.beginResetModel()
        self._ranking, self._waiting = ranking, list(waiting)
        self._going, self._seeds = going, seeds
        self.endResetModel()

    @property
    def standings(self) -> tuple[Standing, ...]:
        """Those with a score."""
        return self._ranking.standings if self._ranking is not None else ()

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.standings) + len(self._waiting)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 10

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._titles()[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tips()[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = "AlignRight" if section in NUMBERS else "AlignLeft"
            return int(getattr(Qt.AlignmentFlag, side) | Qt.AlignmentFlag.AlignVCenter)
        return None

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = index.row(), index.column()
        standing = self.standings[row] if row < len(self.standings) else None
        if role == BAR:
            return None if standing is None or column != INTERVAL else self._bar(standing)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(standing, column) or self._text(row, column))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = "AlignRight" if column in NUMBERS else "AlignLeft"
            return int(getattr(Qt.AlignmentFlag, side) | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._color(standing, column)
        if role == Qt.ItemDataRole.FontRole and standing is not None and self._is_best(standing):
            font = QFont()
            font.setWeight(QFont.Weight.DemiBold)
            return font
        return None

    def _titles(self) -> tuple[str, ...]:
        figure = self._ranking.figure.title if self._ranking is not None else self.tr("Score")
        return ("", self.tr("Method"), figure, self.tr("95 % interval"),
                self.tr("Against the best"), self.tr("Per epoch"), self.tr("Training"),
                self.tr("Parameters"), self.tr("Size"), self.tr("Runs"))

    def _tips(self) -> tuple[str, ...]:
        return (
            "", "",
            self.tr("Mean over all rows and seeds"),
            self.tr("Where the figure would lie in 95 of 100 repetitions with other rows and "
                    "seeds"),
            self.tr("Difference to the method that is best on the validation rows, on the same "
                    "rows, with its 95 % interval; muted where it may be chance"),
            self.tr("Time for all training rows once, without validation"),
            self.tr("Time of one training, until it stopped by itself"),
            self.tr("Learned parameters"),
            self.tr("Of the model's file"),
            self.tr("Trainings that are done"))

    def _text(self, row: int, column: int) -> str:
        from mmstudio.comparison.report import difference_text, interval_words

        ranking = self._ranking
        if ranking is None or row >= len(self.standings):
            return self._waiting_text(row - len(self.standings), column)
        standing = self.standings[row]
        texts = (
            str(row + 1), standing.contestant.title, ranking.figure.text(standing.score.mean),
            interval_words(ranking, standing),
            self.tr("best") if standing.difference is None
            else difference_text(ranking, standing),
            duration_text(standing.seconds_per_epoch), duration_text(standing.seconds),
            f"{standing.parameters:,}", size_text(standing.bytes, compared=True),
            self.tr("{0} of {1}").format(standing.runs, self._seeds),
        )
        return texts[column]

    def _waiting_text(self, place: int, column: int) -> str:
        contestant = self._waiting[place]
        failures = self._ranking.failures if self._ranking is not None else ()
        failed = any(f.contestant == contestant.key for f in failures)
        if column == METHOD:
            return contestant.title
        if column == INTERVAL:
            if contestant.key == self._going:
                return self.tr("in training …")
            return self.tr("failed") if failed else self.tr("waiting")
        return ""

    def _tip(self, standing: Standing | None, column: int) -> str:
        if standing is None or column not in (METHOD, FIGURE) or self._ranking is None:
            return ""
        return self.tr("Validation rows: {0}").format(
            self._ranking.figure.text(standing.validation))

    def _color(self, standing: Standing | None, column: int) -> QColor | None:
        if standing is None or column == 0:
            return style.color("muted")
        if column == DIFFERENCE and standing.difference is not None and standing.tied:
            return style.color("muted")
        return None

    def _is_best(self, standing: Standing) -> bool:
        return self._ranking is not None and standing.contestant.key == self._ranking.best

    def _bar(self, standing: Standing) -> tuple[float, float, float, str]:
        """Where low, mean and high lie, 0 to 1, and the contestant's kind."""
        from mmstudio.comparison.report import scale_of

        if self._ranking is None:
            return 0.0, 0.0, 0.0, standing.contestant.kind
        low, high = scale_of(self._ranking)
        first, mean, last = ((v - low) / (high - low) for v in (
            standing.score.low, standing.score.mean, standing.score.high))
        return first, mean, last, standing.contestant.kind

    def _repaint(self) -> None:
        if self.rowCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, 9))


class _IntervalDelegate(QStyledItemDelegate):
    """Paints an interval as a line with a dot; its text stands beside where there is room."""

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        bar = index.data(BAR)
        if bar is None:
            super().paint(painter, option, index)
            return
        ground = QStyleOptionViewItem(option)
        self.initStyleOption(ground, index)
        ground.text = ""
        style_of = ground.widget.style() if ground.widget is not None else QApplication.style()
        style_of.drawControl(QStyle.ControlElement.CE_ItemViewItem, ground, painter, ground.widget)
        low, mean, high, kind = bar
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = str(index.data())
        width = QFontMetrics(option.font).horizontalAdvance("100.0 to 100.0") + 16
        area = QRectF(option.rect).adjusted(8, 0, -8, 0)
        painter.setPen(style.color("muted"))
        words = area.adjusted(area.width() - width + 16, 0, 0, 0)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, int(right), text)
        track = area.adjusted(0, 0, -width, 0)
        middle = track.center().y()
        painter.setPen(QPen(style.color("border"), 1))
        painter.drawLine(QPointF(track.left(), middle), QPointF(track.right(), middle))
        color = style.series({"fusion": 0, "combination": 1}.get(kind, 2))
        pen = QPen(color, 3)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        left, end = (track.left() + track.width() * v for v in (low, high))
        painter.drawLine(QPointF(left, middle), QPointF(end, middle))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        x = track.left() + track.width() * mean
        painter.drawEllipse(QRectF(x - 5, middle - 5, 10, 10))
        painter.restore()

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(LEAST_BAR + 120, 36)


class RankingView(QTableView):
    """The table `Ranking`."""

    def __init__(self, model: RankingModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        dress(self, "Ranking", least_column=24, row_height=36)
        self.setModel(model)
        self.setItemDelegateForColumn(INTERVAL, _IntervalDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setSectionsClickable(False)
        model.modelReset.connect(self._fit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The bars take what is left."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        model = self.model()
        metrics = QFontMetrics(self.horizontalHeader().font())
        widths = []
        for column in range(model.columnCount()):
            title = str(model.headerData(column, Qt.Orientation.Horizontal) or "")
            head = round(1.06 * metrics.horizontalAdvance(title)) + 20
            widths.append(max(head if title else 28, self.sizeHintForColumn(column) + 10))
        widths[0] = 44
        widths[INTERVAL] = LEAST_BAR + 110
        spare = self.viewport().width() - sum(widths)
        widths[INTERVAL] += max(0, min(spare, 420))
        if spare < 0:  # the words beside the bar give way before anything is cut
            widths[INTERVAL] = max(LEAST_BAR + 20, widths[INTERVAL] + spare)
        rest = self.viewport().width() - sum(widths)
        widths[METHOD] += max(0, rest)
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width)
