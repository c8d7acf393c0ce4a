"""A number's answers: against what is true, and how far they are off; a point is a sample."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.gui.plots.xy_plot import XYPlot
from mmstudio.gui.state.job_slot import JobSlot

MOST_DRAWN = 5000
"""Points; more can't be told from each other."""


class NumberPlots(QWidget):
    """`chosen` brings the place, in the scores, of the point that was clicked."""

    chosen = Signal(int)

    def __init__(self, slot: JobSlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slot = slot
        self._members = np.zeros(0, np.int64)
        self.against = XYPlot("Answers against truth", self.tr("Answers against truth"), self)
        self.errors = XYPlot("Residuals", self.tr("Too high, too low"), self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        for plot in (self.against, self.errors):
            plot.point_clicked.connect(lambda number: self.chosen.emit(
                int(self._members[number])))
            row.addWidget(plot, 1)

    def show_facts(self, facts: RowFacts) -> None:
        """Draw a target's answers."""
        self._members = np.zeros(0, np.int64)
        for plot in (self.against, self.errors):
            plot.empty()  # another target's or run's

        def work() -> tuple[np.ndarray, np.ndarray]:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            from mmstudio.evaluation.map_points import drawn

            known = np.flatnonzero(facts.task.known & facts.scores.counted(0))
            return known[drawn(len(known), MOST_DRAWN)], facts.answers(0)

        self._slot.run(work, lambda found: self._draw(facts, *found))

    def _draw(self, facts: RowFacts, members: np.ndarray, answers: np.ndarray) -> None:
        self._members = members
        task = facts.task
        truth, answer = task.values[members], answers[members]
        if not len(members):
            return
        every = [("samples", np.arange(len(members)), 0)]
        unit = f" ({task.unit})" if task.unit else ""
        low, high = float(min(truth.min(), answer.min())), float(max(truth.max(), answer.max()))
        self.against.set_axes(self.tr("True") + unit, self.tr("Answer") + unit)
        self.against.set_line("equal", np.array([low, high]), np.array([low, high]), "faint",
                              dashed=True)
        self.against.set_points(every, truth, answer)
        error = answer - truth
        self.errors.set_axes(self.tr("True") + unit, self.tr("Answer less truth") + unit)
        self.errors.set_line("zero", np.array([truth.min(), truth.max()]), np.zeros(2), "faint",
                             dashed=True)
        self.errors.set_points(every, truth, error, size=5)
        off = self.tr("half of the answers are off by {half:.3g} or less{unit}").format(
            half=float(np.median(np.abs(error))), unit=unit)
        self.against.show_words(off, self.tr("True from {low:.3g} to {high:.3g}.").format(
            low=float(truth.min()), high=float(truth.max())))
        self.errors.show_words(self.tr("mean {mean:+.3g}{unit}").format(
            mean=float(error.mean()), unit=unit), off)
