"""What each input added to one answer: a heading in plain words and small signed bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmstudio.gui.parts.bar_list import BarRow
from mmstudio.gui.parts.cards import ElidedLabel
from mmstudio.gui.parts.signed_bars import SignedBars
from mmstudio.gui.plain_text import plain_tip
from mmstudio.units import signed

if TYPE_CHECKING:
    from mmstudio.inference.contributions import Contributions


class ContributionBars(QWidget):
    """Stands below an answer; hidden while there is nothing to tell."""

    def __init__(self, task: str, parent: QWidget | None = None) -> None:
        """Make the hidden bars of `task`."""
        super().__init__(parent)
        self._heading = ElidedLabel("", "muted")
        self.bars = SignedBars(f"Contributions: {task}", self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 2)
        layout.setSpacing(2)
        layout.addWidget(self._heading)
        layout.addWidget(self.bars)
        self.hide()

    def show_contributions(self, told: Contributions | None) -> None:
        """Show what each input added, the largest first."""
        if told is None or not told.inputs:
            self.hide()
            self.bars.show_rows([])
            return
        ordered = sorted(told.inputs.items(), key=lambda pair: -abs(pair[1]))
        if told.of:
            heading = self.tr("What spoke for “{label}”, and against it")
            self._heading.set_text(heading.format(label=", ".join(told.of)))
            why = self.tr(
                "Log-odds: +0.7 doubles the odds of the answer, −0.7 halves them.\n"
                "Together they lead from what the model says without any input to this answer."
            )
            rows = [BarRow(name, value, signed(value)) for name, value in ordered]
        else:
            self._heading.set_text(self.tr("What each input added to the number"))
            why = self.tr(
                "Together they lead from what the model says without any input to this number."
            )
            rows = [BarRow(name, value, self._amount(value, told)) for name, value in ordered]
        self.bars.show_rows(rows)
        self.bars.setToolTip(plain_tip(why))
        self.show()

    def _amount(self, value: float, told: Contributions) -> str:
        """With as many digits as tell the inputs apart, and the unit."""
        largest = max(abs(v) for v in told.inputs.values())
        digits = 0 if largest >= 100 else 1 if largest >= 1 else 3
        return f"{signed(value, digits)} {told.unit}".strip()
