"""The tab Curves: what a threshold does to one class or label."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import REGRESSION
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.lazy_tab import LazyTab
from mmstudio.gui.parts.cards import Disclosure, label
from mmstudio.gui.parts.figures_table import Figure, FiguresTable, count, share
from mmstudio.gui.plots.xy_plot import XYPlot
from mmstudio.gui.state.results import ResultsStore, Shown

STEPS = 1000
"""Of the slider."""
MOST_POINTS = 2000
"""Of a curve, more than a screen shows."""
TOLD_THRESHOLDS = tuple(range(5, 100, 5))
"""In the table, per cent."""


class CurvesTab(LazyTab):
    """Precision and recall by threshold, the ROC curve, and precision against recall."""


    def __init__(self, results: ResultsStore, parent: QWidget | None = None) -> None:
        super().__init__(results, parent)
        self._curves: Any = None
        self.class_box = QComboBox(self)
        self.class_box.setAccessibleName("Class of the curves")
        self.class_box.setToolTip(self.tr("The class that is distinguished from all others"))
        self.class_box.setMaximumWidth(260)
        guard_wheel(self.class_box)
        self.class_box.activated.connect(self._ask_class)
        self.threshold = QSlider(Qt.Orientation.Horizontal, self)
        self.threshold.setAccessibleName("Threshold")
        self.threshold.setRange(0, STEPS)
        self.threshold.setPageStep(STEPS // 20)
        self.threshold.setMaximumWidth(260)
        self.threshold.valueChanged.connect(self._show_threshold)
        self.figures = label("", "section", wrap=True)
        self.figures.setAccessibleName("Figures at the threshold")
        head = QHBoxLayout()
        head.setSpacing(style.SPACE)
        head.addWidget(self.class_box)
        head.addSpacing(style.SPACE)
        head.addWidget(label(self.tr("Threshold"), "muted"))
        head.addWidget(self.threshold)
        head.addSpacing(style.SPACE)
        head.addWidget(self.figures, 1)
        self.by_threshold = XYPlot("Figures by threshold", self.tr("By threshold"), self)
        self.by_threshold.handle_moved.connect(self._dragged)
        self.roc = XYPlot("ROC curve", self.tr("ROC"), self)
        self.precision_recall = XYPlot(
            "Precision-recall curve", self.tr("Precision and recall"), self)
        plots = QHBoxLayout()
        plots.setSpacing(12)
        for plot in (self.by_threshold, self.roc, self.precision_recall):
            plots.addWidget(plot, 1)
        self.table = FiguresTable("Figures by threshold, as a table", self, row_height=28)
        self.table.setMinimumHeight(190)
        self.table.hide()
        self.as_table = Disclosure(self.tr("As a table"), self._make_table)
        self.content = QWidget(self)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE)
        column.addLayout(head)
        column.addLayout(plots, 1)
        column.addWidget(self.as_table)
        self.body.addWidget(self.content, 1)

    def _make_table(self) -> QWidget:
        return self.table

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Offer the classes, and show the first one's curves."""
        self._curves = None
        words = ""
        if facts.task.kind == REGRESSION:
            words = self.tr("A number has no threshold. Its figures are under Classes.")
        elif not (facts.task.known & facts.scores.counted(0)).any():
            words = self.tr("No row of this split has a known label.")
        self.content.setVisible(not words)
        if words:
            self._job.cancel()
            self.tell(words)
            return
        self.class_box.clear()
        for name in facts.task.classes:
            self.class_box.addItem(name)
        self._ask_class(0)

    def _ask_class(self, number: int) -> None:
        facts = self.facts
        if facts is None:
            return

        def work() -> Any:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            from mmstudio.evaluation.class_curves import curves_of_class

            return curves_of_class(facts, number)

        self.ask(work, self._show)

    def _show(self, curves: Any) -> None:
        self._curves = curves
        roc, pr = curves.roc, curves.precision_recall
        name = self.class_box.currentText()
        self._show_by_threshold(pr)
        thin = thinned(len(roc.thresholds))
        self.roc.set_axes(self.tr("False alarms, of all others"), self.tr("Found"),
                          (0, 1), (0, 1))
        self.roc.set_line("chance", np.array([0, 1]), np.array([0, 1]), "faint", dashed=True)
        self.roc.set_line("curve", roc.false_positive_rate[thin], roc.true_positive_rate[thin])
        self.roc.show_words(self.tr("Area {area:.3f}").format(area=roc.area), name)
        thin = thinned(len(pr.recall))
        self.precision_recall.set_axes(self.tr("Recall"), self.tr("Precision"), (0, 1), (0, 1))
        self.precision_recall.set_line("curve", pr.recall[thin], pr.precision[thin])
        self.precision_recall.set_line(
            "chance", np.array([0, 1]), np.full(2, curves.share), "faint", dashed=True)
        self.precision_recall.show_words(
            self.tr("Average precision {ap:.3f}").format(ap=pr.average_precision), name)
        self._fill_table()
        self.threshold.blockSignals(True)
        self.threshold.setValue(round(STEPS * curves.threshold))
        self.threshold.blockSignals(False)
        self._show_threshold(self.threshold.value())

    def _show_by_threshold(self, pr: Any) -> None:
        thin = thinned(len(pr.thresholds))
        plot = self.by_threshold
        plot.set_axes(self.tr("Threshold"), "", (0, 1), (0, 1))
        for place, (key, values) in enumerate((
                ("precision", pr.precision[:-1]), ("recall", pr.recall[:-1]), ("f1", pr.f1))):
            plot.set_line(key, pr.thresholds[thin], values[thin], place)
        best = int(pr.f1.argmax()) if len(pr.f1) else -1
        words = "" if best < 0 else self.tr("best F1 {f1:.3f} at {threshold:.2f}").format(
            f1=pr.f1[best], threshold=pr.thresholds[best])
        plot.show_words(words, self.tr("Precision, recall and F1 by threshold."))
        plot.show_legend([(self.tr("precision"), 0), (self.tr("recall"), 1), ("F1", 2)])

    def _fill_table(self) -> None:
        rows = []
        for percent in TOLD_THRESHOLDS:
            at = self._curves.at(percent / 100)
            rows.append([Figure(f"{percent / 100:.2f}", percent), share(at.precision),
                         share(at.recall), share(at.f1), share(at.false_alarms),
                         count(at.answered)])
        self.table.show_rows(
            (self.tr("Threshold"), self.tr("Precision %"), self.tr("Recall %"), self.tr("F1 %"),
             self.tr("False alarms %"), self.tr("Answered with it")), rows)

    def _dragged(self, value: float) -> None:
        self.threshold.setValue(round(STEPS * value))

    def _show_threshold(self, step: int) -> None:
        curves = self._curves
        if curves is None:
            return
        value = step / STEPS
        at = curves.at(value)
        text = self.tr("At {threshold:.2f}: precision {precision}, recall {recall}, F1 {f1}, "
                       "false alarms {alarms}")
        self.figures.setText(text.format(
            threshold=value, precision=percent_text(at.precision), recall=percent_text(at.recall),
            f1=percent_text(at.f1), alarms=percent_text(at.false_alarms)))
        self.by_threshold.set_handle(value)
        self.roc.set_dot("here", at.false_alarms, at.recall)
        self.precision_recall.set_dot("here", at.recall, at.precision)


def percent_text(value: float) -> str:
    """0.941 -> "94.1 %"."""
    return f"{100 * value:.1f} %" if np.isfinite(value) else "—"


def thinned(points: int) -> np.ndarray:
    """The places of some points of a curve, its ends among them."""
    if points <= MOST_POINTS:
        return np.arange(points)
    return np.unique(np.linspace(0, points - 1, MOST_POINTS).astype(np.int64))
