"""The box that a sample's text is typed into; it shows which words counted."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QMimeData, Signal
from PySide6.QtGui import QHelpEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QToolTip, QWidget

from mmstudio.gui import style
from mmstudio.gui.media.views.heat import ground_of, largest_of, strongest, weight_words
from mmstudio.gui.parts.dropped import dropped_from
from mmstudio.gui.plain_text import plain_tip
from mmstudio.modalities.pieces import Spot


class TextBox(QPlainTextEdit):
    """A text box that leaves files and pictures to the page and types only text itself."""

    dropped_content = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__(parent)
        self._spots: tuple[Spot, ...] = ()
        self._in_units = True
        self.setTabChangesFocus(True)
        self.setAcceptDrops(False)
        style.changed.connect(self._paint_weights)

    def show_weights(self, spots: Sequence[Spot], in_units: bool = True) -> None:
        """Mark the words that counted, by colours, tips and words for a screen reader.

        Args:
            spots: The words, each with where it begins and ends; none takes the marks away.
            in_units: Their weights have a unit; else they are told as shares of the strongest.
        """
        self._spots, self._in_units = tuple(spots), in_units
        self._paint_weights()
        told = strongest(spots, in_units, 5)
        self.setAccessibleDescription(
            self.tr("Counted the most: {0}").format(told) if told else "")

    def _paint_weights(self) -> None:
        largest, marked = largest_of(self._spots), []
        for spot in self._spots:
            ground = ground_of(spot.weight / largest)
            if ground is None:
                continue
            one = QTextEdit.ExtraSelection()
            form = QTextCharFormat()
            form.setBackground(ground)
            begin, end = self._places(spot)
            cursor = QTextCursor(self.document())
            cursor.setPosition(begin)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            one.format, one.cursor = form, cursor
            marked.append(one)
        self.setExtraSelections(marked)

    def _places(self, spot: Spot) -> tuple[int, int]:
        """Where a word begins and ends in the document, which counts in halves of UTF-16."""
        text = self.toPlainText()
        before = len(text) - len(text.lstrip())  # the model's text has no blanks around it
        last = self.document().characterCount() - 1
        begin, end = (min(last, len(text[: before + spot.where[key]].encode("utf-16-le")) // 2)
                      for key in ("begin", "end"))
        return begin, end

    def viewportEvent(self, event: QEvent) -> bool:
        """Say over a word how much it counted."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._spots:
            at = self.cursorForPosition(event.pos()).position()
            largest = largest_of(self._spots)
            for spot in self._spots:
                begin, end = self._places(spot)
                if begin <= at <= end:
                    words = weight_words(spot.weight, largest, self._in_units)
                    QToolTip.showText(event.globalPos(), plain_tip(f"{spot.name} {words}"), self)
                    return True
            QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Files and pictures can be pasted too: the page finds their input."""
        return super().canInsertFromMimeData(source) or source.hasUrls() or source.hasImage()

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Type text; hand anything else to the page."""
        found = dropped_from(source)
        if found.text:
            super().insertFromMimeData(source)
        else:
            self.dropped_content.emit(found)
