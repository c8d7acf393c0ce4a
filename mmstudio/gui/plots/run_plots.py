"""All curves of one run: the loss, each task's main metric, how the inputs share it, live.

Nothing of the data is throttled, only the painting: at most 20 times a second and, where a repaint
takes up to 10 ms, for at most a fiftieth of the time, one plot at a time so that no repaint keeps
the window waiting, and only while the plots can be seen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from mmstudio.gui.plots.balance_plot import BalancePlot
from mmstudio.gui.plots.curve_plot import CurvePlot
from mmstudio.gui.plots.growing import last_epoch_shown
from mmstudio.gui.plots.recall_plot import RecallPlot
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

PAINT_INTERVAL_MS = 50
LONGEST_INTERVAL_MS = 500
_PAUSE = 50
"""The pause after a repaint, in times of what it took: training needs the core too."""
_NEXT_PLOT_MS = 10
LEAST_HEIGHT = 230
"""Of a plot where there are many of them, pixels."""
_TRAIN, _VALIDATION = 1, 0


def metric_title(metric: str) -> str:
    """A metric's name for people: "macro_f1" becomes "macro F1"."""
    return metric_named(metric).title


class RunPlots(QWidget):
    """The plots of one `RunHistory`: `show_run` takes one, `data_changed` brings it up to date."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make the empty loss plot."""
        super().__init__(parent)
        self._history: RunHistory | None = None
        self._can_draw = False
        self._dirty: list[CurvePlot] = []
        self._took_ms = 0.0
        self._timer = QTimer(self, singleShot=True, interval=PAINT_INTERVAL_MS)
        self._timer.timeout.connect(self._paint_next)
        self.loss = CurvePlot("Loss", self.tr("Loss"), self, with_log=True)
        self.tasks: dict[str, CurvePlot] = {}
        self.balance = BalancePlot(self)
        self.balance.hide()
        self.balance.asked.connect(lambda: self._mark([self.balance]))
        self._with_balance = False
        self.recall = RecallPlot(self)
        self.recall.hide()
        self._with_recall = False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(12)
        self._arrange()

    def plots(self) -> list[CurvePlot]:
        """All plots, the loss first; balance and recall of the inputs where a run tells them."""
        return [self.loss, *self.tasks.values(), *([self.recall] if self._with_recall else []),
                *([self.balance] if self._with_balance else [])]

    def begin_drawing(self) -> None:
        """Pyqtgraph is loaded: draw from now on."""
        self._can_draw = True
        self._mark(self.plots())

    def show_run(
        self, history: RunHistory | None, tasks: Sequence[str], inputs: Sequence[str] = (),
        aligned: bool = False,
    ) -> None:
        """Show a run from its start; the rest is expected before its first event.

        `tasks` and `inputs` are those of the run, `aligned` says whether its inputs will be.
        """
        self._history = history
        names = list(tasks)
        if history is not None and history.started is not None:
            names = list(history.started.tasks)
        for plot in self.plots():
            plot.remove_curves()
        self.balance.show_remark(history)
        self._make_task_plots(names)
        self._show_balance(len(inputs) > 1)
        self._show_recall(aligned and len(inputs) > 1)
        self._mark(self.plots())

    def data_changed(self, epochs_too: bool) -> None:
        """The history has new steps, or new epochs too."""
        history = self._history
        if history is not None and history.started is not None:
            self._make_task_plots(list(history.started.tasks))
            self._show_balance(False)
            self._show_recall(self._with_recall)
        self._mark(self.plots() if epochs_too else [self.loss])

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what came while the page was hidden."""
        super().showEvent(event)
        if self._dirty and not self._timer.isActive():
            self._timer.start(0)

    def _make_task_plots(self, names: Sequence[str]) -> None:
        if list(self.tasks) == list(names):
            return
        for plot in self.tasks.values():
            self._grid.removeWidget(plot)
            plot.hide()
            plot.deleteLater()
        self._dirty = [plot for plot in self._dirty if plot is self.loss]
        self.tasks = {name: CurvePlot(name, name, self, percent=True) for name in names}
        self._arrange()
        self._mark(self.plots())

    def _show_balance(self, expected: bool) -> None:
        """Show the inputs' balance where there are several, and a run tells of it or will."""
        shown, history = expected, self._history
        if history is not None and history.started is not None:
            live = history.finished is None and not history.epochs
            shown = len(history.started.inputs) > 1 and (live or bool(history.input_loss))
        if shown != self._with_balance:
            self._with_balance = shown
            self.balance.setVisible(shown)
            self._dirty = [plot for plot in self._dirty if plot is not self.balance]
            self._arrange()

    def _show_recall(self, expected: bool) -> None:
        """Show how the inputs find each other where they are aligned, or will be."""
        shown, history = expected, self._history
        if history is not None and history.epochs:
            shown = bool(history.recall)
        if shown != self._with_recall:
            self._with_recall = shown
            self.recall.setVisible(shown)
            self._dirty = [plot for plot in self._dirty if plot is not self.recall]
            self._arrange()

    def _arrange(self) -> None:
        """The loss at the left, up to two plots stacked beside it; more go on in two columns."""
        beside = self.plots()[1:]
        few = len(beside) <= 2
        for plot in self.plots():
            self._grid.removeWidget(plot)
        self._grid.addWidget(self.loss, 0, 0, max(1, len(beside)) if few else 1, 1)
        for index, plot in enumerate(beside):
            row, column = (index, 1) if few else divmod(index + 1, 2)
            # the last one of an odd number has the row to itself
            alone = not few and column == 0 and index == len(beside) - 1
            self._grid.addWidget(plot, row, column, 1, 2 if alone else 1)
            plot.show()
        for plot in self.plots():
            # Where they don't all fit, the area around them scrolls.
            plot.setMinimumHeight(0 if len(beside) <= 3 else LEAST_HEIGHT)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1 if beside else 0)
        self._grid.activate()

    def _mark(self, plots: Sequence[CurvePlot]) -> None:
        self._dirty += [plot for plot in plots if plot not in self._dirty]
        if self.isVisible() and not self._timer.isActive():
            pause = max(PAINT_INTERVAL_MS, _PAUSE * self._took_ms)
            self._timer.start(round(min(pause, LONGEST_INTERVAL_MS)))

    def _paint_next(self) -> None:
        if not self._dirty or not self.isVisible():
            return
        plot = self._dirty.pop(0)
        if self._can_draw:
            plot.begin_drawing()
        began = time.perf_counter()
        self._update(plot)
        self._took_ms = 1000 * (time.perf_counter() - began) + plot.last_paint_ms
        if self._dirty:
            self._timer.start(_NEXT_PLOT_MS)

    def _update(self, plot: CurvePlot) -> None:
        history = self._history
        if history is None:
            plot.set_end(1.0)
            plot.redraw()
            return
        if plot is self.loss:
            self._fill_loss(plot, history)
        elif plot is self.balance:
            self.balance.fill(history)
        elif plot is self.recall:
            self.recall.fill(history)
        else:
            self._fill_task(plot, plot.objectName(), history)
        done = history.step_epochs[-1] if history.step_epochs else 0.0
        done = max(done, history.epochs[-1] if history.epochs else 0.0)
        if history.finished is not None or history.started is None:
            plot.set_end(max(1.0, done))
        else:
            plot.set_end(last_epoch_shown(done, history.started.epochs))
        best = history.best_epoch or None  # 0 where it was stopped before the first one ended
        # the inputs' curves fill their small plot: the line alone says it
        bare = best is None or plot in (self.balance, self.recall)
        label = "" if bare else self.tr("best · epoch {epoch}").format(epoch=best)
        plot.set_best(None if best is None else float(best), label)
        plot.redraw()

    def _fill_loss(self, plot: CurvePlot, history: RunHistory) -> None:
        plot.set_curve(
            "steps",
            self.tr("each step"),
            history.step_epochs,
            history.step_loss,
            series=_TRAIN,
            faint=True,
        )
        plot.set_curve(
            "train", self.tr("train"), history.epochs, history.train_loss, series=_TRAIN
        )
        plot.set_curve(
            "validation",
            self.tr("validation"),
            history.epochs,
            history.validation_loss,
            series=_VALIDATION,
        )

    def _fill_task(self, plot: CurvePlot, task: str, history: RunHistory) -> None:
        if history.started is None or task not in history.started.tasks:
            return
        metric = metric_named(history.started.tasks[task])
        unit = self.tr("{metric} in %") if metric.share else "{metric}"
        plot.set_title(f"{task} · {unit.format(metric=metric.title)}", percent=metric.share)
        series = history.metrics.get(task, {}).get(metric.name, {})
        for key, label, colour in (
            ("train", self.tr("train"), _TRAIN),
            ("validation", self.tr("validation"), _VALIDATION),
        ):
            plot.set_curve(key, label, history.epochs, series.get(key, []), series=colour)
