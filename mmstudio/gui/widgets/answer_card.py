"""What the model says for one task: the winner, the truth where it is known, all scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.widgets.score_bars import ScoreList, percent

if TYPE_CHECKING:
    from mmstudio.inference.predictor import Answer


class AnswerCard(QFrame):
    """The card of one task."""

    def __init__(self, task: str, parent: QWidget | None = None) -> None:
        """Make the empty card of `task`."""
        super().__init__(parent)
        self.task = task
        self.setObjectName(f"Answer: {task}")
        self.setAccessibleName(f"Answer: {task}")
        style.mark(self, "card")
        self._answer: Answer | None = None
        self._truth: str | None = None
        self._title = style.mark(QLabel(task, self), "section")
        self.truth = style.mark(QLabel(self), "muted")
        self.truth.setObjectName(f"Truth: {task}")
        self.truth.setAccessibleName(f"Truth: {task}")
        self.winner = style.mark(QLabel(self), "figure")
        self.winner.setObjectName(f"Winner: {task}")
        self.winner.setAccessibleName(f"Winner: {task}")
        self.winner.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.share = style.mark(QLabel(self), "subtitle")
        self.scores = ScoreList(f"Prediction: {task}", self)
        top = QHBoxLayout()
        top.addWidget(self._title)
        top.addStretch(1)
        top.addWidget(self.truth)
        middle = QHBoxLayout()
        middle.addWidget(self.winner, 1)
        middle.addWidget(self.share)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(middle)
        layout.addWidget(self.scores, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.show_answer(None, None)

    def show_answer(self, answer: Answer | None, truth: str | None) -> None:
        """Show an answer with the truth where it is known; None empties the card."""
        self._answer = answer
        self._truth = truth
        if answer is None:
            self.winner.setText("–")
            self.share.setText("")
            self.scores.show_scores({})
            self._show_truth(None)
            return
        label = answer.label
        if label is None:
            label = "–" if answer.value is None else f"{answer.value:.4g}"
        self.winner.setText(label)
        self.winner.setToolTip(label)
        score = answer.scores.get(label)
        self.share.setText("" if score is None else percent(score))
        self.scores.show_scores(answer.scores, truth)
        self._show_truth(label)

    def _show_truth(self, label: str | None) -> None:
        if self._truth is None or label is None:
            self.truth.setText("")
            return
        right = self._truth == label
        sign = "✓" if right else "✗"
        self.truth.setText(self.tr("Truth: {label} {sign}").format(label=self._truth, sign=sign))
        style.mark(self.truth, "good" if right else "bad")
