"""What people named is shown as it stands: Qt takes text that looks like HTML for HTML.

An ``<img>`` in a class's or a file's name would else be loaded from wherever it says, and freeze
the window or tell another machine of it.
"""

from __future__ import annotations

import html

from PySide6.QtGui import Qt  # the one of QtCore lacks mightBeRichText
from PySide6.QtWidgets import QLabel, QMessageBox, QWidget

LONGEST_TIP = 2000
"""Characters; Qt lays a tooltip out before it shows it, and a cell may be a whole book."""


class PlainLabel(QLabel):
    """A label that shows its text as it stands. All labels of the app are of this kind."""

    def __init__(self, text: str | QWidget | None = None, parent: QWidget | None = None) -> None:
        """A text, a parent, or both."""
        if isinstance(text, QWidget):
            text, parent = None, text
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if text:
            self.setText(text)


class MarkedLabel(PlainLabel):
    """A label with marks of our own, such as colours; names in it must be escaped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)


def plain_tip(text: str) -> str:
    """A tooltip that shows a text as it stands, for Qt knows no format of tooltips."""
    if len(text) > LONGEST_TIP:
        text = f"{text[:LONGEST_TIP]} …"
    if not Qt.mightBeRichText(text):
        return text
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>")


def plain_box(parent: QWidget) -> QMessageBox:
    """A message box that shows its texts as they stand."""
    box = QMessageBox(parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    return box
