"""The trials of a search: their figures one after another, what matters, their settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.gui.pages.search.parallel_plot import ParallelPlot
from mmstudio.gui.parts.bar_list import BarList, BarRow
from mmstudio.gui.parts.cards import Card, label
from mmstudio.gui.parts.figures_table import Figure, FiguresTable, count
from mmstudio.gui.plots.xy_plot import XYPlot
from mmstudio.units import duration_text

if TYPE_CHECKING:
    from mmstudio.search.progress import TrialLine
    from mmstudio.search.space import Dimension


MOST_TICKS = 10
"""Of the axis of trials."""


class TrialsCard(QWidget):
    """Three pictures and a table of the same trials."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._space: list[Dimension] = []
        self.course = XYPlot("Figure by trial", self.tr("Figure by trial"))
        self.importance = BarList("What matters", longest_name=0.5)
        matters = Card(self.tr("What matters"))
        self._none = label(self.tr("Known after five trials."), "small", wrap=True)
        matters.body.addWidget(self._none)
        matters.body.addWidget(self.importance)
        matters.body.addStretch(1)
        self.parallel = ParallelPlot()
        lines = Card(self.tr("Settings of all trials"))
        self._pointed = label("", "small", wrap=True)
        lines.heading.addWidget(self._pointed)
        lines.body.addWidget(self.parallel, 1)
        self.table = FiguresTable("Trials", row_height=28)
        above = QHBoxLayout()
        above.setSpacing(12)
        above.addWidget(self.course, 3)
        above.addWidget(matters, 2)
        below = QHBoxLayout()
        below.setSpacing(12)
        below.addWidget(lines, 3)
        below.addWidget(self.table, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(above, 1)
        column.addLayout(below, 1)
        self._trials: dict[int, TrialLine] = {}
        self.parallel.pointed.connect(self._point_at)
        self.table.selectionModel().currentRowChanged.connect(
            lambda now, _: self._choose(now.row()))

    def show_trials(
        self, space: Sequence[Dimension], trials: Sequence[TrialLine],
        importance: Mapping[str, float],
    ) -> None:
        """Show the trials of a search, the one under way included."""
        self._space = list(space)
        self._trials = {trial.number: trial for trial in trials}
        self._show_course(trials)
        self.parallel.show_trials(space, trials)
        titles = {d.key: d.title for d in space}
        ordered = sorted(importance.items(), key=lambda pair: -pair[1])
        self.importance.show_rows([
            BarRow(titles.get(key, key), value, f"{100 * value:.0f} %") for key, value in ordered])
        self._none.setVisible(not ordered)
        self._show_table(trials)

    def _show_course(self, trials: Sequence[TrialLine]) -> None:
        from mmstudio.search.progress import best_so_far

        known = [t for t in trials if not math.isnan(t.figure)]
        if not known:
            self.course.show_words(self.tr("appears with the first trial"))
            return
        x, y = (np.array(values, float) for values in
                ([t.number for t in known], [t.figure for t in known]))
        ended = np.array([t.state == "done" for t in known])
        best = best_so_far(trials)
        self.course.set_axes(self.tr("trial"), "")
        self.course.set_line("best", np.array([n for n, _ in best], float),
                             np.array([f for _, f in best]), "accent")
        self.course.set_points(
            [(self.tr("to its end"), np.flatnonzero(ended), "accent"),
             (self.tr("given up early"), np.flatnonzero(~ended), "faint")], x, y, size=7)
        self.course.show_legend([(self.tr("to its end"), "accent"),
                                 (self.tr("given up early"), "faint")])
        self.course.plot.getAxis("bottom").setTickSpacing(
            levels=[(max(1, len(known) // MOST_TICKS), 0)])  # there is no trial 0.5
        self.course.show_words(self.tr("best {0:.3f}, of short trainings that answer with the "
                                       "network alone").format(best[-1][1]))

    def _show_table(self, trials: Sequence[TrialLine]) -> None:
        from mmstudio.search.progress import value_text

        heads = [self.tr("Trial"), self.tr("Figure"), self.tr("Time"), self.tr("Ended"),
                 *[d.title for d in self._space]]
        ends = {"done": "", "pruned": self.tr("early"), "failed": self.tr("failed"),
                "running": self.tr("running")}
        self._order = [t.number for t in sorted(
            trials, key=lambda t: (math.isnan(t.figure), -t.figure if t.figure == t.figure else 0))]
        rows = []
        for number in self._order:
            trial = self._trials[number]
            first = Figure(self.tr("yours"), -1.0) if number == 0 else count(number)
            figure = Figure("—") if math.isnan(trial.figure) else (
                Figure(f"{trial.figure:.3f}", trial.figure))
            seconds = Figure("—") if math.isnan(trial.seconds) else (
                Figure(duration_text(trial.seconds), trial.seconds))
            values = [trial.values.get(d.key) for d in self._space]
            rows.append([first, figure, seconds, Figure(ends.get(trial.state, trial.state)),
                         *[Figure(value_text(v), float(v) if isinstance(v, int | float)
                                  and not isinstance(v, bool) else math.nan) for v in values]])
        self.table.show_rows(heads, rows, [
            "", self.tr("The mean of the targets' main figures on the validation rows")])

    def _choose(self, position: int) -> None:
        row = self.table.figures.source_row(position)
        if row >= 0:
            self._point_at(self._order[row])

    def _point_at(self, number: int) -> None:
        from mmstudio.search.progress import value_text

        self.parallel.mark(number)
        trial = self._trials.get(number)
        if trial is None:
            self._pointed.setText("")
            return
        values = ", ".join(value_text(trial.values.get(d.key)) for d in self._space)
        figure = "—" if math.isnan(trial.figure) else f"{trial.figure:.3f}"
        self._pointed.setText(self.tr("trial {0}: {1} with {2}").format(number, figure, values))
