"""Forms built from options: one row per option, its range and help as its tooltip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.plain_text import PlainLabel, plain_tip

if TYPE_CHECKING:
    from mmstudio.registry import Option

_LARGEST_INT = 2**31 - 1
_LEAST_WIDTH = 88
_ROOM_BESIDE = 48
"""What a number's field needs beside its text, pixels."""


def readable(name: str) -> str:
    """An option's name for people: `learning_rate` becomes "Learning rate"."""
    units = {"hz": "Hz", "s": "s", "ms": "ms", "db": "dB"}
    words = [units.get(word, word) for word in name.replace("-", "_").split("_") if word]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def automatic_at_zero(option: Option) -> bool:
    """Whether 0 means "as the data is": the least value, the default, and said in the help."""
    return option.minimum == 0 and option.default == 0 and option.help.find("0 takes") >= 0


class WheelGuard(QObject):
    """Keeps the wheel from changing a field that is only scrolled past."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Pass the wheel on to the scroll area where the field has no focus."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget):
            if not watched.hasFocus():
                event.ignore()
                return True
        return super().eventFilter(watched, event)


def guard_wheel(widget: QWidget) -> None:
    """Let the wheel change this field only while it has the focus."""
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(WheelGuard(widget))


class NumberBox(QDoubleSpinBox):
    """A number shown as short as it can be (`0.001`, `1e-05`); steps suit its size."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.first_step = 0.01
        """From 0 upwards."""
        self.setDecimals(12)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)

    def textFromValue(self, value: float) -> str:
        """The number as text."""
        return f"{value:.6g}"

    def valueFromText(self, text: str) -> float:
        """The text as a number; anything else leaves the value as it was."""
        if text and text == self.specialValueText():
            return self.minimum()
        try:
            return float(text.replace(",", "."))
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> Any:
        """Whether the text may stand while it is being typed."""
        if text and text == self.specialValueText():
            return QValidator.State.Acceptable, text, position
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            return QValidator.State.Intermediate, text, position
        inside = math.isfinite(value) and self.minimum() <= value <= self.maximum()
        state = QValidator.State.Acceptable if inside else QValidator.State.Intermediate
        return state, text, position

    def stepBy(self, steps: int) -> None:
        """A tenth of the number's own size per step."""
        value = self.value()
        size = 10.0 ** math.floor(math.log10(abs(value))) if value else self.first_step
        # Down from 0.001 is 0.0009, not 0.
        step = size / 10 if steps < 0 and math.isclose(abs(value), size) else size / 1
        self.setValue(round(value + steps * step, 12))


