"""All answers to one sample: a card per task, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmstudio.gui.pages.testing.answer_card import AnswerCard
from mmstudio.gui.parts.card_grid import scrolled
from mmstudio.gui.parts.cards import IconNote, label

if TYPE_CHECKING:
    from mmstudio.inference.prediction import Prediction


class AnswersColumn(QWidget):
    """The answers on the Test page; `painted` is sent when an answer is on the screen."""

    painted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it empty."""
        super().__init__(parent)
        self.cards: dict[str, AnswerCard] = {}
        self.explained = True
        """Whether cards tell what each input added: of a single one there is nothing to tell."""
        self.time_label = label("", "small", wrap=True)
        self.time_label.setObjectName("Answer time")
        self.time_label.setAccessibleName("Answer time")
        self.state = IconNote("mdi6.progress-clock", "accent", "small")
        self.state.label.setObjectName("Whose answers")
        inside = QWidget(self)
        self._stack = QVBoxLayout(inside)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.setSpacing(12)
        self._stack.addWidget(self.time_label)
        self._stack.addStretch(1)
        self._column = layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.state)
        layout.addWidget(scrolled(inside, self), 1)

    def show_above(self, widget: QWidget) -> None:
        """Have a widget stand between whose answers they are and the cards."""
        self._column.insertWidget(1, widget)

    def set_tasks(self, tasks: Mapping[str, str], separators: Mapping[str, str]) -> None:
        """Have a card for each task; the separators are those of tasks with several labels."""
        for task, card in self.cards.items():
            card.separator = separators.get(task, card.separator)
        if list(tasks) == list(self.cards):
            return
        for card in self.cards.values():
            self._stack.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = {}
        for task in tasks:
            card = AnswerCard(task, separators.get(task, ""))
            card.scores.painted.connect(self.painted)
            self.cards[task] = card
            self._stack.insertWidget(self._stack.count() - 2, card)

    def show_prediction(
        self, prediction: Prediction, truth: Mapping[str, str | None], elapsed_ms: int
    ) -> None:
        """Show the model's answers."""
        for task, card in self.cards.items():
            told = prediction.contributions.get(task) if self.explained else None
            card.show_answer(prediction.tasks.get(task), truth.get(task), told)
        text = self.tr("Answered in {ms} ms from {inputs}")
        self.time_label.setText(
            text.format(ms=max(1, elapsed_ms), inputs=", ".join(prediction.present))
        )

    def show_nothing(self, why: str) -> None:
        """Show no answer, and say why."""
        for card in self.cards.values():
            card.show_answer(None, None)
        self.time_label.setText(why)
