"""What can be done with the samples that a loop on the map holds: leave out, or give a label."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from mmstudio.evaluation.findings import CHOSEN
from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import CLASSIFICATION
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.parts.deciding.table_note import TableNote
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.results import Shown


class ChosenRows(QWidget):
    """Buttons for the rows that are listed; hidden while there are none.

    The table itself changes only where a new one is written. `note` tells of that, and is put
    where there is room. `page_asked` asks the window for another page.
    """

    page_asked = Signal(str)

    def __init__(
        self, project: ProjectStore, decisions: DecisionsStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._project, self._store = project, decisions
        self._rows: list[int] = []
        self._target = ""
        self._last: list[int] = []
        self.note = TableNote(project, decisions, self)
        self.note.page_asked.connect(self.page_asked)
        self.label_box = QComboBox(self)
        self.label_box.setAccessibleName("Label for these")
        self.label_box.setObjectName("Label for these")
        self.label_box.setToolTip(plain_tip(self.tr("The label that all of these shall have")))
        guard_wheel(self.label_box)
        self.label_box.activated.connect(self._relabel)
        self.out_button = button(
            self.tr("Leave out"), "mdi6.close", name="Leave these out",
            tip=self.tr("A new table is written without these rows"))
        self.out_button.clicked.connect(self._leave_out)
        self.undo_button = button(self.tr("Undo"), "mdi6.undo", name="Undo these",
                                  tip=self.tr("Take back what was decided last on the map"))
        self.undo_button.clicked.connect(self._undo)
        self.write_button = button(
            self.tr("Write table"), "mdi6.content-save-outline", name="Write table",
            tip=self.tr("Write a new table beside the old one, as was decided"))
        self.write_button.clicked.connect(decisions.write_table)
        self.words = label("", "small", wrap=True)
        self.words.setObjectName("Decided on the map")
        row = QHBoxLayout()
        row.setSpacing(style.SPACE)
        for widget in (self.label_box, self.out_button, self.undo_button):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.write_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addLayout(row)
        box.addWidget(self.words)
        decisions.changed.connect(self._show)
        project.changed.connect(self._forget)
        project.experiment_changed.connect(self._show)  # a target may have gone
        self._show()
        self.hide()

    def show_rows(self, shown: Shown | None, facts: RowFacts | None, places: np.ndarray) -> None:
        """Offer what can be done with these of the scores' rows.

        Args:
            shown: Their table must be the project's.
            facts: Of the target that is shown.
            places: ``(n,)`` places in the scores.
        """
        self.setVisible(shown is not None and facts is not None and len(places) > 0
                        and shown.table is self._project.table and self._store.ready)
        if facts is None:
            return
        self._rows = facts.scores.rows[places].tolist()
        if self._target != facts.name:
            self._target = facts.name
            self._last = []
            self.words.setText("")
        self.label_box.clear()
        self.label_box.addItem(self.tr("Give a label …"))
        self.label_box.addItems(facts.task.classes)
        self.label_box.setVisible(facts.task.kind == CLASSIFICATION)

    def _leave_out(self) -> None:
        self._decide("leave out", "")
        self.words.setText(self.tr("{count} samples are to be left out.").format(
            count=f"{len(self._rows):,}"))

    def _relabel(self, number: int) -> None:
        name = self.label_box.itemText(number)
        self.label_box.setCurrentIndex(0)
        if number > 0:
            self._decide("relabel", name)
            self.words.setText(self.tr("{count} samples are to be “{label}”.").format(
                count=f"{len(self._rows):,}", label=name))

    def _decide(self, verdict: str, name: str) -> None:
        from mmstudio.evaluation.decisions import Decision

        self._store.decide_all([
            Decision(row, verdict, CHOSEN, self._target if name else "", name)
            for row in self._rows])
        self._last.append(len(self._rows))
        self._show()

    def _undo(self) -> None:
        """Take back one loop's decisions; what was decided before the window closed, one by one."""
        self._store.undo((CHOSEN,), self._last.pop() if self._last else 1)
        self.words.setText(self.tr("Taken back."))

    def _forget(self, *_: object) -> None:
        """Another project, or table: what is taken back there was not decided by one loop."""
        self._last = []
        self.words.setText("")

    def _show(self, *_: object) -> None:
        ready = not self._store.is_adding
        self.out_button.setEnabled(ready)
        self.label_box.setEnabled(ready)
        self.undo_button.setEnabled(ready and self._store.can_undo((CHOSEN,)))
        self.write_button.setEnabled(self._store.can_write)
