"""Deciding on rows one after the other: the list, the sample, keys for each decision, undo."""

from __future__ import annotations

import math
from collections.abc import Collection

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from mmstudio.evaluation.findings import UNLABELLED, Finding
from mmstudio.gui import style
from mmstudio.gui.parts.cards import Card, button, label
from mmstudio.gui.parts.deciding.case_view import CaseView
from mmstudio.gui.parts.deciding.cases_table import Cases, CasesTable
from mmstudio.gui.parts.deciding.label_keys import LabelKeys
from mmstudio.gui.parts.deciding.table_note import TableNote
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.findings import Listed
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.tasks import NUMBER, ONE_LABEL


class DecisionPanel(QWidget):
    """Asks for a decision on each of some findings.

    `page_asked` asks the window for another page. A decision is kept at once and the next open
    finding is shown; the table itself changes only where `write_button` writes a new one. Whoever
    shows the panel gives its `note` a place, which stays when another table takes the list away.

    Args:
        jobs: Reads contents.
        project: Whose rows they are.
        decisions: Keeps what is decided.
        kinds: The kinds of findings that are asked about here; undo is of these only.
    """

    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, decisions: DecisionsStore,
        kinds: Collection[str], parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._project, self._store = project, decisions
        self._kinds = frozenset(kinds)
        self._listed = Listed(())
        self._target = ""
        self._stale = False
        self.model = Cases(self)
        self.table = CasesTable(self.model, self)
        self.view = CaseView(jobs, project, self)
        self.keys = LabelKeys(self)
        self.progress = label("", "muted")
        self.progress.setObjectName("Decided")
        self.note = TableNote(project, decisions, self)
        self.note.page_asked.connect(self.page_asked)
        self._build()
        self.table.passed.connect(self._pass)
        self.keys.chosen.connect(self._relabel)
        self.keys.left.connect(self.table.setFocus)
        self.keys.refused.connect(self._refuse)
        decisions.changed.connect(self._show_decisions)
        project.experiment_changed.connect(self._show_decisions)  # a target may have gone
        decisions.taken_back.connect(self._go_back)
        self._show_decisions()

    # Building ------------------------------------------------------------------------------

    def _build(self) -> None:
        self.undo_button = button(
            self.tr("Undo"), "mdi6.undo", tip=self.tr("Take the last decision back (Ctrl+Z)"),
            name="Undo decision")
        self.undo_button.clicked.connect(self.undo)
        self.write_button = button(
            self.tr("Write table"), "mdi6.content-save-outline", mark="primary",
            tip=self.tr("Write a new table beside the old one, with the labels and without the "
                        "rows that were decided so"), name="Write table")
        self.write_button.clicked.connect(self._store.write_table)
        right = QWidget(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE)
        column.addWidget(self.view, 1)
        column.addWidget(self._decision_card())
        left = QWidget(self)
        beside = QVBoxLayout(left)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(style.SPACE)
        beside.addWidget(self.table, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.progress, 1)
        foot.addWidget(self.undo_button)
        foot.addWidget(self.write_button)
        beside.addLayout(foot)
        parts = QSplitter(Qt.Orientation.Horizontal, self)
        parts.setChildrenCollapsible(False)
        parts.setHandleWidth(12)
        parts.addWidget(left)
        parts.addWidget(right)
        parts.setStretchFactor(0, 4)
        parts.setStretchFactor(1, 6)
        parts.setSizes([480, 680])
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        box.addWidget(parts, 1)

    def _decision_card(self) -> QWidget:
        card = Card(space=1)
        row = QHBoxLayout()
        self.keep_button = self._key(self.tr("Keep"), "K", "mdi6.check", "Keep")
        self.skip_button = self._key(self.tr("Skip"), "S", "mdi6.debug-step-over", "Skip")
        self.take_button = self._key(
            self.tr("Take the suggestion"), self.tr("Space"), "mdi6.tag-check-outline",
            "Take the suggestion")
        self.out_button = self._key(self.tr("Leave out"), "X", "mdi6.close", "Leave out")
        self.keep_button.clicked.connect(self.keep)
        self.skip_button.clicked.connect(self.skip)
        self.take_button.clicked.connect(self.take_suggestion)
        self.out_button.clicked.connect(self.leave_out)
        labelling = UNLABELLED in self._kinds
        self.keep_button.setVisible(not labelling)
        self.skip_button.setVisible(labelling)
        if labelling:
            self.table.show_labels_only()
        for one in (self.keep_button, self.skip_button, self.take_button, self.out_button):
            row.addWidget(one)
        row.addStretch(1)
        self.target_words = label("", "muted")
        row.addWidget(self.target_words)
        card.body.addLayout(row)
        card.body.addWidget(self.keys)
        return card

    def _key(self, text: str, key: str, icon: str, name: str) -> QPushButton:
        one = button(f"{text}  {key}", icon, name=name)
        one.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return one

    # What is shown -------------------------------------------------------------------------

    def show_findings(self, listed: Listed, findings: tuple[Finding, ...], target: str) -> None:
        """Ask about these findings.

        Args:
            listed: Tells the labels that can be given.
            findings: Those of its findings that are asked about.
            target: Whose label is changed where a finding is of none.
        """
        from mmstudio.evaluation.decisions import answers_to

        self._listed, self._target = listed, target
        self.model.show_findings(findings, answers_to(findings, self._store.all))
        self._show_progress()
        self.table.show_place(max(0, self.model.next_open(-1)))

    @property
    def place(self) -> int:
        """Which of the findings is looked at; -1 for none."""
        return self.table.currentIndex().row()

    def _finding(self) -> Finding | None:
        place = self.place
        return self.model.findings[place] if 0 <= place < len(self.model.findings) else None

    def _pass(self, place: int) -> None:
        findings = self.model.findings
        finding = findings[place] if 0 <= place < len(findings) else None
        for one in (self.keep_button, self.skip_button, self.out_button, self.keys):
            one.setEnabled(finding is not None)
        self.take_button.setVisible(finding is not None and bool(finding.suggested))
        self.view.show_finding(finding, "" if finding is None else self.model.matter(finding))
        if finding is None:
            return
        target = finding.target or self._target
        labels = self._listed.labels.get(target, ())
        experiment = self._project.experiment
        task = None if experiment is None else experiment.targets.get(target)
        is_one = task is not None and task.task == ONE_LABEL.task
        self.keys.show_labels(labels, free=not is_one or finding.kind == UNLABELLED)
        self.target_words.setText(self.tr("Label for {0}").format(target))

    def _show_decisions(self, *_: object) -> None:
        from mmstudio.evaluation.decisions import answers_to

        self._stale = not self.isVisible()
        if self._stale:
            return
        self.model.show_decisions(answers_to(self.model.findings, self._store.all))
        self._show_progress()

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's: what was decided elsewhere meanwhile."""
        super().showEvent(event)
        if self._stale:
            self._show_decisions()

    def _show_progress(self) -> None:
        count = sum(d is not None for d in self.model.decisions)
        self.progress.setText(self.tr("{done} of {total} decided").format(
            done=f"{count:,}", total=f"{len(self.model.findings):,}"))
        self.undo_button.setEnabled(self._store.can_undo(self._kinds))
        self.write_button.setEnabled(self._store.can_write)

    # Deciding ------------------------------------------------------------------------------

    def keep(self) -> None:
        """It is right as it is."""
        self._decide("keep")

    def skip(self) -> None:
        """Go on without a decision that changes anything."""
        self._decide("skip")

    def take_suggestion(self) -> None:
        """The label is what is suggested."""
        finding = self._finding()
        if finding is not None and finding.suggested:
            self._decide("relabel", finding.suggested)

    def leave_out(self) -> None:
        """The row is not to be learned from."""
        self._decide("leave out")

    def undo(self) -> None:
        """Take the last decision back, and look at its row again."""
        self._store.undo(self._kinds)

    def _relabel(self, name: str) -> None:
        finding, experiment = self._finding(), self._project.experiment
        if finding is None or experiment is None:
            return
        settings = experiment.targets.get(finding.target or self._target)
        if settings is not None and settings.task == NUMBER.task and not is_number(name):
            self._refuse(name)
        else:
            self._decide("relabel", name)

    def _decide(self, verdict: str, name: str = "") -> None:
        finding, place = self._finding(), self.place
        if finding is None or not self._store.ready:
            return
        target = finding.target or self._target
        if name and name not in self._listed.labels.get(target, ()):
            self._add_label(target, name)
        self._store.decide(
            finding.row, verdict, finding.kind, target if name else finding.target, name)
        following = self.model.next_open(place)
        if following >= 0:
            self.table.show_place(following)

    def _add_label(self, target: str, name: str) -> None:
        """A label that was typed has a key of its own from now on."""
        labels = dict(self._listed.labels)
        if target in labels or UNLABELLED in self._kinds:
            labels[target] = (*labels.get(target, ()), name)
            self._listed = Listed(self._listed.findings, labels, self._listed.run)

    def _refuse(self, text: str) -> None:
        self.note.show_words(self.tr("“{0}” is not a label of this target.").format(text),
                             self.tr("Choose one from the list, or type a number where numbers "
                                     "are predicted."), "warn")

    def _go_back(self, row: int) -> None:
        """A decision on this row was taken back."""
        places = [at for at, finding in enumerate(self.model.findings)
                  if finding.row == row and self.model.decisions[at] is None]
        if places and self.isVisible():
            self.table.show_place(places[0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's: each decision has its key."""
        focused = self.focusWidget()
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo()
        elif event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier
                                   | Qt.KeyboardModifier.ShiftModifier):
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(
                focused, QAbstractButton):
            focused.click()
        elif not self._decided_by(event):
            super().keyPressEvent(event)

    def _decided_by(self, event: QKeyEvent) -> bool:
        """Whether a key means something here."""
        key, text = event.key(), event.text()
        labelling = UNLABELLED in self._kinds
        if key in (Qt.Key.Key_K, Qt.Key.Key_Return, Qt.Key.Key_Enter) and not labelling:
            self.keep()
        elif key == Qt.Key.Key_S and labelling:
            self.skip()
        elif key in (Qt.Key.Key_X, Qt.Key.Key_Delete):
            self.leave_out()
        elif key == Qt.Key.Key_Space:
            self.take_suggestion()
        elif text.isdecimal() and self.keys.press(int(text)):
            pass
        elif text.isprintable() and text.strip() and self._finding() is not None:
            self.keys.begin(text)
        else:
            return False
        return True


def is_number(text: str) -> bool:
    """Whether a cell's text is a number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
