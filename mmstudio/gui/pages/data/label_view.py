"""Label on the Data page: rows without a label, one after the other, one key per class."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from mmstudio.evaluation.findings import UNLABELLED
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.parts.cards import EmptyState, button, label
from mmstudio.gui.parts.deciding.panel import DecisionPanel
from mmstudio.gui.parts.progress_pane import ProgressPane
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.findings import LabellingStore
from mmstudio.gui.state.going_on import GoingOn
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore


class LabelView(QWidget):
    """Asks for the labels that are missing.

    `closed` when somebody goes back to the samples; `page_asked` asks for another page.
    """

    closed = Signal()
    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, labelling: LabellingStore,
        decisions: DecisionsStore, going_on: GoingOn, parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._project, self._labelling, self._decisions = project, labelling, decisions
        self.panel = DecisionPanel(jobs, project, decisions, (UNLABELLED,), self)
        self.panel.note.offer_to_go_on(going_on)
        self.panel.page_asked.connect(self.page_asked)
        self.target_box = QComboBox(self)
        self.target_box.setAccessibleName("Label to fill in")
        self.target_box.setObjectName("Label to fill in")
        self.target_box.setToolTip(plain_tip(self.tr("Which of the labels is filled in")))
        guard_wheel(self.target_box)
        self.target_box.activated.connect(lambda _: self.begin())
        self.words = label("", "muted", wrap=True)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._build_empty())
        self._stack.addWidget(self._build_progress())
        self._stack.addWidget(self.panel)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        box.addLayout(self._build_head())
        box.addWidget(self.panel.note)
        box.addWidget(self._stack, 1)
        labelling.changed.connect(self._show_status)
        labelling.progressed.connect(self._show_progress)

    def _build_head(self) -> QHBoxLayout:
        back = button(self.tr("Back to the samples"), "mdi6.arrow-left", "ghost",
                      name="Back to the samples")
        back.clicked.connect(self._close)
        self.more_button = button(
            self.tr("More rows"), "mdi6.refresh", "ghost", name="More rows",
            tip=self.tr("Look for the next rows; those that were decided on stay away"))
        self.more_button.clicked.connect(self.begin)
        head = QHBoxLayout()
        head.addWidget(back)
        head.addWidget(self.target_box)
        head.addWidget(self.words, 1)
        head.addWidget(self.more_button)
        return head

    def _build_empty(self) -> QWidget:
        self.again_button = button(self.tr("Try again"), mark="primary", name="Look for rows")
        self.again_button.clicked.connect(self.begin)
        self._empty = EmptyState("mdi6.tag-outline", "", "", self.again_button)
        return self._empty

    def _build_progress(self) -> QWidget:
        pane = ProgressPane(
            "Labelling progress", "Stop looking for rows", self.tr("Cancel"), self)
        pane.stopped.connect(self._labelling.stop)
        self.progress = pane.line
        return pane

    @property
    def target(self) -> str:
        """Whose labels are filled in."""
        return str(self.target_box.currentData() or "")

    def begin(self) -> None:
        """Look for rows that lack the label."""
        experiment = self._project.experiment
        if experiment is None:
            return
        before, names = self.target, list(experiment.active_targets)
        self.target_box.clear()
        for name in names:
            self.target_box.addItem(self.tr("Label for {0}").format(name), name)
        self.target_box.setCurrentIndex(max(0, self.target_box.findData(before)))
        self.target_box.setVisible(len(names) > 1)
        settled = {d.row for d in self._decisions.all
                   if d.verdict == "leave out" or (
                       d.about == UNLABELLED and d.target == self.target)}
        self._labelling.begin(self.target, frozenset(settled))

    def _close(self) -> None:
        self._labelling.stop()
        self.closed.emit()

    # What is shown -------------------------------------------------------------------------

    def _show_status(self) -> None:
        store = self._labelling
        self.words.setText("")
        self.more_button.setVisible(store.status == "ready")
        if store.status == "working":
            self.progress.show_progress(self.tr("Getting ready …"), None)
            self._stack.setCurrentIndex(1)
        elif store.status == "ready" and store.listed is not None and store.listed.findings:
            keys = self.tr("1 to 9 or typing labels, S skips, X leaves out.")
            first = self.tr("No model knows this table yet: rows from all over it.")
            if store.listed.run is not None:
                sure = self.tr("Rows that {run} is least sure of, each unlike the others.")
                first = sure.format(run=store.listed.run.name)
            self.words.setText(f"{first} {keys}")
            self.panel.show_findings(store.listed, store.listed.findings, self.target)
            self._stack.setCurrentIndex(2)
            if self.isVisible():
                self.panel.table.setFocus()
        else:
            self._show_empty()

    def _show_empty(self) -> None:
        store = self._labelling
        if store.status == "failed":
            self._empty.set_texts(store.message, store.hint)
        elif store.status == "ready":
            self._empty.set_texts(
                self.tr("All of these rows are decided"),
                self.tr("Write the table, and train again: the model then asks for others."))
        else:
            self._empty.set_texts(
                self.tr("Rows without a label"),
                self.tr("Those that a model would learn most from come first."))
        self.again_button.setText(
            self.tr("Look for rows") if store.status == "none" else self.tr("Look again"))
        self._stack.setCurrentIndex(0)

    def _show_progress(self, message: str, done: int, total: int) -> None:
        text = (self.tr("{message}: {done} of {total}").format(
            message=message, done=f"{done:,}", total=f"{total:,}") if total > 1 else message)
        self.progress.show_progress(text, done / total if total > 1 else None)
