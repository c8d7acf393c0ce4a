"""The dialog for a run's tags and note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.parts.cards import label

if TYPE_CHECKING:
    from mmstudio.training.run_summary import RunSummary

MOST_KNOWN = 12
"""Of the tags of other runs, so many are named."""


class NotesDialog(QDialog):
    """Tags, separated by commas, and a text; `written` carries the run's new notes."""

    written = Signal(object)

    def __init__(self, run: RunSummary, known: Sequence[str], parent: QWidget) -> None:
        """Show what is noted about the run; `known` are the tags of all runs."""
        super().__init__(parent)
        self._notes = run.notes
        self.setWindowTitle(self.tr("Notes on {0}").format(run.name))
        self.tags = QLineEdit(", ".join(run.notes.tags))
        self.tags.setAccessibleName("Tags")
        self.tags.setPlaceholderText(self.tr("baseline, for the paper"))
        self.text = QPlainTextEdit(run.notes.text)
        self.text.setAccessibleName("Note")
        self.text.setTabChangesFocus(True)
        box = QVBoxLayout(self)
        box.setSpacing(style.SPACE)
        box.addWidget(label(self.tr("Tags, separated by commas"), "muted"))
        box.addWidget(self.tags)
        if known:
            box.addWidget(label(
                self.tr("In use: {0}").format(", ".join(known[:MOST_KNOWN])), "small", wrap=True))
        box.addWidget(label(self.tr("Note"), "muted"))
        box.addWidget(self.text, 1)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        box.addWidget(buttons)
        self.finished.connect(self._on_finished)

    def sizeHint(self) -> QSize:
        """Room for some lines."""
        return QSize(480, 320)

    def _on_finished(self, result: int) -> None:
        if result == QDialog.DialogCode.Accepted:
            from mmstudio.training.run_notes import tags_of

            notes = replace(self._notes, tags=tags_of(self.tags.text().split(",")),
                            text=self.text.toPlainText().strip())
            if notes != self._notes:
                self.written.emit(notes)
        self.deleteLater()
