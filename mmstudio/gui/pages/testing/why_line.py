"""The Test page's *Why*: switches the maps over the sample on, and says what turns the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.media.views.heat import colour_against, colour_for
from mmstudio.gui.pages.testing.answers_column import AnswersColumn
from mmstudio.gui.pages.testing.sample_cards import SampleCards
from mmstudio.gui.pages.testing.score_bars import LABEL
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.plain_text import MarkedLabel, plain_tip

if TYPE_CHECKING:
    from mmstudio.gui.state.explanation_store import ExplanationStore, Why
    from mmstudio.gui.state.predictor_store import PredictorStore
    from mmstudio.inference.prediction import Prediction

LEAST_UNSEEN = 0.05
"""Of an answer; what a map misses is told from here on."""
MOST_PIECES = 4
"""Hidden pieces that are named."""


class WhyLine(QWidget):
    """A toggle, what the colours mean, and what turns the answer when it is gone.

    While it is on, every answer is explained as soon as it is there. A click on a bar, or Enter,
    explains that label. `similar_asked` when somebody wants to see the nearest samples.
    """

    similar_asked = Signal()

    def __init__(
        self, testing: PredictorStore, explaining: ExplanationStore, board: SampleCards,
        answers: AnswersColumn, parent: QWidget | None = None,
    ) -> None:
        """Make it off; `board` shows the sample and `answers` the answers to it."""
        super().__init__(parent)
        self._testing, self._explaining = testing, explaining
        self._board, self._answers = board, answers
        self._prediction: Prediction | None = None
        self._task: str | None = None
        self._label: str | None = None
        self.button = style.mark(QToolButton(self), "toggle")
        self.button.setText(self.tr("Why"))
        self.button.setObjectName("Why")
        self.button.setAccessibleName(self.tr("Why"))
        self.button.setCheckable(True)
        self.button.setToolTip(plain_tip(self.tr(
            "Show in the sample what the answer rests on: where in the picture, which words, which "
            "moments.\nClick a bar below to ask about another answer.")))
        self.legend = style.mark(MarkedLabel(self), "small")
        self.words = label("", "small", wrap=True)
        self.words.setObjectName("Why words")
        self.words.setAccessibleName(self.tr("What changes the answer"))
        self.similar_button = button(
            self.tr("Nearest samples in the data"), mark="link", name="Nearest samples in the data",
            tip=self.tr("What the model has learned from, or is tested on, that is most like it"))
        self.similar_button.clicked.connect(self.similar_asked)
        self._has_similar = False
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.button)
        top.addWidget(self.legend)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.words)
        layout.addWidget(self.similar_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._connect()
        self._restyle()
        self._show_nothing()
        self.similar_button.hide()

    def _connect(self) -> None:
        self.button.toggled.connect(self._toggled)
        self._board.changed.connect(self._sample_changed)
        self._testing.predicted.connect(self._answered)
        self._testing.failed.connect(self._sample_changed)
        self._explaining.found.connect(self._show)
        self._explaining.failed.connect(self._failed)
        style.changed.connect(self._restyle)

    def watch_cards(self) -> None:
        """Hear of clicks on the bars; the cards are new where the tasks are."""
        self._forget()
        self._task = self._label = None
        for task, card in self._answers.cards.items():
            if not card.scores.property("explained"):
                card.scores.setProperty("explained", True)
                card.scores.clicked.connect(lambda at, task=task: self._choose(task, at))
                card.scores.activated.connect(lambda at, task=task: self._choose(task, at))

    def offer_similar(self, possible: bool) -> None:
        """Whether the model can tell what is near: only one that was trained with alignment."""
        self._has_similar = possible
        self.similar_button.setVisible(possible and self.button.isChecked())

    # What is asked -------------------------------------------------------------------------

    def _toggled(self, on: bool) -> None:
        self._task = self._label = None
        self._explaining.leave_off()
        self._show_nothing()
        self.similar_button.setVisible(on and self._has_similar)
        if on:
            self._ask()

    def _sample_changed(self, *_: object) -> None:
        """What was known is of another sample."""
        self._forget()
        self._label = None

    def _forget(self) -> None:
        self._prediction = None
        self._explaining.leave_off()
        self._show_nothing()

    def _answered(self, prediction: Prediction) -> None:
        values = self._board.values()
        if not any(values[name] is not None for name in self._board.used()):
            return  # the sample was cleared while the model was at it
        self._prediction = prediction if prediction.present else None
        if self.button.isChecked():
            self._ask()

    def _choose(self, task: str, at: QModelIndex) -> None:
        if self.button.isChecked() and self._prediction is not None:
            answer = self._prediction.tasks.get(task)
            is_number = answer is None or answer.value is not None
            self._task, self._label = task, None if is_number else str(at.data(LABEL))
            self._ask()

    def _ask(self) -> None:
        prediction = self._prediction
        if prediction is None:
            self._show_nothing()
            return
        task = self._task if self._task in prediction.tasks else next(iter(prediction.tasks))
        self._say(self.tr("Looking …"))
        used = self._board.used() & set(prediction.present)
        self._explaining.ask(self._board.values(), used, task, self._label)

    # What is shown -------------------------------------------------------------------------

    def _show_nothing(self) -> None:
        for card in self._board.cards.values():
            card.show_why(None, ())
        on = self.button.isChecked()
        self.legend.setVisible(on)
        self._say(self.tr("The reasons appear here once there is an answer.") if on else "")

    def _show(self, why: Why) -> None:
        if not self.button.isChecked() or self._prediction is None:
            return
        found = why.explanation
        for name, card in self._board.cards.items():
            one = found.inputs.get(name)
            card.show_why(why.marks.get(name), () if one is None else one.shown.spots,
                          one is not None and bool(one.unit))
        of = found.task if found.label is None else found.label
        lines = [self.tr("What speaks for “{0}”").format(of)]
        lines += [self.tr("The map of {0} does not explain {1} of the answer.").format(
            name, f"{100 * one.unseen:.0f} %") for name, one in found.inputs.items()
            if one.unseen >= LEAST_UNSEEN]
        if found.tried:
            lines += [self._turn_words(turn) for turn in found.turns] or [
                self.tr("No part was found whose removal changes this answer.")]
        elif self._explaining.busy:
            lines.append(self.tr("Looking for what changes it …"))
        self._say("\n".join(lines))

    def _turn_words(self, turn: Any) -> str:
        if not turn.pieces:
            shown = self.tr(" and ").join(turn.inputs)
        elif len(turn.pieces) > MOST_PIECES:
            shown = self.tr("{0} places of {1}").format(len(turn.pieces), turn.inputs[0])
        else:
            shown = self.tr("“{0}” of {1}").format(", ".join(turn.pieces), turn.inputs[0])
        return self.tr("Without {0}: “{1}”").format(shown, turn.after.words())

    def _failed(self, message: str, hint: str) -> None:
        self._say(f"{message} {hint}".strip())

    def _say(self, text: str) -> None:
        self.words.setText(text)
        self.words.setVisible(bool(text))

    def _restyle(self) -> None:
        """The legend in the colours of the scheme."""
        pairs = ((colour_for(), self.tr("speaks for it")),
                 (colour_against(), self.tr("against it")))
        self.legend.setText("&nbsp;&nbsp;".join(
            f"<span style='color:{colour.name()}'>■</span> {words}" for colour, words in pairs))
        self.legend.setAccessibleName(self.tr("Orange speaks for it, blue against it"))
