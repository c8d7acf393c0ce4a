"""What each column of the table is used as."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.widgets.cards import ElidedLabel

if TYPE_CHECKING:
    from mmstudio.data.propose import Column


ROWS_AT_ONCE = 8
ROWS_PER_TURN = 3


class ColumnsPanel(QWidget):
    """One row per column; `changed` brings all columns with their new roles."""

    changed = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[Column] = []
        self._combos: dict[str, QComboBox] = {}
        # A table may have many columns: what is below the first ones is made bit by bit.
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(lambda: self._add_rows(ROWS_PER_TURN))
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(10)
        style.changed.connect(self._tint)

    def show_columns(self, columns: list[Column]) -> None:
        """Show the columns; the rows are kept where only roles differ."""
        same = [c.name for c in columns] == [c.name for c in self._columns]
        self._columns = list(columns)
        if not same:
            self._rebuild()
        for column in self._columns:
            if column.name in self._combos:
                self._show_role(column)

    def _show_role(self, column: Column) -> None:
        combo = self._combos[column.name]
        combo.blockSignals(True)
        combo.setCurrentIndex(max(0, combo.findData(self._key(column))))
        combo.blockSignals(False)

    @staticmethod
    def _key(column: Column) -> str:
        """The combo's entry for what a column is used as."""
        return f"input {column.modality}" if column.role == "input" else column.role

    def _rebuild(self) -> None:
        while (item := self._box.takeAt(0)) is not None:
            if item.widget() is not None:
                item.widget().hide()
                item.widget().deleteLater()
        self._combos = {}
        self._add_rows(ROWS_AT_ONCE)

    def _add_rows(self, most: int) -> None:
        missing = [column for column in self._columns if column.name not in self._combos]
        for column in missing[:most]:
            self._box.addWidget(self._row(column))
            self._show_role(column)
        if len(missing) > most:
            self._timer.start()

    def _row(self, column: Column) -> QWidget:
        widget = QWidget()
        row = QHBoxLayout(widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ElidedLabel(column.name))
        words.addWidget(ElidedLabel(self._about(column), "small"))
        row.addLayout(words, 1)
        combo = QComboBox()
        name = self.tr("{0} used as").format(column.name)
        combo.setAccessibleName(name)
        combo.setObjectName(name)
        examples = "\n".join(f"  {e[:60]}" for e in column.examples[:3])
        tip = self.tr("What this column is used as. Its values look like:")
        combo.setToolTip(f"{tip}\n{examples}")
        for key, text, icon in self._choices():
            combo.addItem(style.icon(icon, "muted"), text, key)
        combo.setFixedWidth(154)
        guard_wheel(combo)
        combo.currentIndexChanged.connect(self._on_changed)
        self._combos[column.name] = combo
        row.addWidget(combo)
        return widget

    def _choices(self) -> list[tuple[str, str, str]]:
        from mmstudio.modalities import MODALITIES

        inputs = [
            (
                f"input {name}",
                cls.title,
                style.MODALITY_ICONS.get(name, "mdi6.file-outline"),
            )
            for name, cls in MODALITIES.classes().items()
        ]
        return [
            *inputs,
            ("target", self.tr("To predict"), "mdi6.target"),
            ("split", self.tr("Split"), "mdi6.call-split"),
            ("group", self.tr("Keep together"), "mdi6.account-group-outline"),
            ("ignore", self.tr("Not used"), "mdi6.minus"),
        ]

    def _about(self, column: Column) -> str:
        text = self.tr("{0:,} values").format(column.distinct)
        if column.missing:
            text += " · " + self.tr("{0:,} empty").format(column.missing)
        return text

    def _on_changed(self) -> None:
        sender = self.sender()
        result = []
        for column in self._columns:
            combo = self._combos.get(column.name)
            if combo is None:
                result.append(column)
                continue
            kind, _, modality = str(combo.currentData()).partition(" ")
            if kind in ("split", "group") and combo is not sender and isinstance(sender, QComboBox):
                # There is one split and one group: the newest choice takes the place.
                if str(sender.currentData()) == kind:
                    kind = "ignore"
            task = (column.task or "classification") if kind == "target" else None
            result.append(replace(column, role=kind, modality=modality or None, task=task))
        self.changed.emit(result)

    def _tint(self) -> None:
        for combo in self._combos.values():
            for index, (_, _, icon) in enumerate(self._choices()):
                combo.setItemIcon(index, style.icon(icon, "muted"))
