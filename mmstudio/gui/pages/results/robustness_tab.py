"""The tab Robustness: what becomes of the figure as inputs get worse, and which take over."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QModelIndex
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.evaluation.robustness_curves import strength_text
from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.lazy_tab import LazyTab
from mmstudio.gui.pages.results.robustness_plots import RobustnessPlots
from mmstudio.gui.pages.results.ways_list import Way, WaysList
from mmstudio.gui.parts.cards import button
from mmstudio.gui.parts.figures_table import Figure, FiguresTable
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.results import ResultsStore, Shown
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.evaluation.robustness_curves import Curve, Robustness

MOST_ROWS, SEED = 500, 0
"""As ``mmstudio robustness`` has them by default: either shows what the other found."""
OTHER = " \N{MIDDLE DOT} "


class RobustnessTab(LazyTab):
    """Which ways, the curves of one input, who takes over, and all ways in a table."""

    def __init__(self, results: ResultsStore, parent: QWidget | None = None) -> None:
        super().__init__(results, parent)
        self.result: Robustness | None = None
        self.other: Robustness | None = None
        self._way: Way | None = None
        self.ways = WaysList(self)
        self.start_button = button(
            self.tr("Look"), "mdi6.play", mark="primary", name="Look at robustness",
            tip=self.tr("Have the model answer up to 500 rows, made worse in each chosen way"))
        self.start_button.clicked.connect(self._start)
        self.stop_button = button(self.tr("Stop"), "mdi6.stop", name="Stop robustness",
                                  tip=self.tr("Stop here; finished curves are kept"))
        self.stop_button.clicked.connect(self._stop)
        self.other_box = QComboBox(self)
        self.other_box.setAccessibleName("Second run")
        self.other_box.setObjectName("Second run")
        self.other_box.setToolTip(plain_tip(self.tr("A second run to see side by side, dashed")))
        guard_wheel(self.other_box)
        self.other_box.activated.connect(lambda _: self._look_up())
        self.plots = RobustnessPlots(self)
        self.table = FiguresTable("Robustness", self, row_height=28)
        self.table.clicked.connect(self._choose)
        self.table.activated.connect(self._choose)
        results.stepping_aside.connect(self._step_aside)
        self._build()

    def _build(self) -> None:
        self.body.removeWidget(self.note)
        top = QHBoxLayout()
        top.addWidget(self.note, 1000)
        top.addStretch(1)
        top.addWidget(self.other_box)
        top.addWidget(self.start_button)
        top.addWidget(self.stop_button)
        right = QVBoxLayout()
        right.setSpacing(12)
        right.addWidget(self.plots, 5)
        right.addWidget(self.table, 4)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.ways)
        row.addLayout(right, 1)
        self.body.addLayout(top)
        self.body.addLayout(row, 1)
        self._show_buttons(working=False)

    # What is looked at ---------------------------------------------------------------------

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Look up what was found before."""
        self.ways.show_experiment(shown.experiment)
        self._fill_runs(shown.scores.run)
        self._way = None
        self._look_up()

    def _fill_runs(self, run: Path) -> None:
        before = self.other_box.currentData()
        self.other_box.clear()
        self.other_box.addItem(self.tr("No second run"), None)
        for other in self.results.model_runs():
            if other.resolve() != run.resolve():
                self.other_box.addItem(other.name, str(other))
        self.other_box.setCurrentIndex(max(0, self.other_box.findData(before)))
        self.other_box.setVisible(self.other_box.count() > 1)

    def _runs(self) -> list[Path]:
        """The run that is shown, and the second one where there is one."""
        if self.shown is None:
            return []
        second = self.other_box.currentData()
        return [self.shown.scores.run] + ([] if second is None else [Path(str(second))])

    def _look_up(self) -> None:
        shown, runs = self.shown, self._runs()
        if shown is None:
            return
        split = shown.scores.split
        self.result = self.other = None
        self._show_all()

        def work() -> list[Robustness | None]:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            from mmstudio.evaluation.kept_robustness import kept_robustness

            return [kept_robustness(run, split, MOST_ROWS, SEED) for run in runs]

        self._show_buttons(working=False)
        self.ask(work, self._take)

    def _start(self) -> None:
        shown, runs, asked = self.shown, self._runs(), self.ways.chosen()
        if shown is None or not self.results.may_answer():
            return
        if not asked:
            self.tell(self.tr("Choose a way in which an input gets worse."))
            return
        split, wait = shown.scores.split, self.results.wait_for_libraries

        def work() -> Generator[Any, None, None]:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            wait()
            for at, run in enumerate(runs):
                yield from _looked_at(at, run, split, asked)

        self._show_buttons(working=True)
        self.tell(self.tr("Working it out …"))
        self.is_answering = True
        self.results.runs_beside(self._job.run(
            work, lambda _: self._end(""), lambda *messages: self._end(" ".join(messages).strip()),
            self._take_steps, low_priority=True))

    def _take_steps(self, steps: list[Any]) -> None:
        changed = False
        for at, step in steps:
            if hasattr(step, "curves"):
                changed = True
                if at == 0:
                    self.result = step
                else:
                    self.other = step
        at, last = steps[-1]
        if hasattr(last, "done"):
            run = self._runs()[at].name if at < len(self._runs()) else ""
            self.tell(self.tr("{run} · {what}: {done} of {total} steps").format(
                run=run, what=last.message, done=f"{last.done:,}", total=f"{last.total:,}"))
        if changed:
            self._show_all()

    def _take(self, result: list[Robustness | None]) -> None:
        self.result, self.other = result[0], result[1] if len(result) > 1 else None
        self._end("")

    def _stop(self) -> None:
        self._job.cancel()
        self._end(self.tr("It was stopped; finished curves are kept."))

    def _step_aside(self) -> None:
        if self.is_answering and self._job.busy:
            self._stop()

    def _end(self, words: str) -> None:
        self.is_answering = False
        self._show_buttons(working=False)
        self._show_all()
        self.tell(words or self._words())

    def _words(self) -> str:
        result = self.result
        if result is None or not result.curves:
            return self.tr("See how the figure falls as inputs get worse: choose in which ways, "
                           "and press “Look”.")
        if self.other is None and len(self._runs()) > 1:
            return self.tr("“{run}” has not been looked at yet: press “Look”.").format(
                run=self._runs()[1].name)
        return self.tr("{rows} rows, each made worse in each way. Click a way in the table to see "
                       "it above.").format(rows=f"{result.rows:,}")

    def _show_buttons(self, *, working: bool) -> None:
        self.stop_button.setVisible(working)
        self.start_button.setVisible(not working)
        self.other_box.setEnabled(not working)

    # What is shown -------------------------------------------------------------------------

    def _show_all(self) -> None:
        result = self.result
        curves = [] if result is None else result.curves
        if self._way not in [(c.input, c.corruption) for c in curves]:
            self._way = (curves[0].input, curves[0].corruption) if curves else None
        self._fill_table()
        self._show_way()

    def _target(self) -> str:
        return "" if self.facts is None else self.facts.name

    def _text(self) -> Callable[[float], str]:
        if self.result is None:
            return str
        return metric_named(self.result.main_figures[self._target()]).text

    def _fill_table(self) -> None:
        result, target = self.result, self._target()
        if result is None or target not in result.main_figures:
            self.table.show_rows((), ())
            return
        text = self._text()
        most = max((len(c.points) for c in result.curves), default=0)
        rows = []
        for curve in result.curves:
            cells = [Figure(f"{curve.input}{OTHER}{curve.corruption}"),
                     _figure(result.clean.figures[target], text)]
            cells += [_figure(p.figures[target], text) for p in curve.points]
            cells += [Figure("—")] * (most - len(curve.points))
            cells.append(_figure(_mean(curve, target), text))
            if self.other is not None:
                same = self.other.curve(curve.input, curve.corruption)
                cells.append(Figure("—") if same is None or target not in self.other.main_figures
                             else _figure(_mean(same, target), text))
            cells.append(Figure(self._takes_over(result, curve)))
            rows.append(cells)
        heads = [self.tr("Gets worse"), self.tr("As it is"),
                 *(str(i + 1) for i in range(most)), self.tr("Mean")]
        tips = ["", self.tr("The rows as they are"), *[self.tr(
            "Strength: the axis of the right plot has the numbers")] * most,
            self.tr("Of all strengths")]
        if self.other is not None:
            heads.append(self.tr("Mean, {run}").format(run=Path(self.other.run).name))
            tips.append(self.tr("The second run's mean"))
        self.table.show_rows([*heads, self.tr("Counts more then")], rows, [*tips, self.tr(
            "From which strength on another input has a larger share of the answers")])

    def _takes_over(self, result: Robustness, curve: Curve) -> str:
        over = curve.taken_over(self._target(), result.clean)
        if over is None:
            return "—"
        step, name = over
        if step == 0:
            return self.tr("{input}, always").format(input=name)
        return self.tr("{input}, at {strength}").format(
            input=name, strength=strength_text(curve.points[step - 1].strength, curve.unit))

    def _choose(self, index: QModelIndex) -> None:
        at = self.table.figures.source_row(index.row())
        if self.result is not None and 0 <= at < len(self.result.curves):
            curve = self.result.curves[at]
            self._way = (curve.input, curve.corruption)
            self._show_way()

    def _show_way(self) -> None:
        result, target = self.result, self._target()
        curve = None if result is None or self._way is None else result.curve(*self._way)
        if result is None or curve is None or target not in result.main_figures:
            self.plots.empty()
        else:
            self.plots.show_curve(result, self.other, curve, target)


def _looked_at(at: int, run: Path, split: str, asked: list[Way]) -> Iterator[tuple[int, Any]]:
    from mmstudio.evaluation.robustness import growing_robustness

    for step in growing_robustness(run, split, MOST_ROWS, SEED, only=asked):
        yield at, step


def _mean(curve: Curve, target: str) -> float:
    return float(np.mean([p.figures[target] for p in curve.points]))


def _figure(value: float, text: Callable[[float], str]) -> Figure:
    return Figure(text(value), value) if math.isfinite(value) else Figure("—")
