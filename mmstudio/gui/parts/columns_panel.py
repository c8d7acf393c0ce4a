"""What each column of the table is used as."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.parts.cards import ElidedLabel, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.plain_text import plain_tip
from mmstudio.modalities import MODALITIES
from mmstudio.tasks import ONE_LABEL, TASKS, TargetKind
from mmstudio.tasks.kinds import find_kind, known_tasks
from mmstudio.tasks.kinds.label_set import SEPARATORS

if TYPE_CHECKING:
    from mmstudio.data.propose import Column


ROWS_AT_ONCE = 8
ROWS_PER_TURN = 3
COMBO_WIDTH = 190


class ColumnsPanel(QWidget):
    """One row per column; `changed` brings all columns with their new roles.

    With `reasons`, each row says why the column is taken for what it is.
    """

    changed = Signal(list)

    def __init__(self, parent: QWidget | None = None, *, reasons: bool = False) -> None:
        super().__init__(parent)
        self._columns: list[Column] = []
        self._with_reasons = reasons
        self._combos: dict[str, QComboBox] = {}
        self._reasons: dict[str, QLabel] = {}
        self._separators: dict[str, QLineEdit] = {}
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
        key = self._key(column)
        if combo.findData(key) < 0 and column.task is not None:  # a task that is no longer there
            combo.addItem(style.icon(_icon(None), "muted"), column.task, key)
        combo.setCurrentIndex(max(0, combo.findData(key)))
        combo.blockSignals(False)
        separator = self._separators[column.name]
        separator.setVisible(_has_separator(column.task) and "into" not in column.options)
        told = str(column.options.get("separator", ""))
        if separator.text() != told and not separator.hasFocus():
            separator.setText(told)
        if column.name in self._reasons:
            self._reasons[column.name].setText(column.reason)

    @staticmethod
    def _key(column: Column) -> str:
        """The combo's entry for what a column is used as."""
        if column.role == "target":
            return f"target {column.task or ONE_LABEL.task}"
        return f"input {column.modality}" if column.role == "input" else column.role

    def _rebuild(self) -> None:
        empty(self._box)
        self._combos, self._reasons, self._separators = {}, {}, {}
        self._add_rows(ROWS_PER_TURN if self._with_reasons else ROWS_AT_ONCE)

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
        if self._with_reasons:
            self._reasons[column.name] = label("", "small", wrap=True)
            words.addWidget(self._reasons[column.name])
        words.addStretch(1)
        row.addLayout(words, 1)
        choice = QVBoxLayout()
        choice.setSpacing(4)
        choice.addWidget(self._combo(column))
        choice.addWidget(self._separator(column))
        choice.addStretch(1)
        row.addLayout(choice)
        return widget

    def _combo(self, column: Column) -> QComboBox:
        combo = QComboBox()
        name = self.tr("{0} used as").format(column.name)
        combo.setAccessibleName(name)
        combo.setObjectName(name)
        examples = "\n".join(f"  {e[:60]}" for e in column.examples[:3])
        tip = self.tr("What this column is used as. Its values look like:")
        combo.setToolTip(plain_tip(f"{tip}\n{examples}"))
        for key, text, icon in self._choices():
            combo.addItem(style.icon(icon, "muted"), text, key)
        combo.setFixedWidth(COMBO_WIDTH)
        guard_wheel(combo)
        combo.currentIndexChanged.connect(self._on_changed)
        self._combos[column.name] = combo
        return combo

    def _separator(self, column: Column) -> QLineEdit:
        line = QLineEdit()
        name = self.tr("{0} separator").format(column.name)
        line.setAccessibleName(name)
        line.setObjectName(name)
        line.setPlaceholderText(self.tr("Separator"))
        line.setToolTip(self.tr("The separator between the labels of one cell"))
        line.setFixedWidth(COMBO_WIDTH)
        line.setMaxLength(8)
        line.textEdited.connect(self._on_changed)
        self._separators[column.name] = line
        return line

    def _choices(self) -> list[tuple[str, str, str]]:
        inputs = [
            (
                f"input {name}",
                cls.title,
                medium_of(name).icon,
            )
            for name, cls in MODALITIES.classes().items()
        ]
        return [
            *inputs,
            *(
                (f"target {task}", title, _icon(kind))
                for task, kind, title in _target_choices()
            ),
            ("split", self.tr("Split"), "mdi6.call-split"),
            ("group", self.tr("Keep together"), "mdi6.account-group-outline"),
            ("ignore", self.tr("Not used"), "mdi6.minus"),
        ]

    def _about(self, column: Column) -> str:
        text = self.tr("{0:,} values").format(column.distinct)
        if column.missing:
            text += " · " + self.tr("{0:,} empty").format(column.missing)
        if self._with_reasons and column.examples:
            text += " · " + ", ".join(e[:24] for e in column.examples)
        return text

    def _on_changed(self) -> None:
        sender = self.sender()
        result = []
        for column in self._columns:
            combo = self._combos.get(column.name)
            if combo is None:
                result.append(column)
                continue
            kind, _, detail = str(combo.currentData()).partition(" ")
            if kind in ("split", "group") and combo is not sender and isinstance(sender, QComboBox):
                # There is one split and one group: the newest choice takes the place.
                if str(sender.currentData()) == kind:
                    kind, detail = "ignore", ""
            result.append(self._said(column, kind, detail))
        if result != self._columns:
            self.changed.emit(result)

    def _said(self, column: Column, kind: str, detail: str) -> Column:
        """The column as its row says."""
        task = detail if kind == "target" else None
        modality = detail if kind == "input" else None
        options: dict[str, object] = {}
        if kind == column.role and (task, modality) == (column.task, column.modality):
            options = dict(column.options)
        if _has_separator(task) and "into" not in options:
            told = self._separators[column.name].text() or str(options.get("separator", ""))
            likely = (s for s in SEPARATORS if any(s in e for e in column.examples))
            options["separator"] = told or next(likely, "|")
        same = (kind, modality, task) == (column.role, column.modality, column.task)
        reason = column.reason if same else self.tr("Chosen by you.")
        return replace(
            column, role=kind, modality=modality, task=task, options=options, reason=reason
        )

    def _tint(self) -> None:
        for combo in self._combos.values():
            for index, (_, _, icon) in enumerate(self._choices()):
                combo.setItemIcon(index, style.icon(icon, "muted"))


def _has_separator(task: str | None) -> bool:
    kind = find_kind(task)
    return kind is not None and kind.several


def _icon(kind: TargetKind | None) -> str:
    if kind is None or kind.one_label:
        return "mdi6.target"
    return "mdi6.numeric" if kind.numeric else "mdi6.tag-multiple-outline"


def _target_choices() -> list[tuple[str, TargetKind, str]]:
    """Every task with its kind and title."""
    tr = QCoreApplication.translate
    own = TASKS.own()
    return [
        (task, kind, tr("ColumnsPanel", "Predict: {0}").format(own[task].title) if task in own
         else tr("ColumnsPanel", kind.use_title))
        for task, kind in known_tasks().items()
    ]
