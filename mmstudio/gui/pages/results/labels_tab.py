"""The tab Labels: likely label errors, leaks, near-duplicates and outliers, one after the other."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from mmstudio.evaluation.findings import COPY, DOUBTED, LABEL, LEAK, OUTLIER, Finding
from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.gui import style
from mmstudio.gui.forms import guard_wheel
from mmstudio.gui.pages.results.lazy_tab import LazyTab
from mmstudio.gui.parts.cards import EmptyState, button, label
from mmstudio.gui.parts.deciding.panel import DecisionPanel
from mmstudio.gui.parts.progress_pane import ProgressPane
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.decisions import DecisionsStore
from mmstudio.gui.state.findings import ReviewStore
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.results import ResultsStore, Shown

SURE = "\0sure"
"""All findings but the doubts; no kind is called so."""


class LabelsTab(LazyTab):
    """`page_asked` asks the window for another page."""

    page_asked = Signal(str)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, results: ResultsStore, review: ReviewStore,
        decisions: DecisionsStore, parent: QWidget | None = None,
    ) -> None:
        super().__init__(results, parent)
        self._review = review
        self._target = ""
        self.panel = DecisionPanel(
            jobs, project, decisions, (LABEL, LEAK, COPY, OUTLIER), self)
        self.panel.page_asked.connect(self.page_asked)
        self.kind_box = QComboBox(self)
        self.kind_box.setAccessibleName("Findings listed")
        self.kind_box.setObjectName("Findings listed")
        self.kind_box.setToolTip(plain_tip(self.tr("Which findings are listed")))
        guard_wheel(self.kind_box)
        self.kind_box.activated.connect(lambda _: self._list())
        self.count = label("", "muted", wrap=True)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._build_empty())
        self._stack.addWidget(self._build_progress())
        self._stack.addWidget(self._build_list())
        self.body.addWidget(self.panel.note)
        self.body.addWidget(self._stack, 1)
        review.changed.connect(self._show_status)
        review.progressed.connect(self._show_progress)

    def _build_empty(self) -> QWidget:
        self.look_button = button(
            self.tr("Review the data"), "mdi6.play", mark="primary", name="Review the data",
            tip=self.tr("Look at all rows; takes some minutes if there are many"))
        self.look_button.clicked.connect(self._look)
        self._empty = EmptyState("mdi6.tag-search-outline", "", "", self.look_button)
        return self._empty

    def _build_progress(self) -> QWidget:
        pane = ProgressPane(
            "Review progress", "Stop the review", self.tr("Cancel the review"), self)
        pane.stopped.connect(self._review.stop)
        self.progress = pane.line
        return pane

    def _build_list(self) -> QWidget:
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE)
        head = QHBoxLayout()
        head.addWidget(self.kind_box)
        head.addWidget(self.count, 1)
        again = button(self.tr("Review again"), "mdi6.refresh", "ghost", name="Review again",
                       tip=self.tr("Look at all rows once more"))
        again.clicked.connect(self._look)
        head.addWidget(again)
        column.addLayout(head)
        column.addWidget(self.panel, 1)
        return inside

    # What is shown -------------------------------------------------------------------------

    def fill(self, shown: Shown, facts: RowFacts) -> None:
        """Show what the run's review found, where there is one."""
        self._target = facts.name
        self._show_status()
        listed = self._review.listed
        if listed is None or listed.run != shown.scores.run:
            self._review.look_up(shown.scores.run)

    def _look(self) -> None:
        if self.shown is not None:
            self._review.begin(self.shown.scores.run)

    def _show_status(self) -> None:
        review, shown = self._review, self.shown
        if shown is None:
            return
        if review.status == "working":
            self.progress.show_progress(self.tr("Getting ready …"), None)
            self._stack.setCurrentIndex(1)
        elif review.status == "ready" and review.listed is not None and (
                review.listed.run == shown.scores.run):
            self._fill_kinds(review.listed.findings)
            self.tell(review.listed.words)
            self._list()
            self._stack.setCurrentIndex(2)
            if self.isVisible():
                self.panel.table.setFocus()
        else:
            self._show_empty()

    def _show_empty(self) -> None:
        if self._review.status == "failed":
            self._empty.set_texts(self._review.message, self._review.hint)
            self.look_button.setText(self.tr("Try again"))
        else:
            self._empty.set_texts(
                self.tr("Which labels are likely wrong?"),
                self.tr("All rows are judged by models that have not learned them. Labels that "
                        "several inputs contradict come first, then copies across splits, "
                        "near-duplicates and outliers. Nothing is changed: you decide on each."))
            self.look_button.setText(self.tr("Review the data"))
        self._stack.setCurrentIndex(0)

    def _show_progress(self, message: str, done: int, total: int) -> None:
        text = (self.tr("{message}: {done} of {total}").format(
            message=message, done=f"{done:,}", total=f"{total:,}") if total > 1 else message)
        self.progress.show_progress(text, done / total if total > 1 else None)

    def _fill_kinds(self, findings: tuple[Finding, ...]) -> None:
        before = self.kind_box.currentData()
        titles = {LABEL: self.tr("Likely label errors"), LEAK: self.tr("In two splits"),
                  COPY: self.tr("Near-duplicates"), OUTLIER: self.tr("Outliers")}
        sure = [f for f in findings if f.certainty != DOUBTED]
        self.kind_box.clear()
        self.kind_box.addItem(self.tr("All findings ({0:,})").format(len(sure)), SURE)
        for kind, title in titles.items():
            count = sum(f.kind == kind for f in sure)
            if count:
                self.kind_box.addItem(f"{title} ({count:,})", kind)
        doubts = len(findings) - len(sure)
        if doubts:
            self.kind_box.addItem(self.tr("Labels in doubt ({0:,})").format(doubts), DOUBTED)
        self.kind_box.setCurrentIndex(max(0, self.kind_box.findData(before)))

    def _list(self) -> None:
        listed, wanted = self._review.listed, self.kind_box.currentData()
        if listed is None:
            return
        if wanted == DOUBTED:
            findings = tuple(f for f in listed.findings if f.certainty == DOUBTED)
        else:
            findings = tuple(f for f in listed.findings if f.certainty != DOUBTED
                             and wanted in (SURE, f.kind))
        self.count.setText(
            self.tr("The most urgent first. ↑ ↓ move, K or Enter keeps, 1 to 9 or typing gives a "
                    "label, X leaves out.") if findings else self.tr("Nothing of this kind."))
        self.panel.show_findings(listed, findings, self._target)
