"""The list of fusions, in groups, each with a line that says what it does."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from PySide6.QtCore import (
    QT_TRANSLATE_NOOP,
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QPainter, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from mmstudio.gui import style
from mmstudio.gui.forms import readable
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import plain_tip

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (str(QT_TRANSLATE_NOOP("FusionChoices", "Simple")),
     ("concat", "sum", "mean", "weighted_sum", "gated")),
    (str(QT_TRANSLATE_NOOP("FusionChoices", "What inputs tell together")),
     ("film", "multiplicative", "low_rank", "tensor", "product_of_experts")),
    (str(QT_TRANSLATE_NOOP("FusionChoices", "Attention")),
     ("attention", "cross_attention", "bottleneck")),
    (str(QT_TRANSLATE_NOOP("FusionChoices", "Every input answers, then they decide")),
     ("late",)),
)
"""By how the inputs meet; what is in no group stands at the end."""
REST = str(QT_TRANSLATE_NOOP("FusionChoices", "More"))
LIST_WIDTH = 560
SUMMARY = Qt.ItemDataRole.ToolTipRole


def grouped(names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Titles with the names that there are, in the order of the list."""
    placed = [name for _, group in GROUPS for name in group]
    for title, group in (*GROUPS, (REST, tuple(n for n in names if n not in placed))):
        found = [name for name in group if name in names]
        if found:
            yield title, found


def show_fusions(combo: QComboBox, classes: dict[str, type], chosen: str) -> None:
    """Fill the combo and choose one; only the chosen one before the classes are known."""
    combo.blockSignals(True)
    known = [combo.itemData(i) for i in range(combo.count()) if combo.itemData(i) is not None]
    parts = list(grouped(list(classes))) if classes else [("", [chosen])]
    if known != [name for _, names in parts for name in names] or combo.isEnabled() != bool(
        classes
    ):
        combo.clear()
        for title, names in parts:
            if len(parts) > 1:
                combo.addItem(QCoreApplication.translate("FusionChoices", title))
                model = combo.model()
                if isinstance(model, QStandardItemModel):
                    model.item(combo.count() - 1).setFlags(Qt.ItemFlag.NoItemFlags)
            for name in names:
                cls = classes.get(name)
                combo.addItem(readable(name) if cls is None else cls.title, name)  # type: ignore[attr-defined]
                combo.setItemData(combo.count() - 1, getattr(cls, "summary", ""), SUMMARY)
    combo.setEnabled(bool(classes))
    combo.setCurrentIndex(max(0, combo.findData(chosen)))
    combo.setToolTip(plain_tip(combo.currentText()))
    combo.blockSignals(False)


def use_wide_list(combo: QComboBox) -> None:
    """Let the combo's list show the lines below the titles."""
    combo.setItemDelegate(FusionDelegate(combo))
    combo.view().setMinimumWidth(LIST_WIDTH)
    combo.setMaxVisibleItems(30)


def equation_of(fusion: type) -> str:
    """What a fusion computes: the first paragraph of its class's text."""
    first = inspect.getdoc(fusion) or ""
    return " ".join(first.partition("\n\n")[0].split()).replace("``", "")


class FusionDelegate(QStyledItemDelegate):
    """Draws a group's title, or a fusion's title with its summary below."""

    @override
    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        line = option.fontMetrics.height()
        return QSize(LIST_WIDTH, line + 10 if _is_title(index) else 2 * line + 4)

    @override
    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        painter.save()
        place = option.rect.adjusted(8, 0, -8, 0)
        small = QFont(option.font)
        small.setPointSizeF(option.font.pointSizeF() * 0.9)
        text = str(index.data())
        if _is_title(index):
            self._write(painter, place.adjusted(0, 6, 0, 0), text, small, "faint")
        else:
            if option.state & QStyle.StateFlag.State_Selected:
                painter.fillRect(option.rect, style.color("accent_soft"))
            half = place.height() // 2
            upper = QRect(place.left(), place.top() + 1, place.width(), half)
            self._write(painter, upper, text, option.font, "text")
            lower = QRect(place.left(), place.top() + half - 1, place.width(), half)
            summary = str(index.data(SUMMARY)).partition(":")[0]
            self._write(painter, lower, summary, small, "muted")
        painter.restore()

    def _write(
        self, painter: QPainter, place: QRect, text: str, font: QFont, color: str
    ) -> None:
        painter.setFont(font)
        painter.setPen(style.color(color))
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), cut)


def _is_title(index: QModelIndex | QPersistentModelIndex) -> bool:
    return index.data(Qt.ItemDataRole.UserRole) is None
