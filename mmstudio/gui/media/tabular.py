"""The fields of an input of numbers and categories, one per column, to look at and to edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from mmstudio.errors import UserError
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.media.medium import Medium
from mmstudio.gui.media.views.heat import ground_of, largest_of, weight_words
from mmstudio.gui.parts.cards import ElidedLabel
from mmstudio.gui.plain_text import PlainLabel, plain_tip
from mmstudio.modalities.pieces import Spot
from mmstudio.modalities.records import read_record, record_of
from mmstudio.modalities.tabular import CATEGORY, UNSEEN, number_of, place_of

MOST_OFFERED = 500
"""Categories in a box; others can be typed."""


MEDIUM = Medium("mdi6.table", "words",
                lambda: QCoreApplication.translate("media", "numbers and categories"))


class FieldsEditor(QScrollArea):
    """A small form: a line for each number, a box with the known words for each category.

    An empty field is a missing cell. `edited` is sent when a person changes a field.
    """

    edited = Signal()

    def __init__(self, name: str, spec: Mapping[str, Any], parent: QWidget | None = None) -> None:
        """Make the fields.

        Args:
            name: The input's.
            spec: What its modality learnt from the training rows.
            parent: The Qt parent.
        """
        super().__init__(parent)
        self.setObjectName(f"Fields: {name}")
        self.setAccessibleName(f"Fields: {name}")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.fields: dict[str, QLineEdit | QComboBox] = {}
        self._columns = {column["name"]: column for column in spec.get("columns", ())}
        self._weights: dict[str, PlainLabel] = {}
        holder = QWidget()
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 2)
        grid.setColumnStretch(1, 3)
        for line, column in enumerate(self._columns.values()):
            field = self._field(name, column)
            title = ElidedLabel(column["name"], "muted")
            title.setBuddy(field)
            grid.addWidget(title, line, 0)
            grid.addWidget(field, line, 1)
            self._weights[column["name"]] = style.mark(PlainLabel(self), "small")
            self._weights[column["name"]].hide()
            grid.addWidget(self._weights[column["name"]], line, 2)
            self.fields[column["name"]] = field
        box = QVBoxLayout(holder)
        box.setContentsMargins(0, 0, 6, 0)
        box.addLayout(grid)
        box.addStretch(1)
        self.setWidget(holder)
        self.viewport().setAutoFillBackground(False)
        holder.setAutoFillBackground(False)

    def record(self) -> str | None:
        """The fields as a record; None where all are empty."""
        return record_of({name: _text_of(field) for name, field in self.fields.items()})

    def show_record(self, record: str | None) -> None:
        """Fill the fields; None empties all. What is no record for these columns is told below.

        Raises:
            UserError: It names a column that there is not, or can't be read.
        """
        cells = {} if record is None else read_record(record, self.fields)
        for name, field in self.fields.items():
            with QSignalBlocker(field):
                if isinstance(field, QComboBox):
                    field.setEditText(cells.get(name, ""))
                else:
                    field.setText(cells.get(name, ""))
            self._mark(name)

    def show_weights(self, spots: Sequence[Spot], in_units: bool = True) -> None:
        """Tell beside each field how much it counted; nothing where there are no spots."""
        largest = largest_of(spots)
        told = {spot.name: spot.weight for spot in spots}
        for name, shown in self._weights.items():
            weight = told.get(name)
            shown.setVisible(weight is not None)
            words = "" if weight is None else weight_words(weight, largest, in_units)
            shown.setText(words)
            counted = self.tr("Counted {0}").format(words) if words else ""
            self.fields[name].setAccessibleDescription(counted)
            ground = None if weight is None else ground_of(weight / largest)
            shown.setAutoFillBackground(ground is not None)
            colours = shown.palette()
            if ground is not None:
                colours.setColor(shown.backgroundRole(), ground)
            shown.setPalette(colours)

    def remarks(self) -> str:
        """What is to know of what stands in the fields, as a sentence; empty where nothing is."""
        empty = [name for name, field in self.fields.items() if not _text_of(field)]
        if len(empty) == len(self.fields):
            return self.tr("Nothing filled in — the model answers without it")
        unread = [name for name in self.fields if self._is_no_number(name)]
        if unread:
            return self.tr("Not a number, counts as missing: {0}").format(", ".join(unread))
        new = [name for name in self.fields if self._is_new(name)]
        if new:
            return self.tr("New to the model: {0}").format(", ".join(new))
        if empty:
            return self.tr("Missing: {0}").format(", ".join(empty))
        return ""

    def _field(self, name: str, column: Mapping[str, Any]) -> QLineEdit | QComboBox:
        field: QLineEdit | QComboBox
        if column["kind"] == CATEGORY:
            field = QComboBox()
            field.setEditable(True)
            field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            field.addItems(["", *column["words"][:MOST_OFFERED]])
            field.setMinimumContentsLength(6)
            field.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            guard_wheel(field)
            line = field.lineEdit()
            if line is not None:
                line.setPlaceholderText(self.tr("missing"))
            field.setToolTip(plain_tip(self.tr("A category. One that training lacks counts as "
                                               "new; empty is missing.")))
            field.editTextChanged.connect(lambda _, of=column["name"]: self._changed(of))
        else:
            field = QLineEdit()
            field.setPlaceholderText(self.tr("missing"))
            low, high = (column.get("usual") or (0.0, 0.0))[:2]
            unit = f" {column['unit']}" if column.get("unit") else ""
            field.setToolTip(plain_tip(self.tr(
                "A number, mostly from {0} to {1}; empty is missing.").format(
                    f"{low:g}", f"{high:g}{unit}")))
            field.textEdited.connect(lambda _, of=column["name"]: self._changed(of))
        field.setObjectName(f"{name}: {column['name']}")
        field.setAccessibleName(f"{name}: {column['name']}")
        return field

    def _changed(self, name: str) -> None:
        self._mark(name)
        self.edited.emit()

    def _mark(self, name: str) -> None:
        field = self.fields[name]
        line = field.lineEdit() if isinstance(field, QComboBox) else field
        if line is not None:
            line.setProperty("invalid", "true" if self._is_no_number(name) else "false")
            line.style().unpolish(line)
            line.style().polish(line)

    def _is_no_number(self, name: str) -> bool:
        column, text = self._columns[name], _text_of(self.fields[name])
        return (bool(text) and column["kind"] != CATEGORY
                and number_of(text, column) is None)

    def _is_new(self, name: str) -> bool:
        column, text = self._columns[name], _text_of(self.fields[name])
        return (bool(text) and column["kind"] == CATEGORY
                and place_of(text, column["words"]) == UNSEEN)


def _text_of(field: QLineEdit | QComboBox) -> str:
    return (field.currentText() if isinstance(field, QComboBox) else field.text()).strip()


def shows(fields: FieldsEditor, record: str) -> bool:
    """Whether a record is one for these fields."""
    try:
        read_record(record, fields.fields)
    except UserError:
        return False
    return True
