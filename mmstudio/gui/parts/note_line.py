"""A short message on the page itself: what happened, and what to do about it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.plain_text import PlainLabel

_ICONS = {
    "good": "mdi6.check-circle-outline",
    "warn": "mdi6.alert-outline",
    "bad": "mdi6.alert-circle-outline",
    "info": "mdi6.information-outline",
}


class NoteLine(QFrame):
    """Icon, message, remedy, some buttons and a cross; hidden until `show_note`."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """Make a hidden note called `name`."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name)
        style.mark(self, "raised")
        self._kind = "info"
        self._icon = PlainLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._message = style.mark(PlainLabel(self), "section")
        self._hint = style.mark(PlainLabel(self), "muted")
        for label in (self._message, self._hint):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(self._message)
        texts.addWidget(self._hint)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(style.SPACE)
        self._close = QToolButton(self)
        self._close.setAccessibleName(self.tr("Close this message"))
        self._close.setToolTip(self.tr("Close this message"))
        self._close.clicked.connect(self.hide)
        style.mark(self._close, "ghost")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 7, 8, 7)
        layout.setSpacing(12)
        layout.addWidget(self._icon)
        layout.addLayout(texts, 1)
        layout.addLayout(self._buttons)
        layout.addWidget(self._close)
        style.changed.connect(self._restyle)
        self._restyle()
        self.hide()

    @property
    def text(self) -> str:
        """Message and remedy as shown; empty while hidden."""
        if self.isHidden():
            return ""
        return f"{self._message.text()} {self._hint.text()}".strip()

    def add_button(self, button: QPushButton) -> None:
        """Add a button at the note's right side."""
        self._buttons.addWidget(button)

    def show_note(self, message: str, hint: str = "", kind: str = "info") -> None:
        """Show a message with its remedy; `kind` is good, warn, bad or info."""
        self._kind = kind
        self._message.setText(message)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self.setAccessibleDescription(f"{message} {hint}".strip())
        self.show()
        self._restyle()  # once it shows: the style sheet passes hidden widgets over

    def _restyle(self) -> None:
        style.mark(self, "banner" if self._kind == "bad" else "raised")
        colour = "accent" if self._kind == "info" else self._kind
        self._icon.setPixmap(style.pixmap(_ICONS[self._kind], 22, colour))
        self._close.setIcon(style.icon("mdi6.close", "muted"))
