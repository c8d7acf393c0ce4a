"""Labels that are given by one key each, and a field in which any of them can be typed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCompleter, QGridLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import button
from mmstudio.gui.plain_text import plain_tip

MOST_KEYS = 9
ACROSS = 5
LONGEST = 96
"""Of a label on its button, pixels."""


class LabelField(QLineEdit):
    """`left` is sent on Escape; letters that would decide something else are text in here."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's: Escape leaves the field; Enter is the field's own."""
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
            self.left.emit()
            return
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()  # Qt passes it on, and outside it decides something else


def keys_of(labels: Sequence[str]) -> dict[int, str]:
    """Per number key its label: a digit is given by its own key, the others by those left."""
    own = {int(name): name for name in labels if name in set("0123456789")}
    others = [name for name in labels if name not in own.values()]
    left = [key for key in range(1, MOST_KEYS + 1) if key not in own]
    return own | dict(zip(left, others, strict=False))


class LabelKeys(QWidget):
    """Buttons 1 to 9 and a field; `chosen` brings a label as it is to stand in the table.

    `refused` brings what was typed and is no label.
    """

    chosen = Signal(str)
    refused = Signal(str)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: tuple[str, ...] = ()
        self._by_key: dict[int, str] = {}
        self._free = False
        self.buttons: list[QPushButton] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(4)
        self.field = LabelField(self)
        self.field.setObjectName("Label to give")
        self.field.setAccessibleName("Label to give")
        self.field.setClearButtonEnabled(True)
        self.field.returnPressed.connect(self._take_typed)
        self.field.left.connect(self.left)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE // 2)
        box.addLayout(self._grid)
        box.addWidget(self.field)

    def show_labels(self, labels: Sequence[str], *, free: bool) -> None:
        """Offer labels.

        Args:
            labels: Those that can be given; the first nine by a key.
            free: Another one may be typed too.
        """
        if (tuple(labels), free) == (self._labels, self._free):
            return
        self._labels, self._free = tuple(labels), free
        self._by_key = keys_of(self._labels)
        for old in self.buttons:
            old.hide()
            old.deleteLater()
        self.buttons = []
        for at, (key, name) in enumerate(sorted(self._by_key.items())):
            one = button("", name=self.tr("{0}: key {1}").format(name, key), tip=name)
            cut = one.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, LONGEST)
            one.setText(f"{key}  {cut}".replace("&", "&&"))
            one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            one.clicked.connect(lambda _, name=name: self.chosen.emit(name))
            self._grid.addWidget(one, at // ACROSS, at % ACROSS)
            self.buttons.append(one)
        completer = QCompleter(list(self._labels), self.field)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.field.setCompleter(completer)
        self.field.setPlaceholderText(
            self.tr("Type a label, then Enter") if self._labels or not free
            else self.tr("Type the label as it is to stand in the table, then Enter"))
        self.field.setToolTip(plain_tip(self.field.placeholderText()))

    def press(self, number: int) -> bool:
        """Choose the label of a number key; whether there is one."""
        if number not in self._by_key:
            return False
        self.chosen.emit(self._by_key[number])
        return True

    def begin(self, text: str) -> None:
        """Go on in the field with what was typed elsewhere."""
        self.field.setFocus()
        self.field.setText(text)
        completer = self.field.completer()
        if completer is not None and text:
            completer.setCompletionPrefix(text)
            completer.complete()

    def _take_typed(self) -> None:
        text = self.field.text().strip()
        if not text:
            return
        name = self._named(text)
        if name is None:
            self.refused.emit(text)
            return
        self.field.clear()
        self.left.emit()
        self.chosen.emit(name)

    def _named(self, text: str) -> str | None:
        """The label that is meant: itself, one in other letters, or the only one that begins so."""
        if text in self._labels:
            return text
        same = [name for name in self._labels if name.casefold() == text.casefold()]
        if len(same) == 1:
            return same[0]
        if self._free:
            return text
        begun = [name for name in self._labels if name.casefold().startswith(text.casefold())]
        return begun[0] if len(begun) == 1 else None
