"""The tab Trust: whether the model is as often right as it says, and when it should not answer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QHBoxLayout, QSlider, QVBoxLayout, QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import CLASSIFICATION, REGRESSION
from mmstudio.gui.pages.results.curves_tab import percent_text
from mmstudio.gui.pages.results.lazy_tab import LazyTab
from mmstudio.gui.pages.results.matrix_strip import subset_title
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.parts.figures_table import Figure, FiguresTable, count, share
from mmstudio.gui.plots.xy_plot import XYPlot
from mmstudio.gui.state.results import (
    AUTOMATIC_ROWS,
    ResultsStore,
    Shown,
    subsets_in_order,
)

if TYPE_CHECKING:
    from mmstudio.evaluation.trust import SubsetTrust

STEPS = 1000
BEFORE, AFTER = 1, 0
"""The colours' numbers."""


@dataclass(frozen=True)
class Trusted:
    """What the tab shows: per subset of the inputs its figures; whether there is a calibration."""

    subsets: list[SubsetTrust]
    calibrated: bool


class TrustTab(LazyTab):
    """Reliability before and after calibration, *not sure*, and all subsets in a table."""

    def __init__(self, results: ResultsStore, parent: QWidget | None = None) -> None:
        super().__init__(results, parent)
        self._found: Trusted | None = None
        self._chosen = 0
        self.calibrate_button = button(
            self.tr("Calibrate"), "mdi6.scale-balance", mark="primary", name="Calibrate",
            tip=self.tr("Have the model answer the validation rows, and learn from them how sure "
                        "it may be"))
        self.calibrate_button.hide()
        self.calibrate_button.clicked.connect(self._calibrate)
        self.stop_button = button(self.tr("Stop"), "mdi6.stop", name="Stop calibration")
        self.stop_button.hide()
        self.stop_button.clicked.connect(self._stop)
        self.reliability = XYPlot("Reliability", self.tr("Is it as right as it is sure?"), self)
        self.answered = XYPlot("Not sure", self.tr("What if it may say “not sure”?"), self)
        self.least = QSlider(Qt.Orientation.Horizontal, self)
        self.least.setAccessibleName("Least confidence")
        self.least.setRange(0, STEPS)
        self.least.setPageStep(STEPS // 20)
        self.least.valueChanged.connect(self._show_least)
        self.answered.handle_moved.connect(lambda v: self.least.setValue(round(STEPS * v)))
        self.least_words = label("", "small", wrap=True)
        self.table = FiguresTable("Calibration per subset of the inputs", self, row_height=30)
        self.table.clicked.connect(self._choose)
        results.stepping_aside.connect(self._step_aside)
        self._build()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.note, 1)
        top.addWidget(self.calibrate_button)
        top.addWidget(self.stop_button)
        self.body.removeWidget(self.note)
        self.body.addLayout(top)
        self.answered.body.addWidget(self.least_words)
        self.answered.body.addWidget(self.least)
        self.plots = QWidget(self)
        plots = QHBoxLayout(self.plots)
        plots.setContentsMargins(0, 0, 0, 0)
        plots.setSpacing(12)
        plots.addWidget(self.reliability, 1)
        plots.addWidget(self.answered, 1)
        column = QVBoxLayout()
        column.setSpacing(12)
        column.addWidget(self.plots, 5)
        column.addWidget(self.table, 4)
        self.body.addLayout(column, 1)

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Look for a calibration, or find one where that is quick."""
        self._chosen = 0
        self._found = None
        self.table.show_rows((), ())
        for plot in (self.reliability, self.answered):
            plot.empty()  # another target's or run's
        self.least_words.setText("")
        self.plots.setVisible(facts.task.kind != REGRESSION)
        few = self.results.rows("validation") <= AUTOMATIC_ROWS
        self._ask(answer=few and self.results.may_begin)

    def _calibrate(self) -> None:
        if self.results.may_answer():
            self._ask(answer=True)

    def _step_aside(self) -> None:
        if self.is_answering and self._job.busy:
            self._stop()

    def _ask(self, *, answer: bool) -> None:
        shown, facts, results = self.shown, self.facts, self.results
        if shown is None or facts is None:
            return
        order = subsets_in_order(facts)

        def work() -> Generator[Any, None, Trusted]:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            from mmstudio.evaluation.calibrating import calibration_for
            from mmstudio.evaluation.trust import trust_of

            calibration = yield from calibration_for(
                shown.scores, answer=answer, before=results.wait_for_libraries)
            return Trusted([trust_of(facts, at, calibration) for at in order],
                           calibration is not None)

        self.calibrate_button.hide()
        self.stop_button.show()
        self.work_out(work, self._take, self._fail, self.tr(
            "The validation rows are answered: {done} of {total}"), answer=answer)

    def _stop(self) -> None:
        self._job.cancel()
        self.stop_button.hide()
        self.calibrate_button.show()
        self.tell(self.tr("It was stopped."))

    def _fail(self, message: str, hint: str) -> None:
        self.stop_button.hide()
        self.calibrate_button.show()
        self.tell(f"{message} {hint}".strip())

    def _take(self, found: Trusted) -> None:
        self._found = found
        self.stop_button.hide()
        self.calibrate_button.setVisible(not found.calibrated)
        self.tell(self._words(found))
        self._fill_table(found)
        self._show_subset()

    def _words(self, found: Trusted) -> str:
        if not found.calibrated:
            return self.tr("The scores are as the model gives them. Calibrating on the validation "
                           "rows teaches it how sure it may be.")
        if self.shown is not None and self.shown.scores.split == "validation":
            return self.tr("These are the rows that it was calibrated on: on others it may be "
                           "less good.")
        return self.tr("Calibrated on the validation rows, shown on these; the Test page shows "
                       "calibrated scores once its model is loaded again. Click a subset of the "
                       "inputs in the table to see it above.")

    def _fill_table(self, found: Trusted) -> None:
        rows = []
        for one in found.subsets:
            cells = [Figure(subset_title(self, self.facts, one.at)), count(one.rows)]
            if self.facts is not None and self.facts.task.kind != REGRESSION:
                told = one.after or one.before
                cells += [share(one.before.expected_calibration_error) if one.before else
                          Figure("—"),
                          share(one.after.expected_calibration_error) if one.after else
                          Figure("—"),
                          share(told.by_chance) if told else Figure("—"),
                          Figure("—" if one.temperature is None else f"{one.temperature:.2f}",
                                 one.temperature or np.nan)]
            covered = one.covered
            cells += [share(covered.coverage) if covered else Figure("—"),
                      Figure(f"{covered.size:.3g}" if covered else "—",
                             covered.size if covered else np.nan)]
            rows.append(cells)
        heads = [self.tr("Inputs"), self.tr("Samples")]
        tips = ["", self.tr("That have any of these inputs")]
        if self.facts is not None and self.facts.task.kind != REGRESSION:
            heads += [self.tr("Error before %"), self.tr("Error after %"),
                      self.tr("By chance %"), self.tr("Temperature")]
            tips += [self.tr("Expected calibration error: how far confidence and share of right "
                             "answers lie apart on average"), self.tr("After calibration"),
                     self.tr("What the error would be about, were each answer right with just the "
                             "chance that it says: few samples leave no less"),
                     self.tr("What the scores are divided by: above 1 the model was too sure")]
            heads += [self.tr("Sets for 90 % hold %"), self.tr("Labels in a set")]
            tips += [self.tr("Sets of labels that shall hold the true one in 90 of 100 samples: "
                             "how often they do"), self.tr("On average")]
        else:
            heads += [self.tr("Intervals for 90 % hold %"), self.tr("Width")]
            tips += [self.tr("Intervals that shall hold the true number in 90 of 100 samples: "
                             "how often they do"), self.tr("Of an interval")]
        self.table.show_rows(heads, rows, tips)

    def _choose(self, index: QModelIndex) -> None:
        self._chosen = max(0, self.table.figures.source_row(index.row()))
        self._show_subset()

    def _show_subset(self) -> None:
        found, facts = self._found, self.facts
        if found is None or facts is None or facts.task.kind == REGRESSION or not found.subsets:
            return
        one = found.subsets[min(self._chosen, len(found.subsets) - 1)]
        name = subset_title(self, facts, one.at)
        plot = self.reliability
        plot.clear()
        plot.set_axes(self.tr("Confidence"), self.tr("Share that is right"), (0, 1), (0, 1))
        plot.set_line("ideal", np.array([0, 1]), np.array([0, 1]), "faint", dashed=True)
        legend, parts = [], []
        for key, curve, colour, text in (("before", one.before, BEFORE, self.tr("before")),
                                         ("after", one.after, AFTER, self.tr("after"))):
            if curve is None:
                continue
            there = curve.counts > 0
            plot.set_line(key, curve.confidence[there], curve.right[there], colour)
            error = percent_text(curve.expected_calibration_error)
            parts.append(self.tr("{when} {error}").format(when=text, error=error))
            legend.append((f"{text} {error}", colour))
        plot.show_legend(legend)
        plot.show_words(name, self.tr("Expected calibration error: {parts}.").format(
            parts=", ".join(parts)))
        self._show_answered(one, name)

    def _show_answered(self, one: SubsetTrust, name: str) -> None:
        curve, plot = one.answered, self.answered
        classes = self.facts is not None and self.facts.task.kind == CLASSIFICATION
        plot.setVisible(classes and curve is not None)
        plot.empty()
        if curve is None or not classes:
            self.least_words.setText("")
            return
        plot.set_axes(self.tr("Least confidence"), "", (0, 1), (0, 1))
        # from certain to any confidence, as steps would have it
        plot.set_line("share", curve.confidence, curve.share, 1)
        plot.set_line("accuracy", curve.confidence, curve.accuracy, 0)
        plot.show_legend([(self.tr("right, of the answered"), 0), (self.tr("answered"), 1)])
        plot.show_words(name, self.tr("Share answered and accuracy by least confidence."))
        good = curve.least_confidence(0.99)
        self.least.setValue(round(STEPS * (good if good is not None else 0.5)))
        self._show_least(self.least.value())

    def _show_least(self, step: int) -> None:
        found = self._found
        curve = None if found is None or not found.subsets else (
            found.subsets[min(self._chosen, len(found.subsets) - 1)].answered)
        if curve is None:
            return
        value = step / STEPS
        self.answered.set_handle(value)
        reached = np.flatnonzero(curve.confidence >= value)
        if not len(reached):
            self.least_words.setText(self.tr("“Not sure” below {least:.2f}: no sample is "
                                             "answered.").format(least=value))
            return
        at = int(reached[-1])
        self.least_words.setText(self.tr(
            "“Not sure” below {least:.2f}: {share} of the samples are answered, and {accuracy} of "
            "these are right.").format(least=value, share=percent_text(curve.share[at]),
                                       accuracy=percent_text(curve.accuracy[at])))
