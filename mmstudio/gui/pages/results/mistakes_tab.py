"""The tab Mistakes: what is mixed up with what, from which inputs, and the samples behind it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from mmstudio.evaluation.row_facts import Cell, RowFacts
from mmstudio.evaluation.scores import CLASSIFICATION, MULTILABEL, REGRESSION
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.matrix_strip import MatrixStrip
from mmstudio.gui.pages.results.number_plots import NumberPlots
from mmstudio.gui.pages.results.samples_card import SamplesCard
from mmstudio.gui.parts.cards import label
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.results import ResultsStore, Shown, has_matrices


class MistakesTab(QWidget):
    """Matrices above, the samples of the chosen cell below."""

    sample_asked = Signal(int)

    def __init__(
        self, jobs: JobRunner, results: ResultsStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._facts: RowFacts | None = None
        self.strip = MatrixStrip(self)
        self.strip.chosen.connect(self._choose)
        self.samples = SamplesCard(jobs, results.slot(), self)
        self.samples.sample_asked.connect(self.sample_asked)
        self._how = self.tr(
            "Rows are what is true, columns what was answered. Click a cell to list its samples; "
            "the head lists all. Double-click a sample to open it.")
        self.hint = label(self._how, "small")
        self.label_box = QComboBox(self)
        self.label_box.setAccessibleName("Label")
        self.label_box.setToolTip(self.tr("The label whose answers are counted"))
        guard_wheel(self.label_box)
        self.label_box.activated.connect(self._show_label)
        self.mixups_box = QComboBox(self)
        self.mixups_box.setAccessibleName("Largest mix-ups")
        self.mixups_box.setToolTip(self.tr("What is most often taken for what, from all inputs"))
        self.mixups_box.setMaximumWidth(300)
        guard_wheel(self.mixups_box)
        self.mixups_box.activated.connect(self._show_mixup)
        head = QHBoxLayout()
        head.addWidget(self.label_box)
        head.addWidget(self.hint, 1)
        head.addWidget(self.mixups_box)
        self.numbers = NumberPlots(results.slot(), self)
        self.numbers.chosen.connect(self._choose_place)
        self.top = QWidget(self)
        top = QVBoxLayout(self.top)
        top.setContentsMargins(0, style.SPACE, 0, 0)
        top.setSpacing(style.SPACE)
        top.addLayout(head)
        top.addWidget(self.strip, 1)
        top.addWidget(self.numbers, 1)
        parts = QSplitter(Qt.Orientation.Vertical, self)
        parts.setChildrenCollapsible(False)
        parts.addWidget(self.top)
        parts.addWidget(self.samples)
        parts.setStretchFactor(0, 5)
        parts.setStretchFactor(1, 6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(parts)

    def show_facts(self, shown: Shown, facts: RowFacts) -> None:
        """Show a target."""
        self._facts = facts
        kind = facts.task.kind
        self.label_box.setVisible(kind == MULTILABEL)
        self.label_box.clear()
        if kind == MULTILABEL:
            for name in facts.task.classes:
                self.label_box.addItem(name)
        self.strip.setVisible(kind != REGRESSION and has_matrices(facts))
        self.hint.setVisible(kind != REGRESSION)
        self.hint.setText(self._how if has_matrices(facts) else self.tr(
            "There are too many classes for matrices of them. What is most often taken for what "
            "is in the list."))
        self.numbers.setVisible(kind == REGRESSION)
        self._fill_mixups(facts)
        if kind == REGRESSION:
            self.numbers.show_facts(facts)
        else:
            self.strip.show_facts(facts)
            self.strip.show_cell(Cell())
        self.samples.show_facts(shown, facts)

    def _fill_mixups(self, facts: RowFacts) -> None:
        """List the cells beside the diagonal that hold most, for who can't see or hit them."""
        self.mixups_box.clear()
        self.mixups_box.addItem(self.tr("Largest mix-ups"), None)
        if facts.task.kind == CLASSIFICATION:
            for truth, answer, count in facts.mixups().tolist():
                text = self.tr("{truth} taken for {answer}: {count}").format(
                    truth=facts.task.labels[truth], answer=facts.task.classes[answer],
                    count=f"{count:,}")
                self.mixups_box.addItem(text, (truth, answer))
        self.mixups_box.setVisible(self.mixups_box.count() > 1)

    def _show_mixup(self, number: int) -> None:
        chosen = self.mixups_box.itemData(number)
        cell = Cell() if chosen is None else Cell(0, *chosen)
        self.strip.show_cell(cell)
        self._choose(cell)

    def _show_label(self, number: int) -> None:
        if self._facts is not None:
            self.strip.show_facts(self._facts, number)
            self._choose(Cell(label=number))
            self.strip.show_cell(Cell(label=number))

    def _choose_place(self, place: int) -> None:
        if not self.samples.select_place(place):
            self.samples.show_places(np.array([place]))

    def _choose(self, cell: Cell) -> None:
        self.samples.show_cell(cell)
