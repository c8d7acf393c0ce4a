"""The navigation rail: one button per page, icon above name."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import IconLabel
from mmstudio.gui.plain_text import plain_tip

WIDTH = 88


class Rail(QFrame):
    """The pages' buttons. `chosen` brings the name of the page that was clicked."""

    chosen = Signal(str)

    def __init__(
        self, pages: Sequence[tuple[str, str, str, str]], parent: QWidget | None = None
    ) -> None:
        """Make one button per page: its name, its text, its icon, its tooltip."""
        super().__init__(parent)
        style.mark(self, "rail")
        self.setFixedWidth(WIDTH)
        self.setAccessibleName(self.tr("Pages"))
        box = QVBoxLayout(self)
        box.setContentsMargins(8, 16, 8, 16)
        box.setSpacing(6)
        logo = IconLabel("mdi6.vector-combine", 28, "accent")
        box.addWidget(logo, 0, Qt.AlignmentFlag.AlignHCenter)
        box.addSpacing(12)
        self._icons = {name: icon for name, _, icon, _ in pages}
        self._buttons: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        group.setExclusive(True)
        for name, text, _, tip in pages:
            button = self._make(name, text, tip)
            group.addButton(button)
            box.addWidget(button)
        self._group = group
        box.addStretch(1)
        style.changed.connect(self._tint)
        self._tint()

    def _make(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(plain_tip(tip))
        button.setAccessibleName(name)
        button.setObjectName(f"page {name}")
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(24, 24))
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setFixedHeight(60)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        style.mark(button, "nav")
        button.clicked.connect(lambda: self.chosen.emit(name))
        self._buttons[name] = button
        return button

    def button(self, name: str) -> QToolButton:
        """A page's button."""
        return self._buttons[name]

    def show_current(self, name: str) -> None:
        """Mark a page as the current one; none where the name is not a page's."""
        self._group.setExclusive(False)
        for key, button in self._buttons.items():
            button.setChecked(key == name)
        self._group.setExclusive(True)

    def set_available(self, available: bool) -> None:
        """Whether there is a project whose pages can be shown."""
        for button in self._buttons.values():
            button.setEnabled(available)

    def _tint(self) -> None:
        for name, button in self._buttons.items():
            button.setIcon(style.icon(self._icons[name], "muted", on="accent"))
