"""Where a sample comes from: the area to drop it on, and the buttons beside it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui.pages.testing.drop_area import DropArea
from mmstudio.gui.parts.cards import button


class DropRow(QWidget):
    """The area, and `choose_button`, `next_button` and `clear_button`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.area = DropArea(self)
        self.choose_button = button(
            self.tr("Choose files…"),
            tip=self.tr("Choose the sample's files"),
            name="Choose files…",
        )
        self.next_button = button(
            self.tr("Next test sample"),
            "mdi6.skip-next-outline",
            mark="primary",
            tip=self.tr("Show the next sample that the model has not learnt from (N)"),
            name="Next test sample",
        )
        self.clear_button = button(
            self.tr("Clear"), tip=self.tr("Take the whole sample away (Esc)"), name="Clear"
        )
        below = QHBoxLayout()
        below.setSpacing(6)
        below.addWidget(self.choose_button)
        below.addWidget(self.clear_button)
        buttons = QVBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.next_button)
        buttons.addLayout(below)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.area, 1)
        row.addLayout(buttons)
