"""A line above the page that says what went wrong and what helps."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import IconLabel, label


class Banner(QFrame):
    """Shows one problem at a time until it is dismissed or replaced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        style.mark(self, "banner")
        self.setAccessibleName(self.tr("Problem"))
        self.setObjectName("Problem")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 8, 10)
        row.setSpacing(12)
        icon = IconLabel("mdi6.alert-circle-outline", 22, "bad")
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        self.message = label("", "section", wrap=True)
        self.hint = label("", wrap=True)
        for text in (self.message, self.hint):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.addWidget(text)
        row.addLayout(words, 1)
        self._close = QToolButton()
        self._close.setAccessibleName(self.tr("Dismiss"))
        self._close.setObjectName("Dismiss")
        self._close.setToolTip(self.tr("Dismiss (Esc)"))
        self._close.clicked.connect(self.hide)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        style.changed.connect(self._tint)
        self._tint()
        self.hide()

    def show_problem(self, message: str, hint: str = "") -> None:
        """Show a problem with its remedy."""
        self.message.setText(message)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self.setAccessibleDescription(f"{message} {hint}".strip())
        self.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape dismisses it."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _tint(self) -> None:
        self._close.setIcon(style.icon("mdi6.close", "text"))
