"""What a search has found: a sentence, and in which settings it differs from the project's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import IconLabel, button, label


class SearchVerdict(QFrame):
    """Hidden until there is a result; `use_asked` asks for the settings that were found."""

    use_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("Found")
        self.setAccessibleName(self.tr("What was found"))
        style.mark(self, "card")
        self._icon = IconLabel("mdi6.check-circle-outline", 32, "good")
        self.sentence = label("", "verdict", wrap=True)
        self.changes = label("", "muted", wrap=True)
        texts = QVBoxLayout()
        texts.setSpacing(4)
        for text in (self.sentence, self.changes):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            texts.addWidget(text)
        self.use_button = button(
            self.tr("Use these settings"), "mdi6.check", "primary",
            tip=self.tr("Make them the project's; its data stays"), name="Use these settings")
        self.use_button.clicked.connect(self.use_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 14, 16, 14)
        row.setSpacing(14)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        row.addWidget(self.use_button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_result(self, result: Mapping[str, Any] | None) -> None:
        """Show what was found; None hides it."""
        self.setVisible(result is not None)
        if result is None:
            return
        changes = [str(one) for one in result.get("changes", [])]
        self.sentence.setText(str(result.get("sentence", "")))
        self.changes.setText("\n".join(changes))
        self.changes.setVisible(bool(changes))
        self.use_button.setVisible(bool(changes))
        better = "mdi6.check-circle-outline" if changes else "mdi6.equal"
        self._icon.show_icon(better, "good" if changes else "accent")
        self.setAccessibleDescription(f"{result.get('sentence', '')} {'. '.join(changes)}")
