"""What all tabs of the Results page share: their figures are worked out when they are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.gui import style
from mmstudio.gui.parts.cards import label
from mmstudio.gui.state.results import ResultsStore, Shown


class LazyTab(QWidget):
    """A tab with a line of words on top; those who inherit it say what `fill` does."""

    def __init__(self, results: ResultsStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.results = results
        self.shown: Shown | None = None
        self.facts: RowFacts | None = None
        self._stale = False
        self._job = results.slot()
        self.note = label("", "muted", wrap=True)
        self.note.hide()
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(0, style.SPACE, 0, 0)
        self.body.setSpacing(style.SPACE)
        self.body.addWidget(self.note)

    def show_facts(self, shown: Shown, facts: RowFacts) -> None:
        """Show a target, as soon as the tab is seen."""
        self._job.cancel()
        self.shown, self.facts = shown, facts
        self._stale = True
        if self.isVisible():
            self._fill_once()

    @property
    def is_working(self) -> bool:
        """Whether its figures are being worked out."""
        return self._job.busy

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's."""
        super().showEvent(event)
        if self._stale:
            self._fill_once()

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Work out and show what the tab is for."""
        raise NotImplementedError

    def ask(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Have a job work something out; words stand in its place meanwhile."""
        self.tell(self.tr("Working it out …"))

        def take(found: Any) -> None:
            self.tell("")
            done(found)

        self._job.run(work, take, lambda message, hint: self.tell(f"{message} {hint}".strip()))

    def tell(self, words: str) -> None:
        """Show a line of words, or none."""
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _fill_once(self) -> None:
        self._stale = False
        if self.shown is not None and self.facts is not None:
            self.fill(self.shown, self.facts)
