"""What the model says for one task: the winner, the truth where it is known, all scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.pages.testing.contribution_bars import ContributionBars
from mmstudio.gui.pages.testing.score_bars import ScoreList, percent
from mmstudio.gui.plain_text import PlainLabel, plain_tip
from mmstudio.tasks.kinds.label_set import split_cell
from mmstudio.tasks.kinds.number import number_in
from mmstudio.units import number_text

if TYPE_CHECKING:
    from mmstudio.inference.contributions import Contributions
    from mmstudio.tasks.base import Answer

LONGEST_TRUTH = 24
"""Characters of the truth that stand in full beside the task's name."""


class AnswerCard(QFrame):
    """The card of one task."""

    def __init__(self, task: str, separator: str = "", parent: QWidget | None = None) -> None:
        """Make the empty card of `task`; `separator` stands between the labels of a truth."""
        super().__init__(parent)
        self.task = task
        self.separator = separator
        self.setObjectName(f"Answer: {task}")
        self.setAccessibleName(f"Answer: {task}")
        style.mark(self, "card")
        self._title = style.mark(PlainLabel(task, self), "section")
        self.truth = style.mark(PlainLabel(self), "muted")
        self.truth.setObjectName(f"Truth: {task}")
        self.truth.setAccessibleName(f"Truth: {task}")
        self.winner = style.mark(PlainLabel(self), "figure")
        self.winner.setObjectName(f"Winner: {task}")
        self.winner.setAccessibleName(f"Winner: {task}")
        self.winner.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.share = style.mark(PlainLabel(self), "subtitle")
        self.scores = ScoreList(f"Prediction: {task}", self)
        self.contributions = ContributionBars(task, self)
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
        layout.addWidget(self.contributions)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.show_answer(None, None)

    def show_answer(
        self, answer: Answer | None, truth: str | None, told: Contributions | None = None
    ) -> None:
        """Show an answer with the truth where it is known, and why; None empties the card."""
        self.contributions.show_contributions(None if answer is None else told)
        self.truth.setText("")
        self.truth.setToolTip("")
        self.scores.setToolTip("")
        if answer is None:
            self._show_head("–", "")
            self.scores.show_scores({})
        elif answer.value is not None:
            self._show_number(answer, truth)
        elif answer.labels is not None:
            self._show_labels(answer, truth)
        else:
            self._show_label(answer, truth)

    def _show_label(self, answer: Answer, truth: str | None) -> None:
        label = answer.label or "–"
        score = answer.scores.get(label)
        self._show_head(label, "" if score is None else percent(score))
        self.scores.show_scores(answer.scores, () if truth is None else (truth,))
        if truth is not None:
            self._show_truth(truth, truth == label)

    def _show_labels(self, answer: Answer, truth: str | None) -> None:
        """Every label's score, with the threshold that the answered ones reach."""
        labels = answer.labels or ()
        threshold = answer.threshold
        share = "" if threshold is None else f"{100 * threshold:g} %"
        least = self.tr("threshold {0}").format(share) if share else ""
        self._show_head(", ".join(labels) or self.tr("No label"), least)
        right = None if truth is None else split_cell(truth, self.separator)
        self.scores.show_scores(answer.scores, right or (), threshold)
        if right is not None:
            words = ", ".join(right) or self.tr("no label")
            short = words if len(words) <= LONGEST_TRUTH else self.tr("{0} labels").format(
                len(right))
            self._show_truth(short, set(right) == set(labels))
            self.truth.setToolTip(plain_tip(words))

    def _show_number(self, answer: Answer, truth: str | None) -> None:
        """The number, how far such numbers are off as a rule, and how far this one is."""
        def with_unit(number: float, digits: int) -> str:
            return f"{number_text(number, digits)} {answer.unit}".strip()

        value, error = answer.value or 0.0, answer.usual_error
        number = with_unit(value, 4)
        self._show_head(number, "" if error is None else f"± {number_text(error, 2)}")
        rows = [(self.tr("Value"), number)]
        if error is not None:
            rows.append((self.tr("Usual error"), f"± {with_unit(error, 2)}"))
        right = None if truth is None else number_in(truth)
        if right is not None:
            off = abs(value - right)
            rows.append((self.tr("Truth"), with_unit(right, 6)))
            rows.append((self.tr("Off by"), with_unit(off, 2)))
            # a number is not right or wrong: only one that is as near as usual gets the sign
            near = error is not None and off <= error
            text = self.tr("Truth: {0} ✓") if near else self.tr("Truth: {0}")
            self.truth.setText(text.format(number_text(right, 6)))
            style.mark(self.truth, "good" if near else "warn")
        self.scores.show_figures(rows)
        hint = self.tr("The usual error is the mean absolute error on the validation rows.")
        self.scores.setToolTip(plain_tip(hint if error is not None else ""))

    def _show_head(self, answer: str, beside: str) -> None:
        self.winner.setText(answer)
        self.winner.setToolTip(plain_tip(answer))
        self.share.setText(beside)

    def _show_truth(self, truth: str, right: bool) -> None:
        sign = "✓" if right else "✗"
        self.truth.setText(self.tr("Truth: {label} {sign}").format(label=truth, sign=sign))
        style.mark(self.truth, "good" if right else "bad")

