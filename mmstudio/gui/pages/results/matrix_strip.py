"""The confusion matrices of all subsets of the inputs, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QWidget

from mmstudio.evaluation.row_facts import Cell, RowFacts
from mmstudio.gui import style
from mmstudio.gui.pages.results.matrix_view import MatrixView
from mmstudio.gui.state.results import has_matrices, subsets_in_order
from mmstudio.tasks import LABEL_SET


class MatrixStrip(QScrollArea):
    """All inputs first, then by size; `chosen` brings the cell whose samples are asked for."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setObjectName("Confusion matrices")
        self.setAccessibleName("Confusion matrices")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        self._row = QHBoxLayout(inside)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(3 * style.SPACE)
        self._row.addStretch(1)
        self.setWidget(inside)
        self._facts: RowFacts | None = None
        self._label = 0
        self.views: list[MatrixView] = []
        self._subsets: list[int] = []

    def sizeHint(self) -> QSize:
        """Qt's."""
        return QSize(400, 280)

    def show_facts(self, facts: RowFacts, label: int = 0) -> None:
        """Show a target's matrices; none where they would be too large.

        Args:
            facts: Of the target.
            label: Of label sets, whose matrices; otherwise nothing.
        """
        for view in self.views:
            self._row.removeWidget(view)
            view.hide()
            view.deleteLater()
        self._facts, self._label = facts, label
        self._subsets = subsets_in_order(facts) if has_matrices(facts) else []
        self.views = []
        for place, at in enumerate(self._subsets):
            view = MatrixView(self._title(at), self)
            self._fill(view, at)
            view.cell_chosen.connect(
                lambda row, column, at=at: self._choose(at, row, column))
            self._row.insertWidget(place, view)
            self.views.append(view)
        self.horizontalScrollBar().setValue(0)

    def show_cell(self, cell: Cell) -> None:
        """Frame the cell whose samples are on show."""
        wanted = (-1 if cell.truth is None else cell.truth,
                  -1 if cell.answer is None else cell.answer)
        for view, at in zip(self.views, self._subsets, strict=True):
            view.mark_chosen(wanted if at == cell.at else None)

    def _fill(self, view: MatrixView, at: int) -> None:
        facts = self._facts
        if facts is None:
            return
        counts = facts.confusion(at, self._label)
        total = int(counts.sum())
        right = 100 * int(np.trace(counts)) / max(1, total)
        figure = self.tr("{right:.1f} % of {total} right").format(
            right=right, total=f"{total:,}")
        task = facts.task
        if task.kind == LABEL_SET.task:
            names: Sequence[str] = (self.tr("no"), self.tr("yes"))
            view.show_counts(counts, names, names, figure)
        else:
            view.show_counts(counts, task.labels, task.classes, figure)

    def _title(self, at: int) -> str:
        return subset_title(self, self._facts, at)

    def _choose(self, at: int, row: int, column: int) -> None:
        every = row < 0
        cell = Cell(at, None if every else row, None if every else column, self._label)
        self.show_cell(cell)
        self.chosen.emit(cell)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: the matrices take the height that is there."""
        super().resizeEvent(event)
        for view in self.views:
            view.updateGeometry()


def subset_title(asker: QWidget, facts: RowFacts | None, at: int) -> str:
    """A subset's name for people."""
    if facts is None:
        return ""
    names = facts.scores.subset(at)
    if at == 0 and len(names) > 1:
        return asker.tr("All inputs")
    if len(names) == 1 and len(facts.scores.inputs) > 1:
        return asker.tr("{input} alone").format(input=names[0])
    return " + ".join(names)
