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
        self.is_answering = False
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

    def work_out(
        self, work: Callable[[], Any], done: Callable[[Any], None],
        failed: Callable[[str, str], None], sentence: str, *, answer: bool,
    ) -> None:
        """Have a job work something out for which the model may have to answer rows.

        Args:
            work: As for a job; it yields progress.
            done: Takes the result.
            failed: Takes a message and a hint.
            sentence: How far it is, with ``{done}`` and ``{total}``.
            answer: Whether rows may be answered, which gives way to heavy work.
        """
        self.tell(self.tr("Working it out …"))
        self.is_answering = answer

        def tell_progress(steps: list[Any]) -> None:
            self.tell(sentence.format(
                done=f"{steps[-1].done:,}", total=f"{steps[-1].total:,}"))

        job = self._job.run(work, done, failed, tell_progress, low_priority=True)
        if answer:
            self.results.runs_beside(job)

    def tell(self, words: str) -> None:
        """Show a line of words, or none."""
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _fill_once(self) -> None:
        self._stale = False
        if self.shown is not None and self.facts is not None:
            self.fill(self.shown, self.facts)
