"""The samples of a cell: what narrows them down, their order, and their table."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from mmstudio.evaluation.row_facts import Cell, RowFacts
from mmstudio.evaluation.scores import MULTILABEL, REGRESSION
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.cell_samples_table import CellSamplesTable
from mmstudio.gui.pages.results.samples_of_cell import CellSamples
from mmstudio.gui.parts.cards import ElidedLabel
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.results import Shown

TYPING_MS = 250
"""After the last letter, before the table is searched."""
MOST_CLASSES = 500


class SamplesCard(QWidget):
    """The table with what narrows it down; `sample_asked` brings a row to be opened."""

    sample_asked = Signal(int)
    cell_cleared = Signal()

    def __init__(self, jobs: JobRunner, slot: JobSlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._searching = slot
        self._shown: Shown | None = None
        self._facts: RowFacts | None = None
        self._cell = Cell()
        self._found: np.ndarray | None = None
        self.model = CellSamples(jobs.small_things, self)
        self.table = CellSamplesTable(self.model, self)
        self.table.opened.connect(self.sample_asked)
        self.title = ElidedLabel("", "section")
        self._typed = QTimer(self, singleShot=True, interval=TYPING_MS)
        self._typed.timeout.connect(self._search)
        self._build()

    def _build(self) -> None:
        self.rows_box = self._box("Which samples", self.tr("Which of these samples are listed"))
        self.class_box = self._box("True class", self.tr("Samples of this true class"))
        self.missing_box = self._box(
            "Inputs", self.tr("Samples by which inputs they have, and by what these are like"))
        self.order_box = self._box("Order", self.tr("What comes first"))
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search the table"))
        self.search.setAccessibleName("Search samples")
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(200)
        self.search.textChanged.connect(lambda _: self._typed.start())
        head = QHBoxLayout()
        head.setSpacing(style.SPACE)
        head.addWidget(self.title, 1)
        for box in (self.rows_box, self.class_box, self.missing_box, self.order_box):
            head.addWidget(box)
        head.addWidget(self.search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE)
        layout.addLayout(head)
        layout.addWidget(self.table, 1)

    def _box(self, name: str, tip: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        box.setObjectName(name)
        box.setToolTip(plain_tip(tip))
        box.setMaximumWidth(190)
        guard_wheel(box)
        box.activated.connect(lambda _: self.refresh())
        return box

    def show_facts(self, shown: Shown, facts: RowFacts) -> None:
        """Show a target's samples: its mistakes first."""
        self._shown, self._facts = shown, facts
        self._searching.cancel()
        self._found = None
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self.model.show_facts(shown, facts)
        self._fill_boxes(facts)
        self.table.pictured = self.model.thumbnail_widths()
        inputs = [name for kind, name in self.model.columns if kind == "input"]
        self.table.wide_inputs = [n for n in inputs if n not in self.table.pictured] or inputs
        self.table.fit()
        self.show_cell(Cell())

    def show_cell(self, cell: Cell) -> None:
        """Show the samples of a cell; all of a subset where it names no class."""
        self._cell = cell
        every = cell.truth is None and cell.answer is None
        self.rows_box.setVisible(every and self._kind() != REGRESSION)
        self.class_box.setVisible(every and self._kind() not in (REGRESSION, MULTILABEL))
        self.refresh()

    def show_places(self, places: np.ndarray) -> None:
        """Show these of the scores' rows, such as those round which a loop was drawn."""
        self._list(places, self.tr("{count} chosen samples").format(count=f"{len(places):,}"))

    def select_place(self, place: int) -> bool:
        """Select one of the scores' rows; False where it is not on show."""
        position = self.model.position_of(place)
        if position < 0:
            return False
        self.table.selectRow(position)
        self.table.scrollTo(self.model.index(position, 0),
                            QAbstractItemView.ScrollHint.PositionAtCenter)
        return True

    # What is listed ------------------------------------------------------------------------

    def _kind(self) -> str:
        return self._facts.task.kind if self._facts is not None else ""

    def _fill_boxes(self, facts: RowFacts) -> None:
        _refill(self.rows_box, [("wrong", self.tr("Mistakes")), ("", self.tr("All samples"))])
        classes = [("", self.tr("Any class"))]
        classes += [(str(i), name) for i, name in enumerate(facts.task.labels[:MOST_CLASSES])]
        _refill(self.class_box, classes)
        inputs = facts.scores.inputs
        missing = [("", self.tr("Any inputs")), ("none", self.tr("None missing"))]
        missing += [(f"={name}", self.tr("{input} missing").format(input=name))
                    for name in inputs]
        if len(inputs) == 1 or facts.scores.present.all():
            missing = missing[:1]
        for trait in facts.scores.traits:
            missing += [(f"<{trait}", self.tr("{trait}: the lowest third").format(trait=trait)),
                        (f">{trait}", self.tr("{trait}: the highest third").format(trait=trait))]
        _refill(self.missing_box, missing)
        self.missing_box.setVisible(len(missing) > 1)
        orders = [("wrong", self.tr("Most wrong first"))]
        if facts.task.kind != REGRESSION:
            orders += [("sure", self.tr("Most confident first")),
                       ("unsure", self.tr("Least confident first"))]
        if len(facts.alone) > 1:
            orders.append(("apart", self.tr("Inputs disagree most")))
        _refill(self.order_box, [*orders, ("row", self.tr("As in the table"))])

    def refresh(self) -> None:
        """List the rows that are asked for now."""
        facts = self._facts
        if facts is None:
            return
        places = facts.rows_of(self._cell)
        total = len(places)
        if not self.rows_box.isHidden() and self.rows_box.currentData() == "wrong":
            places = places[self._wrong(facts)[places]]
        if not self.class_box.isHidden() and self.class_box.currentData():
            wanted = int(self.class_box.currentData())
            places = places[(facts.task.values[places] == wanted) & facts.task.known[places]]
        places = places[self._has_inputs(facts, places)]
        if self._found is not None:
            places = places[self._found[places]]
        places = places[self._order(facts, places)]
        self._list(places, self._title(facts, len(places), total))

    def _list(self, places: np.ndarray, title: str) -> None:
        self.title.set_text(title)
        self.table.setAccessibleDescription(title)
        self.model.show_places(places, self._cell.at, self._cell.label)
        self.table.scrollToTop()

    def _wrong(self, facts: RowFacts) -> np.ndarray:
        if facts.task.kind == MULTILABEL:
            label = self._cell.label
            wrong = facts.answers(self._cell.at)[:, label] != facts.task.values[:, label]
            return np.asarray(wrong & facts.task.known)
        return facts.is_wrong(self._cell.at)

    def _has_inputs(self, facts: RowFacts, places: np.ndarray) -> np.ndarray:
        wanted, present = str(self.missing_box.currentData() or ""), facts.scores.present[places]
        if wanted == "none":
            return np.asarray(present.all(axis=1))
        if wanted[:1] in ("<", ">"):
            values = facts.scores.traits[wanted[1:]]
            cut = np.nanquantile(values, 1 / 3 if wanted[0] == "<" else 2 / 3) if (
                np.isfinite(values).any()) else np.nan
            with np.errstate(invalid="ignore"):  # what is absent has no such trait
                return np.asarray(values[places] <= cut if wanted[0] == "<"
                                  else values[places] >= cut)
        if wanted:
            return np.asarray(~present[:, facts.scores.inputs.index(wanted[1:])])
        return np.ones(len(places), bool)

    def _order(self, facts: RowFacts, places: np.ndarray) -> np.ndarray:
        """Which of the places comes when; what is not known comes last."""
        cell, order = self._cell, self.order_box.currentData()
        if order == "row":
            return np.arange(len(places))
        if order == "apart":
            key = -facts.apart(cell.label)[places]
        elif order == "wrong":
            key = -facts.wrongness(cell.at, cell.label)[places]
        else:
            sign = -1 if order == "sure" else 1
            key = sign * facts.confidence(cell.at, cell.label)[places]
        return np.argsort(key, kind="stable")

    def _title(self, facts: RowFacts, count: int, total: int) -> str:
        cell, task = self._cell, facts.task
        if cell.truth is not None and cell.answer is not None and task.kind != MULTILABEL:
            text = self.tr("{count} × true {truth}, answered {answer}")
            return text.format(count=f"{count:,}", truth=task.labels[cell.truth],
                               answer=task.classes[cell.answer])
        if cell.truth is not None and task.kind == MULTILABEL:
            text = self.tr("{count} × {label}: true {truth}, answered {answer}")
            words = (self.tr("no"), self.tr("yes"))
            return text.format(count=f"{count:,}", label=task.classes[cell.label],
                               truth=words[cell.truth], answer=words[cell.answer or 0])
        wrong = not self.rows_box.isHidden() and self.rows_box.currentData() == "wrong"
        text = (self.tr("{count} mistakes of {total} samples") if wrong
                else self.tr("{count} of {total} samples"))
        return text.format(count=f"{count:,}", total=f"{total:,}")

    def _search(self) -> None:
        """Find the rows in which the text stands, in a job."""
        text, shown, facts = self.search.text().strip(), self._shown, self._facts
        if not text or shown is None or facts is None:
            self._searching.cancel()
            self._found = None
            self.refresh()
            return
        rows = facts.scores.rows

        def work() -> np.ndarray:
            from mmstudio.data.browse import Question, rows_of

            return np.isin(rows, rows_of(shown.table, Question(text=text)))

        def done(found: np.ndarray) -> None:
            self._found = found
            self.refresh()

        self._searching.run(work, done)


def _refill(box: QComboBox, entries: list[tuple[str, Any]]) -> None:
    box.blockSignals(True)
    box.clear()
    for data, text in entries:
        box.addItem(text, data)
    box.blockSignals(False)
