"""How far a job is: a sentence, and a bar below it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from mmstudio.gui.plain_text import PlainLabel

_STEPS = 1000


class ProgressLine(QWidget):
    """The label `Progress` and the bar `Progress bar`; `line` has room beside the label."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = PlainLabel(self)
        self.label.setObjectName("Progress")
        self.label.setAccessibleName("Progress")
        self.bar = QProgressBar(self)
        self.bar.setObjectName("Progress bar")
        self.bar.setAccessibleName("Progress bar")
        self.bar.setTextVisible(False)
        self.bar.setRange(0, _STEPS)
        self.line = QHBoxLayout()
        self.line.addWidget(self.label, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self.line)
        column.addWidget(self.bar)

    def show_progress(self, sentence: str, share: float | None) -> None:
        """Say how far it is.

        Args:
            sentence: For people.
            share: 0 to 1; None where there is no figure yet, and the bar only says that something
                is going on.
        """
        self.label.setText(sentence)
        self.bar.setMaximum(_STEPS if share is not None else 0)
        self.bar.setValue(round((share or 0.0) * _STEPS))
