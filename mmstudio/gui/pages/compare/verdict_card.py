"""The answer to "does fusion help?", large, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import IconLabel, label

if TYPE_CHECKING:
    from mmstudio.comparison.ranking import Ranking

_ICONS = {
    "helps": ("mdi6.check-circle-outline", "good"),
    "unclear": ("mdi6.help-circle-outline", "warn"),
    "single": ("mdi6.equal", "accent"),
    "few": ("mdi6.help-circle-outline", "warn"),
    "open": ("mdi6.timer-sand", "muted"),
}


class VerdictCard(QFrame):
    """The sentence; hidden until there is one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("Verdict")
        self.setAccessibleName("Verdict")
        style.mark(self, "card")
        self._icon = IconLabel("mdi6.timer-sand", 32, "muted")
        self.sentence = label("", "verdict", wrap=True)
        self.ground = label("", "muted", wrap=True)
        self.together = label("", "muted", wrap=True)
        self.tied = label("", "muted", wrap=True)
        texts = QVBoxLayout()
        texts.setSpacing(4)
        for text in (self.sentence, self.ground, self.together, self.tied):
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            texts.addWidget(text)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 14, 16, 14)
        row.setSpacing(14)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        self.hide()

    def show_ranking(self, ranking: Ranking | None, going: bool) -> None:
        """Show the ranking's sentence; while runs are missing it is called preliminary."""
        from mmstudio.comparison.report import tied_sentence
        from mmstudio.training.looks import looks_sentence

        verdict = None if ranking is None else ranking.verdict
        self.setVisible(verdict is not None)
        if ranking is None or verdict is None:
            return
        so_far = not ranking.is_complete
        text = verdict.sentence
        if so_far and verdict.kind != "open":
            text = self.tr("After {0} of {1} trainings – {2}").format(
                ranking.done, ranking.total, text[:1].lower() + text[1:])
        self.sentence.setText(text)
        self.ground.setText(verdict.ground)
        self.together.setText(verdict.together)
        self.together.setVisible(bool(verdict.together))
        self.tied.setText(f"{tied_sentence(ranking)} {looks_sentence(ranking.looks)}".strip())
        self.tied.setVisible(not so_far)
        self.setAccessibleDescription(f"{text} {verdict.ground} {verdict.together}".strip())
        self._icon.show_icon(*_ICONS["open" if so_far and going else verdict.kind])
