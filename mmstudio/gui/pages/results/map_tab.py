"""The tab Map: all samples as points; near each other lies what is alike to the model."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import CLASSIFICATION, REGRESSION
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.cell_samples_table import CellSamplesTable
from mmstudio.gui.pages.results.chosen_rows import ChosenRows
from mmstudio.gui.pages.results.lazy_tab import LazyTab
from mmstudio.gui.pages.results.map_colours import MOST_COLOURS, Group, of_classes, of_numbers
from mmstudio.gui.pages.results.samples_of_cell import CellSamples
from mmstudio.gui.parts.cards import ElidedLabel, button, label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.plots.xy_plot import XYPlot
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.results import AUTOMATIC_ROWS, ResultsStore, Shown

MOST_DRAWN = 20_000
"""Points; more can't be told from each other."""
ANSWERS = "\0answers"
"""The map of what is answered; no input is called so."""
TOLD_GROUPS = 6


class MapTab(LazyTab):
    """`sample_asked` brings a row of the table to be opened, `page_asked` another page's name."""

    sample_asked = Signal(int)
    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, results: ResultsStore,
        decisions: DecisionsStore, parent: QWidget | None = None,
    ) -> None:
        super().__init__(results, parent)
        self._placing = results.slot()
        self._representations: dict[str, np.ndarray] = {}
        self._members = np.zeros(0, np.int64)
        self._places = np.zeros((0, 2), np.float32)
        self.of_box = self._box("Map of", self.tr("What is compared"))
        self.layout_box = self._box("Layout", self.tr("How the samples are laid out"))
        for data, text in (("pca", self.tr("Main directions (PCA)")),
                           ("tsne", self.tr("Neighbours (t-SNE)"))):
            self.layout_box.addItem(text, data)
        self.colour_box = self._box("Colour", self.tr("What the colours show"))
        for box in (self.of_box, self.layout_box):
            box.activated.connect(lambda _: self._place())
        self.colour_box.activated.connect(lambda _: self._paint())
        self.look_button = button(
            self.tr("Work out"), "mdi6.play", mark="primary", name="Work out the map",
            tip=self.tr("Have the model look at these rows once more"))
        self.look_button.clicked.connect(self._work_out)
        self.look_button.hide()
        self.plot = XYPlot("Map", self.tr("Map"), self)
        self.plot.loops = True
        self.plot.point_hovered.connect(self._hover)
        self.plot.point_clicked.connect(self._click)
        self.plot.loop_drawn.connect(self.list_places)
        self.model = CellSamples(jobs.small_things, self)
        self.table = CellSamplesTable(self.model, self, name="Samples of the map")
        self.table.opened.connect(self.sample_asked)
        self.title = ElidedLabel("", "section")
        self.chosen = ChosenRows(project, decisions, self)
        self.chosen.page_asked.connect(self.page_asked)
        results.stepping_aside.connect(self._step_aside)
        self._build()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(style.SPACE)
        for text, box in ((self.tr("Map of"), self.of_box), (self.tr("Layout"), self.layout_box),
                          (self.tr("Colour"), self.colour_box)):
            head.addWidget(label(text, "muted"))
            head.addWidget(box)
        head.addStretch(1)
        head.addWidget(self.look_button)
        self.body.insertLayout(0, head)
        self.body.addWidget(self.chosen.note)
        side = QWidget(self)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE)
        column.addWidget(self.title)
        column.addWidget(label(self.tr("Click a point, or draw a loop around some: they are "
                                       "listed here."), "small", wrap=True))
        column.addWidget(self.table, 1)
        column.addWidget(self.chosen)
        parts = QSplitter(Qt.Orientation.Horizontal, self)
        parts.setChildrenCollapsible(False)
        parts.setHandleWidth(12)
        parts.addWidget(self.plot)
        parts.addWidget(side)
        parts.setSizes([640, 480])
        self.body.addWidget(parts, 1)

    def _box(self, name: str, tip: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        box.setObjectName(name)
        box.setToolTip(plain_tip(tip))
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        guard_wheel(box)
        return box

    def show_facts(self, shown: Shown, facts: RowFacts) -> None:
        """Show a target, as soon as the tab is seen."""
        self._placing.cancel()
        super().show_facts(shown, facts)

    # What is placed ------------------------------------------------------------------------

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Place the samples by their answers at once, and by what the model makes of them soon."""
        self.model.show_facts(shown, facts)
        self.table.wide_inputs = []
        self.table.pictured = self.model.thumbnail_widths()
        self.table.fit()
        self.title.set_text("")
        self.chosen.show_rows(shown, facts, np.zeros(0, np.int64))
        colours = [("truth", self.tr("True label")), ("answer", self.tr("Answer")),
                   ("right", self.tr("Right or wrong")), ("sure", self.tr("Confidence"))]
        if facts.task.kind == REGRESSION:
            colours = [("value", self.tr("True number")), ("error", self.tr("Error"))]
        elif facts.task.kind != CLASSIFICATION:
            colours = colours[2:3]
        self.colour_box.clear()
        for data, text in colours:
            self.colour_box.addItem(text, data)
        self._offer({})
        self._look(answer=len(shown.scores) <= AUTOMATIC_ROWS and self.results.may_begin)

    def _work_out(self) -> None:
        if self.results.may_answer():
            self._look(answer=True)

    def _step_aside(self) -> None:
        if self.is_answering and self._job.busy:
            self._job.cancel()
            self._take({})

    def _look(self, *, answer: bool) -> None:
        """Look up, or work out, what the model makes of the rows."""
        shown, results = self.shown, self.results
        if shown is None:
            return

        def work() -> Generator[Any, None, dict[str, np.ndarray]]:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            from mmstudio.evaluation.representations import load_representations, represented

            found = load_representations(shown.scores)
            if found is None and answer:
                results.wait_for_libraries()
                found = yield from represented(shown.scores)
            return found or {}

        self.look_button.hide()
        self.work_out(work, self._take, self._fail, self.tr(
            "The model looks at the rows: {done} of {total}"), answer=answer)

    def _fail(self, message: str, hint: str) -> None:
        self.look_button.show()
        self.tell(f"{message} {hint}".strip())

    def _take(self, found: dict[str, np.ndarray]) -> None:
        self.look_button.setVisible(not found)
        self.tell("" if found else self.tr(
            "These are the answers. “Work out” adds what the model makes of each input."))
        if found:
            self._offer(found)

    def _offer(self, found: dict[str, np.ndarray]) -> None:
        """Offer these maps beside that of the answers, and place the samples."""
        from mmstudio.evaluation.representations import SHARED

        self._representations = found
        self.of_box.clear()
        if SHARED in found:
            self.of_box.addItem(self.tr("All inputs together"), SHARED)
        self.of_box.addItem(self.tr("Answers"), ANSWERS)
        for name in found:
            if name != SHARED and len(found) > 2:
                self.of_box.addItem(name, name)
        self._place()

    @property
    def is_working(self) -> bool:
        """Whether something is being worked out."""
        return self._job.busy or self._placing.busy

    def _values(self) -> np.ndarray:
        """``(N, D)`` what the chosen map is of."""
        facts, of = self.facts, self.of_box.currentData()
        if facts is None:
            return np.zeros((0, 2), np.float32)
        if of in self._representations:
            return self._representations[of]
        return np.asarray(facts.task.outputs[0])

    def _place(self) -> None:
        facts, layout = self.facts, self.layout_box.currentData()
        self._members, self._places = np.zeros(0, np.int64), np.zeros((0, 2), np.float32)
        self.plot.empty()  # what is there is of another target, run or map
        self.plot.setToolTip("")
        if facts is None:
            return
        values, of = self._values(), self.of_box.currentData()
        there = np.ones(len(values), bool)
        if of in facts.scores.inputs:
            there = facts.scores.present[:, facts.scores.inputs.index(of)]
        places = np.flatnonzero(there)

        def work(should_stop: Callable[[], bool]) -> tuple[np.ndarray, np.ndarray]:
            import pyqtgraph  # noqa: F401 - here, and not on the GUI thread

            from mmstudio.evaluation.map_points import MOST_PLACED, drawn, flat
            from mmstudio.evaluation.placed_apart import placed_apart

            most = MOST_PLACED if layout == "tsne" else MOST_DRAWN
            members = places[drawn(len(places), most)]
            if layout == "tsne":
                return members, placed_apart(values[members], should_stop)
            return members, flat(values[places])[drawn(len(places), most)]

        def done(found: tuple[np.ndarray, np.ndarray]) -> None:
            self._members, self._places = found
            self._paint()

        if layout == "tsne":
            self.plot.show_words(self.tr("The neighbours are being laid out …"))
        self._placing.run(work, done, lambda m, h: self.tell(f"{m} {h}".strip()),
                          low_priority=layout == "tsne", stoppable=True)

    # Colours -------------------------------------------------------------------------------

    def _paint(self) -> None:
        facts, members, plot = self.facts, self._members, self.plot
        plot.clear()
        if facts is None or not len(members):
            return
        plot.set_axes("", "")
        groups = self._groups(facts, members)
        plot.set_points([(name, np.flatnonzero(which), colour) for name, which, colour in groups],
                        self._places[:, 0], self._places[:, 1],
                        size=6 if len(members) <= 3000 else 4)
        plot.show_legend([(name, colour) for name, _, colour in groups][:MOST_COLOURS + 1])
        total = len(facts.scores)
        figure = self.tr("{count} samples").format(count=f"{len(members):,}")
        if len(members) < total:
            figure = self.tr("{count} of {total} samples").format(
                count=f"{len(members):,}", total=f"{total:,}")
        told = ", ".join(f"{name} {int(which.sum()):,}" for name, which, _ in groups[:TOLD_GROUPS])
        plot.show_words(figure, self.tr("Colours: {groups}.").format(groups=told))

    def _groups(self, facts: RowFacts, members: np.ndarray) -> list[Group]:
        """Per colour its name, which of the members have it, and the colour."""
        kind, task = self.colour_box.currentData(), facts.task
        if kind in ("truth", "answer"):
            numbers = (np.where(task.known, task.values, -1) if kind == "truth"
                       else facts.answers(0))[members]
            return of_classes(numbers, task.labels, self.tr("others"), self.tr("unknown"))
        if kind == "right":
            wrong, known = facts.is_wrong(0)[members], task.known[members]
            return [(self.tr("right"), known & ~wrong, "accent"),
                    (self.tr("wrong"), wrong, "bad"),
                    *([(self.tr("unknown"), ~known, "faint")] if not known.all() else [])]
        values = (facts.confidence(0) if kind == "sure" else facts.wrongness(0)
                  if kind == "error" else np.where(task.known, task.values, np.nan))[members]
        return of_numbers(values, in_percent=kind == "sure", reverse=kind == "error")

    # Hands ---------------------------------------------------------------------------------

    def _hover(self, number: int) -> None:
        facts = self.facts
        if facts is None or not 0 <= number < len(self._members):
            self.plot.setToolTip("")
            return
        self.plot.setToolTip(plain_tip(self.model.words_of(int(self._members[number]))))

    def _click(self, number: int) -> None:
        self.list_places(np.array([number]))

    def list_places(self, numbers: np.ndarray) -> None:
        """List these of the points, as they are numbered on the plot."""
        if not len(numbers):
            return
        places = self._members[np.asarray(numbers)]
        self.model.show_places(places, 0, 0)
        self.chosen.show_rows(self.shown, self.facts, places)
        text = (self.tr("1 sample") if len(places) == 1
                else self.tr("{count} samples").format(count=f"{len(places):,}"))
        self.title.set_text(text)
        self.table.selectRow(0)