class OptionsForm(QWidget):
    """One row per option: its name, a field in its range, and a way back to its default.

    Args:
        options: The options by name.
        values: What was chosen; an option that is missing has its default.
        parent: The Qt parent.
        prefix: Stands before the fields' accessible names, where several forms are on a page.
        columns: How many options stand side by side.
        label_width: The least width of the names, so that forms below each other line up.
    """

    changed = Signal(str, object)
    pointed = Signal(str)
    """The help of the option that the mouse or the keyboard is at; empty behind the last."""

    def __init__(
        self,
        options: Mapping[str, Option],
        values: Mapping[str, Any],
        parent: QWidget | None = None,
        *,
        prefix: str = "",
        columns: int = 1,
        label_width: int = 0,
    ) -> None:
        super().__init__(parent)
        self._options = dict(options)
        self._fields: dict[str, QWidget] = {}
        self._resets: dict[str, QToolButton] = {}
        self._at_keyboard: QObject | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(style.SPACE)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(style.SPACE)
        grid.setVerticalSpacing(6)
        outer.addLayout(grid)
        self._grid = grid
        self._columns = columns
        for index, option in enumerate(self._options.values()):
            row, column = divmod(index, columns)
            self._add_row(grid, row, column * 4, option, prefix)
        for column in range(columns):
            grid.setColumnStretch(column * 4 + 1, 1)
            grid.setColumnMinimumWidth(column * 4, label_width)
            if column:
                grid.setColumnMinimumWidth(column * 4 - 1, 2 * style.SPACE)
        self.set_values(values)
        style.changed.connect(self._retint)

    def add_field(self, title: str, field: QWidget) -> None:
        """Put a field that stands for no option behind the last one."""
        row, column = divmod(len(self._options), self._columns)
        label = PlainLabel(title)
        self._join(label, field)
        self._grid.addWidget(label, row, column * 4)
        self._grid.addWidget(field, row, column * 4 + 1)

    def _join(self, label: QLabel, field: QWidget) -> None:
        """Name and field are one: the same tip, and either is pointed at."""
        label.setToolTip(field.toolTip())
        label.setBuddy(field)
        style.mark(label, "muted")
        for widget in (label, field):
            widget.installEventFilter(self)

    def field(self, name: str) -> QWidget:
        """The field of one option."""
        return self._fields[name]

    def say_automatic(self, name: str, text: str) -> None:
        """What a number that is automatic at 0 shows there."""
        field = self._fields[name]
        if isinstance(field, QAbstractSpinBox) and field.specialValueText() != text:
            field.setSpecialValueText(text)
            needed = field.fontMetrics().horizontalAdvance(text) + _ROOM_BESIDE
            field.setMinimumWidth(max(_LEAST_WIDTH, needed))

    def values(self) -> dict[str, Any]:
        """What is chosen now, of all options."""
        return {name: self._value(name) for name in self._options}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show other values; nothing is sent."""
        for name, option in self._options.items():
            value = values.get(name, option.default)
            field = self._fields[name]
            if self._value(name) != value or isinstance(field, QLineEdit):
                if not (isinstance(field, QLineEdit) and field.hasFocus()):
                    field.blockSignals(True)
                    self._show(name, value)
                    field.blockSignals(False)
            self._show_reset(name)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the mouse and the keyboard from option to option."""
        happened = event.type()
        if happened in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._at_keyboard = watched if happened == QEvent.Type.FocusIn else None
        if happened in (QEvent.Type.Enter, QEvent.Type.FocusIn):
            self._point_at(watched)
        elif happened in (QEvent.Type.Leave, QEvent.Type.FocusOut):
            self._point_at(self._at_keyboard)
        return super().eventFilter(watched, event)

    def _point_at(self, widget: QObject | None) -> None:
        tip = widget.toolTip() if isinstance(widget, QWidget) else ""
        self.pointed.emit(tip.replace("\n", " "))

    def _add_row(
        self, grid: QGridLayout, row: int, column: int, option: Option, prefix: str
    ) -> None:
        title = readable(option.name)
        field = self._make_field(option)
        name = f"{prefix} {title}".strip() if prefix else title
        field.setAccessibleName(name)
        field.setObjectName(name)
        field.setToolTip(plain_tip(self._tip(option)))
        field.setAccessibleDescription(option.help)
        label = PlainLabel(title)
        self._join(label, field)
        reset = QToolButton()
        reset.setAccessibleName(self.tr("Reset {0}").format(name))
        default = self._text(option, option.default)
        reset.setToolTip(plain_tip(self.tr("Back to the default: {0}").format(default)))
        reset.setIcon(style.icon("mdi6.restore", "muted"))
        reset.setFixedSize(26, 26)
        policy = reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        reset.setSizePolicy(policy)
        reset.clicked.connect(lambda _=False, key=option.name: self._reset(key))
        self._fields[option.name] = field
        self._resets[option.name] = reset
        grid.addWidget(label, row, column)
        grid.addWidget(field, row, column + 1)
        grid.addWidget(reset, row, column + 2)

    def _tip(self, option: Option) -> str:
        help_text = option.help[:1].upper() + option.help[1:]
        parts = [help_text.rstrip(".") + "." if help_text else ""]
        if option.minimum is not None and option.maximum is not None:
            low, high = f"{option.minimum:g}", f"{option.maximum:g}"
            parts.append(self.tr("From {0} to {1}.").format(low, high))
        parts.append(self.tr("Default: {0}.").format(self._text(option, option.default)))
        return "\n".join(part for part in parts if part)

    def _text(self, option: Option, value: Any) -> str:
        if option.kind == "bool":
            return self.tr("on") if value else self.tr("off")
        if value == "auto" or (automatic_at_zero(option) and not value):
            return self.tr("Automatic")
        if option.kind == "choice":
            return str(value).replace("_", " ")
        return f"{value:g}" if isinstance(value, float) else str(value)

    def _make_field(self, option: Option) -> QWidget:
        name = option.name
        if option.kind == "bool":
            check = QCheckBox()
            check.toggled.connect(lambda on: self._send(name, bool(on)))
            return check
        if option.kind == "choice":
            combo = QComboBox()
            for choice in option.choices:
                combo.addItem(self._text(option, choice), choice)
            combo.currentIndexChanged.connect(lambda _: self._send(name, combo.currentData()))
            guard_wheel(combo)
            return combo
        if option.kind == "text":
            line = QLineEdit()
            line.editingFinished.connect(lambda: self._send(name, line.text()))
            return line
        box: QSpinBox | NumberBox = QSpinBox() if option.kind == "int" else NumberBox()
        low = -_LARGEST_INT if option.minimum is None else option.minimum
        high = _LARGEST_INT if option.maximum is None else option.maximum
        if isinstance(box, QSpinBox):
            box.setRange(max(int(low), -_LARGEST_INT), min(int(high), _LARGEST_INT))
            box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        else:
            box.setRange(float(low), float(high))
        if automatic_at_zero(option):
            box.setSpecialValueText(self.tr("Automatic"))
            if isinstance(box, NumberBox):
                box.first_step = 1.0  # the unit of what would be automatic
        box.setKeyboardTracking(False)  # a half-typed number is not a choice
        box.valueChanged.connect(lambda value: self._send(name, value))
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        box.setMinimumWidth(_LEAST_WIDTH)
        guard_wheel(box)
        return box

    def _value(self, name: str) -> Any:
        field = self._fields[name]
        if isinstance(field, QCheckBox):
            return field.isChecked()
        if isinstance(field, QComboBox):
            return field.currentData()
        if isinstance(field, QLineEdit):
            return field.text()
        if isinstance(field, NumberBox):
            # The box keeps 12 places; the option's own default stays exactly as it is.
            default = self._options[name].default
            value = field.value()
            return default if math.isclose(value, default, rel_tol=1e-9) else value
        return field.value()  # type: ignore[attr-defined]

    def _show(self, name: str, value: Any) -> None:
        field = self._fields[name]
        if isinstance(field, QCheckBox):
            field.setChecked(bool(value))
        elif isinstance(field, QComboBox):
            field.setCurrentIndex(max(0, field.findData(value)))
        elif isinstance(field, QLineEdit):
            field.setText(str(value))
        else:
            field.setValue(value)  # type: ignore[attr-defined]

    def _send(self, name: str, value: Any) -> None:
        self._show_reset(name)
        self.changed.emit(name, self._value(name) if not isinstance(value, str) else value)

    def _show_reset(self, name: str) -> None:
        self._resets[name].setVisible(self._value(name) != self._options[name].default)

    def _reset(self, name: str) -> None:
        field = self._fields[name]
        self._show(name, self._options[name].default)
        if isinstance(field, QLineEdit):
            self._send(name, field.text())
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _retint(self) -> None:
        for reset in self._resets.values():
            reset.setIcon(style.icon("mdi6.restore", "muted"))
