"""The tab Classes: each class's figures with their intervals, and where it is worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import REGRESSION
from mmstudio.gui import style
from mmstudio.gui.pages.results.lazy_tab import LazyTab
from mmstudio.gui.parts.cards import label
from mmstudio.gui.parts.figures_table import Figure, FiguresTable, count, share
from mmstudio.gui.state.results import ResultsStore, Shown
from mmstudio.tasks.kinds import metric_named


class ClassesTab(LazyTab):
    """`places_asked` brings the rows of a group that is worse than the others."""

    places_asked = Signal(object)

    def __init__(self, results: ResultsStore, parent: QWidget | None = None) -> None:
        super().__init__(results, parent)
        self._slices: list[Any] = []
        self.summary = label("", "section", wrap=True)
        self.table = FiguresTable("Figures per class", self)
        self.slices = SlicesTable("Worst groups", self, row_height=36)
        self.slices.opened.connect(self._open)
        self.slices_note = label("", "small", wrap=True)
        left, right = QWidget(self), QWidget(self)
        self.summary.setMinimumHeight(20)
        for side, widgets in (
                (left, (self.summary, self.table)),
                (right, (label(self.tr("Worse than elsewhere"), "section"), self.slices_note,
                         self.slices))):
            column = QVBoxLayout(side)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(style.SPACE)
            for widget in widgets:
                column.addWidget(widget, 1 if widget in (self.table, self.slices) else 0)
        parts = QSplitter(Qt.Orientation.Horizontal, self)
        parts.setChildrenCollapsible(False)
        parts.addWidget(left)
        parts.addWidget(right)
        parts.setStretchFactor(0, 1)
        parts.setStretchFactor(1, 1)
        parts.setSizes([590, 510])
        parts.setHandleWidth(12)
        self.body.addWidget(parts, 1)

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Have the figures worked out."""
        scores, table = shown.scores, shown.table
        self.summary.setText("")
        self.slices_note.setText("")
        for view in (self.table, self.slices):
            view.show_rows((), ())

        def work() -> tuple[dict[str, Any], list[Any]]:
            from mmstudio.evaluation.details import figures_dict
            from mmstudio.evaluation.slices import slices_of

            return figures_dict(scores, facts.name), slices_of(scores, facts.name, table)

        self.ask(work, lambda found: self._show(facts, *found))

    def _show(self, facts: RowFacts, told: Mapping[str, Any], slices: list[Any]) -> None:
        self.summary.setText(self._summary(facts, told))
        if facts.task.kind == REGRESSION:
            self._show_numbers(facts, told)
        else:
            self._show_classes(told)
        self._show_slices(facts, slices)

    def _show_classes(self, told: Mapping[str, Any]) -> None:
        rows = []
        for name, one in told.get("per_class", {}).items():
            ends = one["interval"]
            rows.append([Figure(name), *(share(one[key], ends[key])
                                         for key in ("precision", "recall", "f1")),
                         count(one["support"])])
        heads = (self.tr("Class"), self.tr("Precision %"), self.tr("Recall %"), self.tr("F1 %"),
                 self.tr("Samples"))
        tips = ("", self.tr("Of the samples answered with it, how many are of it"),
                self.tr("Of the samples of it, how many are answered with it"),
                self.tr("The harmonic mean of both; in brackets its 95 % interval"),
                self.tr("How many samples are of it"))
        self.table.show_rows(heads, rows, tips)

    def _show_numbers(self, facts: RowFacts, told: Mapping[str, Any]) -> None:
        values = dict(told.get("residuals", {}))
        task, ends = facts.task, told.get("interval", {})
        errors = np.abs(task.answers(0) - task.values)[task.known]
        values = {"mean_absolute_error": float(errors.mean()) if len(errors) else np.nan} | values
        rows = []
        for name, value in values.items():
            low, high = ends.get(name, (np.nan, np.nan))
            interval = f"{low:.4g} – {high:.4g}" if np.isfinite(low) else "—"
            rows.append([Figure(metric_named(name).heading),
                         Figure(f"{value:.4g} {task.unit}".strip(), value), Figure(interval)])
        self.table.show_rows(
            (self.tr("Figure"), self.tr("Value"), self.tr("95 % interval")), rows)

    def _summary(self, facts: RowFacts, told: Mapping[str, Any]) -> str:
        parts = []
        for name, (low, high) in told.get("interval", {}).items():
            metric = metric_named(name)
            if np.isfinite(low) and metric.higher_is_better:
                scale = 100.0 if metric.share else 1.0
                unit, digits = (" %", 1) if metric.share else ("", 3)
                parts.append(self.tr("{figure} {low} to {high}{unit}").format(
                    figure=metric.heading, low=f"{scale * low:.{digits}f}",
                    high=f"{scale * high:.{digits}f}", unit=unit))
        if not parts:
            return ""
        return self.tr("95 % intervals: {figures}").format(figures=" · ".join(parts))

    def _show_slices(self, facts: RowFacts, slices: list[Any]) -> None:
        self._slices = slices
        rows = [[Figure(", ".join(f"{key} {value}" for key, value in one.conditions.items())),
                 count(one.rows), share(one.error_rate), share(one.others)] for one in slices]
        wrong = (self.tr("Far off %") if facts.task.kind == REGRESSION
                 else self.tr("Wrong %"))
        self.slices.show_rows(
            (self.tr("Group"), self.tr("Samples"), wrong, self.tr("Elsewhere %")), rows)
        self.slices.setVisible(bool(slices))
        self.slices_note.setText(
            self.tr("Groups with more mistakes than chance explains, after correction for all "
                    "that were looked at. Double-click one to list its samples.") if slices else
            self.tr("No group of samples has more mistakes than chance explains."))

    def _open(self, row: int) -> None:
        if 0 <= row < len(self._slices):
            self.places_asked.emit(self._slices[row].places)


class SlicesTable(FiguresTable):
    """`opened` brings the group that was double-clicked, or chosen with Enter."""

    opened = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None, *, row_height: int = 32) -> None:
        super().__init__(name, parent, row_height=row_height)
        self.doubleClicked.connect(self._open)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        self.opened.emit(self.figures.source_row(index.row()))
