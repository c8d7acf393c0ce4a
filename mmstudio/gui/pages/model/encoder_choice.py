"""The box `NAME encoder`: encoders from scratch, published models, and any other model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QStandardItem
from PySide6.QtWidgets import QComboBox, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import plain_tip

OTHER = "other model"
"""The data of the last entry."""

_NOTE = Qt.ItemDataRole.UserRole + 1
_HEADING = Qt.ItemDataRole.UserRole + 2
_ROOM = 32
"""Pixels between an entry's name and its note, borders included."""


@dataclass(frozen=True)
class Entry:
    """One line of the box.

    Attributes:
        data: What is chosen with it, `NAME` or `NAME:MODEL`.
        title: Its name for people.
        note: Stands at the right: "on this computer", "download 45 MB".
        tip: One sentence about it.
    """

    data: str
    title: str
    note: str = ""
    tip: str = ""


class EncoderChoice(QComboBox):
    """`chosen` brings an encoder's name and, for a published one, its model.

    `other_asked` is sent for the last entry; the box goes on showing what it did.
    """

    chosen = Signal(str, str)
    other_asked = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[tuple[Entry, ...], tuple[Entry, ...]] = ((), ())
        self._shown = ""
        self.setAccessibleName(name)
        self.setObjectName(name)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setMaxVisibleItems(24)
        self.setItemDelegate(_EntryDelegate(self))
        guard_wheel(self)
        self.currentIndexChanged.connect(self._tell)

    def offer(self, scratch: Sequence[Entry], published: Sequence[Entry], shown: str) -> None:
        """Offer these and show the one whose data is `shown`."""
        self.blockSignals(True)
        entries = (tuple(scratch), tuple(published))
        if self._entries != entries:
            self._entries = entries
            self._fill()
        self._shown = shown
        self.setCurrentIndex(self.findData(shown))
        tip = self.currentData(Qt.ItemDataRole.ToolTipRole) or ""
        self.setToolTip(plain_tip(f"{self.currentText()}\n{tip}".strip()))  # the name may be cut
        self.blockSignals(False)

    def showPopup(self) -> None:
        """The list is as wide as its longest line."""
        metrics = self.view().fontMetrics()
        lines = [entry for group in self._entries for entry in group]
        width = max((metrics.horizontalAdvance(entry.title + entry.note) for entry in lines),
                    default=0)
        self.view().setMinimumWidth(max(self.width(), width + _ROOM + 24))
        super().showPopup()

    def _fill(self) -> None:
        self.clear()
        scratch, published = self._entries
        for entry in scratch:
            self._add(entry)
        if published:
            self._add_heading(self.tr("Published"))
            for entry in published:
                self._add(entry)
            self._add(Entry(OTHER, self.tr("Other model …"),
                            tip=self.tr("Any model of Hugging Face, or one on this disk")))

    def _add(self, entry: Entry) -> None:
        self.addItem(entry.title, entry.data)
        index = self.count() - 1
        self.setItemData(index, entry.note, _NOTE)
        said = f"{entry.title}, {entry.note}" if entry.note else entry.title
        self.setItemData(index, said, Qt.ItemDataRole.AccessibleTextRole)
        if entry.tip:
            self.setItemData(index, plain_tip(entry.tip), Qt.ItemDataRole.ToolTipRole)

    def _add_heading(self, title: str) -> None:
        item = QStandardItem(title)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        item.setData(True, _HEADING)
        self.model().appendRow(item)  # type: ignore[attr-defined]

    def _tell(self, index: int) -> None:
        data = self.itemData(index)
        if data == OTHER:
            self.blockSignals(True)
            self.setCurrentIndex(self.findData(self._shown))
            self.blockSignals(False)
            self.other_asked.emit()
        elif data:
            name, _, model = data.partition(":")
            self.chosen.emit(name, model)


class _EntryDelegate(QStyledItemDelegate):
    """Draws an entry with its note at the right; a heading stands small and muted."""

    @override
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        if index.data(_HEADING):
            font = painter.font()
            painter.save()
            font.setPointSizeF(option.font.pointSizeF() * 0.9)
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(style.color("muted"))
            painter.drawText(self._inside(option.rect), Qt.AlignmentFlag.AlignVCenter,
                             index.data())
            painter.restore()
            return
        super().paint(painter, option, index)
        note = index.data(_NOTE)
        if note:
            painter.save()
            painter.setFont(option.font)
            painter.setPen(style.color("muted"))
            where = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
            painter.drawText(self._inside(option.rect), where, note)
            painter.restore()

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """As wide as the name and the note need."""
        size = super().sizeHint(option, index)
        note = index.data(_NOTE) or ""
        size.setWidth(size.width() + option.fontMetrics.horizontalAdvance(note) + _ROOM)
        return size

    def _inside(self, rect: QRect) -> QRect:
        return rect.adjusted(9, 0, -9, 0)
