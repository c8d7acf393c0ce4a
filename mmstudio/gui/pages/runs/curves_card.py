"""The card with the selected runs' curves over each other, and what differs between the runs."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel, readable
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.parts.figures_table import Figure, FiguresTable
from mmstudio.gui.plain_text import MarkedLabel, plain_tip
from mmstudio.gui.plots.curve_line import written
from mmstudio.gui.plots.overlay_plot import OverlayLine, OverlayPlot, pen_of, time_unit
from mmstudio.gui.state.run_curves import Overlay, RunCurvesStore
from mmstudio.tasks.kinds import metric_named

if TYPE_CHECKING:
    from mmstudio.training.run_curves import CurveName

LEAST_SIDE, MOST_SIDE = 350, 560
SMOOTHINGS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
"""Fine where it matters: at 0.99 a mean is of some hundred points."""
SWATCHES = {Qt.PenStyle.SolidLine: "━", Qt.PenStyle.DashLine: "┅", Qt.PenStyle.DotLine: "┈"}


class CurvesCard(QFrame):
    """Shows a store's overlay; `closed` asks the page to hide the card."""

    closed = Signal()

    def __init__(self, store: RunCurvesStore, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._overlay = Overlay()
        self._where: float | None = None
        self._busy = False
        self._unit = ("", 1.0)
        self.setObjectName("Run curves")
        style.mark(self, "card")
        box = QVBoxLayout(self)
        box.setContentsMargins(14, 10, 12, 8)
        box.setSpacing(style.SPACE)
        box.addLayout(self._head())
        row = QHBoxLayout()
        row.setSpacing(2 * style.SPACE)
        self.plot = OverlayPlot("Curves of the selected runs")
        self.plot.hovered.connect(self._show_values)
        row.addWidget(self.plot, 3)
        row.addWidget(self._side(), 1)
        box.addLayout(row, 1)
        store.changed.connect(self._show)
        store.reading.connect(self._show_reading)
        self._show_reading(store.is_reading)
        style.changed.connect(self._tint)
        self._tint()

    def _head(self) -> QHBoxLayout:
        self.figure = self._box("Figure", self.tr("The figure that the curves show"))
        self.figure.setMinimumWidth(190)
        self.axis = self._box("Lower axis", self.tr("The horizontal axis of the curves"))
        for text, name in ((self.tr("Steps"), "step"), (self.tr("Epochs"), "epoch"),
                           (self.tr("Time"), "seconds")):
            self.axis.addItem(text, name)
        self.axis.setCurrentIndex(self.axis.findData(self._store.wish.axis))
        for one in (self.figure, self.axis):
            one.currentIndexChanged.connect(self._wish)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, len(SMOOTHINGS) - 1)
        self.smoothing.setPageStep(2)
        self.smoothing.setFixedWidth(110)
        self.smoothing.setAccessibleName("Smoothing")
        self.smoothing.setObjectName("Smoothing")
        self.smoothing.setToolTip(self.tr("How much of the mean so far goes into the next point"))
        self.smoothing.valueChanged.connect(self._wish)
        guard_wheel(self.smoothing)
        self._smoothing_text = label("0", "small")
        self._smoothing_text.setFixedWidth(36)
        self.log = QToolButton()
        self.log.setText(self.tr("Log"))
        self.log.setCheckable(True)
        self.log.setAccessibleName("Logarithmic axis")
        self.log.setObjectName("Logarithmic axis")
        self.log.setToolTip(self.tr("Logarithmic axis: shows small differences"))
        self.log.toggled.connect(lambda on: self.plot.set_log(on))
        style.mark(self.log, "toggle")
        self.save_button = button(self.tr("Save"), name="Save curves",
                                  tip=self.tr("Save the curves as a picture or a table"))
        self.save_button.setMenu(self._save_menu())
        self._close = QToolButton()
        self._close.setAccessibleName("Close curves")
        self._close.setToolTip(self.tr("Hide the curves"))
        self._close.clicked.connect(self.closed)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        row.addWidget(self.figure)
        row.addWidget(self.axis)
        row.addSpacing(style.SPACE)
        row.addWidget(label(self.tr("Smoothing"), "muted"))
        row.addWidget(self.smoothing)
        row.addWidget(self._smoothing_text)
        row.addWidget(self.log)
        row.addStretch(1)
        row.addWidget(self.save_button)
        row.addWidget(self._close)
        return row

    def _box(self, name: str, tip: str) -> QComboBox:
        one = QComboBox()
        one.setAccessibleName(name)
        one.setObjectName(name)
        one.setToolTip(plain_tip(tip))
        guard_wheel(one)
        return one

    def _side(self) -> QWidget:
        """The lines' names and values, and below them what differs."""
        side = QWidget()
        side.setMinimumWidth(LEAST_SIDE)
        side.setMaximumWidth(MOST_SIDE)
        box = QVBoxLayout(side)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        self.where = label("", "small")
        self.legend = MarkedLabel()
        self.legend.setAccessibleName("Runs on the plot")
        self.legend.setObjectName("Runs on the plot")
        self.legend.setWordWrap(True)
        self.legend.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self.legend)
        self.left_out = label("", "small", wrap=True)
        self.left_out.hide()
        self.differs_title = label(self.tr("What differs"), "muted")
        self.differs = FiguresTable("What differs", row_height=26)
        box.addWidget(self.where)
        box.addWidget(self._scroll, 2)
        box.addWidget(self.left_out)
        box.addWidget(self.differs_title)
        box.addWidget(self.differs, 3)
        return side

    def show_left_out(self, count: int) -> None:
        """Say how many of the selected runs are not drawn."""
        self.left_out.setVisible(count > 0)
        self.left_out.setText(self.tr("{0} more are selected; the first ones are drawn.").format(
            count))

    # What the store tells ------------------------------------------------------------------

    def _show_reading(self, busy: bool) -> None:
        self._busy = busy
        self._show_values(self._where)

    def _show(self, overlay: Overlay) -> None:
        self._overlay = overlay
        if overlay.runs:
            self.plot.begin_drawing()
        self._show_figures()
        name, wish = overlay.wish.figure, overlay.wish
        percent = name is not None and metric_named(name.figure).share
        self.log.setEnabled(not percent)
        self._unit = ("", 1.0)
        if wish.axis == "seconds":
            self._unit = time_unit(
                max((float(one.x[-1]) for one in overlay.lines if len(one.x)), default=0.0))
        words = {"step": self.tr("Step"), "epoch": self.tr("Epoch"),
                 "seconds": self.tr("Time in training, {0}").format(self._unit[0])}
        self.plot.show_lines(
            [OverlayLine(one.run.name, overlay.runs.index(one.run), one.x / self._unit[1], one.y)
             for one in overlay.lines], axis=words[wish.axis], percent=percent,
            whole=wish.axis != "seconds")
        self.save_button.setEnabled(bool(overlay.lines))
        self._show_values(None)
        self._show_differences()

    def _show_figures(self) -> None:
        with QSignalBlocker(self.figure):
            self.figure.clear()
            for name in self._overlay.figures:
                self.figure.addItem(self._title(name))
            wanted = self._overlay.wish.figure
            if wanted in self._overlay.figures:
                self.figure.setCurrentIndex(self._overlay.figures.index(wanted))

    def _title(self, name: CurveName) -> str:
        if not name.task:
            return {"step": self.tr("Loss of each step"), "train": self.tr("Training loss"),
                    "validation": self.tr("Validation loss")}[name.split]
        text = f"{name.task}: {readable(name.figure).lower()}"
        return text if name.split == "validation" else self.tr("{0} (training)").format(text)

    def _show_values(self, where: float | None) -> None:
        """The values of all lines at the cursor; at their ends where there is none."""
        overlay, self._where = self._overlay, where
        name = overlay.wish.figure
        percent = name is not None and metric_named(name.figure).share
        if where is None:
            values = {overlay.runs.index(one.run): float(one.y[-1])
                      for one in overlay.lines if len(one.y)}
            self.where.setText(self.tr("Reading the curves …") if self._busy
                               else self.tr("At the end") if values else "")
        else:
            values = self.plot.values_at(where)
            place = {"step": self.tr("At step {0}"), "epoch": self.tr("At epoch {0}"),
                     "seconds": self.tr("After {0}") + f" {self._unit[0]}"}[overlay.wish.axis]
            shown = f"{where:.3g}" if overlay.wish.axis == "seconds" else f"{where:.7g}"
            self.where.setText(place.format(shown))
        rows = [self._row(at, run, values.get(at), percent)
                for at, run in enumerate(overlay.runs)]
        problems = "".join(f"<p>{html.escape(problem)}</p>" for problem in overlay.problems)
        self.legend.setText(
            f'<table width="100%" cellspacing="2">{"".join(rows)}</table>{problems}')

    def _row(self, at: int, run: Path, value: float | None, percent: bool) -> str:
        pen = pen_of(at)
        said = "–" if value is None else written(value, percent=percent)
        return (f'<tr><td><span style="color:{pen.color().name()}">{SWATCHES[pen.style()]}</span>'
                f"&nbsp;{at + 1}&nbsp;{html.escape(run.name)}</td>"
                f'<td align="right"><b>{said.replace(" ", "&nbsp;")}</b></td></tr>')

    def _show_differences(self) -> None:
        overlay = self._overlay
        several = len(overlay.compared) > 1
        self.differs_title.setVisible(several)
        self.differs.setVisible(several and bool(overlay.differences))
        self.differs_title.setText(
            self.tr("What differs") if overlay.differences
            else self.tr("Their settings are the same."))
        self.differs.show_rows(
            [self.tr("Setting"), *(str(overlay.runs.index(run) + 1) for run in overlay.compared)],
            [[Figure(one.key), *map(_figure, one.values)] for one in overlay.differences],
            [self.tr("The setting's place in the experiment's file"),
             *(run.name for run in overlay.compared)])

    # What the person asks ------------------------------------------------------------------

    def _wish(self, *_: object) -> None:
        smoothing = SMOOTHINGS[self.smoothing.value()]
        self._smoothing_text.setText(f"{smoothing:g}")
        figures, at = self._overlay.figures, self.figure.currentIndex()
        self._store.draw(replace(
            self._store.wish, figure=figures[at] if at >= 0 else None,
            axis=self.axis.currentData(), smoothing=smoothing))

    def _save_menu(self) -> QMenu:
        menu = QMenu(self)
        for text, suffix, kinds, save in (
            (self.tr("Picture (PNG) …"), "png", self.tr("Pictures (*.png)"),
             lambda path: self._save_picture(path, svg=False)),
            (self.tr("Drawing (SVG) …"), "svg", self.tr("Drawings (*.svg)"),
             lambda path: self._save_picture(path, svg=True)),
            (self.tr("Table of all points (CSV) …"), "csv", self.tr("Tables (*.csv)"),
             self._store.save_csv),
        ):
            action = menu.addAction(text)
            action.setObjectName(f"Save as {suffix}")
            action.triggered.connect(
                lambda _=False, s=suffix, k=kinds, do=save: self._ask_place(s, k, do))
        return menu

    def _save_picture(self, path: Path, *, svg: bool) -> None:
        self._store.save_picture(path, self.plot.picture(self.figure.currentText(), svg=svg))

    def _ask_place(self, suffix: str, kinds: str, done: Callable[[Path], Any]) -> None:
        name = f"{self.figure.currentText().replace(': ', ' ')}.{suffix}"
        dialog = QFileDialog(self.window(), self.tr("Save the curves"), str(Path.home()), kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(suffix)
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda path: done(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _tint(self) -> None:
        self._close.setIcon(style.icon("mdi6.close", "muted"))
        self._show_values(self._where)


def _figure(value: Any) -> Figure:
    """A setting's value as a cell."""
    if value is None:
        return Figure("—")
    if isinstance(value, bool):
        return Figure("yes" if value else "no")
    if isinstance(value, (int, float)):
        return Figure(f"{value:g}", float(value))
    if isinstance(value, list):
        return Figure(", ".join(map(str, value)))
    return Figure(str(value))
