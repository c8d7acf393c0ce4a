"""A proposal beside real samples: every part of it can be changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmstudio.errors import UserError
from mmstudio.gui import style
from mmstudio.gui.dialogs.import_preview import ImportPreview
from mmstudio.gui.parts.cards import Card, EmptyState, button, label
from mmstudio.gui.parts.columns_panel import ColumnsPanel
from mmstudio.gui.state.job_runner import JobRunner

if TYPE_CHECKING:
    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table
    from mmstudio.project.proposal import Proposal

PREVIEW_WIDTH = 340


class ProposalView(QStackedWidget):
    """Shows a proposal, or what stands in its place; `changed` tells of a change by hand."""

    changed = Signal()

    def __init__(self, jobs: JobRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._proposal: Proposal | None = None
        self._complete = False
        # In a turn of its own: with the columns it would keep the window waiting.
        self._samples_timer = QTimer(self, singleShot=True, interval=0)
        self._samples_timer.timeout.connect(self._show_samples)
        self._empty = EmptyState("mdi6.tray-arrow-down", "", "")
        self._empty.setAccessibleName(self.tr("Data problem"))
        self.addWidget(self._empty)
        body = QWidget()
        box = QVBoxLayout(body)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        self.summary = label("", wrap=True)
        self.notes = label("", "small", wrap=True)
        box.addWidget(self.summary)
        box.addWidget(self.notes)
        self.as_one = button(
            self.tr("As one target"), "mdi6.tag-multiple-outline", name="As one target")
        self.as_one.setCheckable(True)
        self.as_one.setToolTip(self.tr(
            "Make one target of several labels of the columns that say yes or no"))
        self.as_one.clicked.connect(self._join)
        box.addWidget(self.as_one, alignment=Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout()
        row.setSpacing(16)
        self.columns = ColumnsPanel(reasons=True)
        self.columns.changed.connect(self._on_changed)
        columns = Card(self.tr("Columns"))
        columns.body.addWidget(_scrolled(self.columns))
        row.addWidget(columns, 1)
        self.preview = ImportPreview(jobs.small_things)
        samples = _scrolled(self.preview)
        samples.setFixedWidth(PREVIEW_WIDTH)
        row.addWidget(samples)
        box.addLayout(row, 1)
        self.addWidget(body)
        self.show_waiting("")

    def show_waiting(self, text: str) -> None:
        """Show that data is being read, or that there is none yet."""
        self._proposal = None
        if text:
            self._empty.set_texts(text, "")
        else:
            self._empty.set_texts(
                self.tr("Choose your data, or drop it here"),
                self.tr(
                    "A table that names your pictures, sounds and texts; a folder with one "
                    "sub-folder per class; or folders of pictures, sounds and texts whose file "
                    "names match. Your files stay where they are."
                ),
            )
        self.setCurrentIndex(0)

    def show_problem(self, message: str, hint: str) -> None:
        """Show why data can't be used."""
        self._proposal = None
        self._empty.set_texts(message, hint)
        self._empty.setAccessibleDescription(f"{message} {hint}".strip())
        self.setCurrentIndex(0)

    def show_proposal(self, proposal: Proposal) -> None:
        """Show a proposal and some samples."""
        self._proposal = proposal
        self.setCurrentIndex(1)
        self.notes.setText("\n".join(proposal.said()))
        self._show(proposal.table, list(proposal.columns))

    def proposal(self) -> Proposal | None:
        """The proposal as it was changed; None where there is none."""
        return self._proposal

    def is_complete(self) -> bool:
        """Whether there is an input and a target."""
        return self._proposal is not None and self._complete

    def _on_changed(self, columns: list[Column]) -> None:
        if self._proposal is not None:
            self._proposal = replace(self._proposal, columns=tuple(columns))
            self.notes.setText("\n".join(self._proposal.said()))
            self._show(self._proposal.table, columns)
            self.changed.emit()

    def _join(self, wanted: bool) -> None:
        from mmstudio.data.joined_labels import joined, separated

        if self._proposal is not None:
            columns = list(self._proposal.columns)
            self._on_changed(joined(columns) if wanted else separated(columns))

    def _show_samples(self) -> None:
        if self._proposal is not None:
            self.preview.show_samples(self._proposal.table, list(self._proposal.columns))

    def _show(self, table: Table, columns: list[Column]) -> None:
        from mmstudio.data.joined_labels import joinable, joined_of
        from mmstudio.data.propose import experiment_from_columns

        self.columns.show_columns(columns)
        one = bool(joined_of(columns))
        self.as_one.setVisible(one or bool(joinable(columns)))
        self.as_one.setChecked(one)
        self._samples_timer.start()
        try:
            experiment = experiment_from_columns(".", columns)
            self._complete = True
            text = self.tr("{0:,} samples. The model learns to predict {1} from {2}.").format(
                len(table), _listed(list(experiment.targets)), _listed(list(experiment.inputs))
            )
            style.mark(self.summary, "section")
        except UserError as error:
            self._complete = False
            text = f"{error.message} {error.hint}"
            style.mark(self.summary, "bad")
        self.summary.setText(text)
        self.summary.setAccessibleName(text)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _scrolled(widget: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    holder = QWidget()
    box = QVBoxLayout(holder)
    box.setContentsMargins(0, 0, style.SPACE, 0)
    box.addWidget(widget)
    box.addStretch(1)
    area.setWidget(holder)
    return area
