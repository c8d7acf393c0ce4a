"""What a cross-validation found: each figure of all rows, with its interval and the folds' span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.forms import readable
from mmstudio.gui.parts.cards import label
from mmstudio.gui.state.folds_store import FoldsStore
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.evaluation.cross_validation.figures import FoldsFigure, FoldsShown


class FoldsCard(QFrame):
    """Hidden unless the selected runs are folds of one cross-validation."""

    def __init__(self, folds: FoldsStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("Cross-validation")
        self.setAccessibleName(self.tr("Cross-validation"))
        style.mark(self, "card")
        self.sentence = label("", "", wrap=True)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(28)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(4, 1)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 12, 16, 12)
        box.setSpacing(8)
        box.addWidget(self.sentence)
        box.addLayout(self._grid)
        folds.changed.connect(self.show_folds)
        self.show_folds(folds.shown)

    def show_folds(self, shown: FoldsShown | None) -> None:
        """Show a cross-validation; None hides the card."""
        self.setVisible(shown is not None)
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if shown is None:
            return
        if not shown.figures:
            self.sentence.setText(self.tr(
                "{0} · cross-validation of {1} folds: its figures appear once all are trained."
            ).format(shown.name, shown.folds))
            self.setAccessibleDescription(self.sentence.text())
            return
        self.sentence.setText(self.tr(
            "{0} · {1} rows, each answered by the one model of {2} that had not seen it").format(
                shown.name, f"{shown.rows:,}", shown.folds))
        titles = ("", self.tr("All rows"), self.tr("95 % interval"), self.tr("Folds"))
        said = [self.sentence.text()]
        for column, title in enumerate(titles):
            self._grid.addWidget(label(title, "small"), 0, column)
        for row, figure in enumerate(shown.figures, start=1):
            cells = self._cells(figure)
            for column, cell in enumerate(cells):
                self._grid.addWidget(label(cell, "" if column else "muted"), row, column)
            said.append(", ".join(f"{title} {cell}".strip()
                                  for title, cell in zip(titles, cells, strict=True)))
        self.setAccessibleDescription("\n".join(said))

    def _cells(self, figure: FoldsFigure) -> tuple[str, str, str, str]:
        metric = metric_named(figure.name)

        def span(ends: tuple[float, float] | None) -> str:
            if ends is None:
                return "–"
            return self.tr("{0} to {1}").format(metric.text(ends[0]), metric.text(ends[1]))

        return (f"{readable(figure.target)} · {metric.short}", metric.text(figure.value),
                span(figure.interval), span(figure.folds))
