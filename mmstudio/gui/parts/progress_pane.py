"""What stands where a page's content will be, while that is worked out: how far it is, and Stop."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import button
from mmstudio.gui.parts.progress_line import ProgressLine


class ProgressPane(QWidget):
    """A progress line with a button beside it; `stopped` is sent when that is clicked.

    Args:
        name: Of the progress, for a screen reader and for tests.
        stop_name: Of the button likewise.
        tip: What stopping means.
        parent: As Qt has it.
    """

    stopped = Signal()

    def __init__(
        self, name: str, stop_name: str, tip: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.line = ProgressLine(self)
        self.line.label.setAccessibleName(name)
        self.line.label.setObjectName(name)
        self.stop_button = button(self.tr("Stop"), "mdi6.stop", name=stop_name, tip=tip)
        self.stop_button.clicked.connect(self.stopped)
        row = QHBoxLayout()
        row.setSpacing(2 * style.SPACE)
        row.addWidget(self.line, 1)
        row.addWidget(self.stop_button)
        column = QVBoxLayout(self)
        column.addStretch(1)
        column.addLayout(row)
        column.addStretch(2)
