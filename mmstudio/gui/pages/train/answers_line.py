"""The line under a run's progress: what its answers rest on, and whether its epochs were cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmstudio.gui.parts.cards import label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.training.shares import rests_on, rests_on_kinds

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory


class AnswersLine(QWidget):
    """The label `Answers rest on`; hidden while there is nothing to tell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__(parent)
        self.label = label("", "muted", wrap=True)
        self.label.setObjectName("Answers rest on")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.label)
        self.hide()

    def show_run(self, history: RunHistory | None) -> None:
        """Tell of a run as far as it is."""
        parts, tip = [], ""
        if history is not None and history.shortened is not None:
            shortened = history.shortened
            minutes = f"{shortened.minutes:.3g}"
            fit = (self.tr("{n} epoch fits into {m} minutes.") if shortened.epochs == 1
                   else self.tr("{n} epochs fit into {m} minutes."))
            parts.append(fit.format(n=shortened.epochs, m=minutes))
        if history is not None and history.started is not None and history.combined is not None:
            parts.append(rests_on(history.combined, history.started.inputs))
            tip = "\n".join(rests_on_kinds(history.combined))
        text = " ".join(part for part in parts if part)
        if text != self.label.text():
            self.label.setText(text)
            self.label.setAccessibleName(text)
        self.label.setToolTip(plain_tip(tip))
        self.setVisible(bool(text))
