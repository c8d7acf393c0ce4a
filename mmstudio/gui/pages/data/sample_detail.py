"""One sample whole: its pictures large, its sounds to play, its texts, labels and problems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.input_detail import InputDetail
from mmstudio.gui.pages.data.samples_model import split_title
from mmstudio.gui.parts.cards import Card, button, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.project.rows import text_of

if TYPE_CHECKING:
    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table

WIDTH = 368
LONGEST_CELL = 400


class SampleDetail(QWidget):
    """Shows one row of the project's table; `closed` when it is put away, `asked` to go on."""

    closed = Signal()
    step_asked = Signal(int)

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project = jobs, project
        self.row = -1
        self._inputs: dict[str, InputDetail] = {}
        self.setFixedWidth(WIDTH)
        self.setAccessibleName(self.tr("Sample"))
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(style.SPACE)
        box.addLayout(self._make_head())
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        holder = QWidget()
        self._box = QVBoxLayout(holder)
        self._box.setContentsMargins(0, 0, 6, 0)
        self._box.setSpacing(12)
        self._problems = Card(self.tr("Problems"))
        self._problem_text = label("", wrap=True)
        self._problem_text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._problems.body.addWidget(self._problem_text)
        self._cells = Card(self.tr("Cells"))
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(12)
        self._grid.setColumnStretch(1, 1)
        self._cells.body.addLayout(self._grid)
        for part in (self._problems, self._cells):
            self._box.addWidget(part)
        self._box.addStretch(1)
        area.setWidget(holder)
        box.addWidget(area, 1)

    def _make_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 6, 0)
        self._title = label("", "section")
        row.addWidget(self._title, 1)
        self._close = button(
            self.tr("Close"), "mdi6.close", "ghost", name="Close sample",
            tip=self.tr("Back to columns and counts (Esc)"),
        )
        for name, icon, step, tip in (
            ("Previous sample", "mdi6.chevron-up", -1, self.tr("The sample above")),
            ("Following sample", "mdi6.chevron-down", 1, self.tr("The sample below")),
        ):
            arrow = button("", icon, "ghost", tip, name=name)
            arrow.clicked.connect(lambda _, by=step: self.step_asked.emit(by))
            row.addWidget(arrow)
        self._close.clicked.connect(self.closed)
        row.addWidget(self._close)
        return row

    def show_row(self, row: int, problems: list[Any]) -> None:
        """Show a row of the table, with what is wrong with it."""
        table = self._project.table
        if table is None or not 0 <= row < len(table):
            self.put_away()
            return
        self.row = row
        self._title.setText(self.tr("Sample {0:,}").format(row + 1))
        self._problems.setVisible(bool(problems))
        self._problem_text.setText("\n\n".join(
            f"{p.column}: {p.message} {p.hint}".strip(": ") for p in problems))
        self._show_inputs(table, row)
        self._show_cells(table, row)

    def put_away(self) -> None:
        """Show nothing, and be silent."""
        self.row = -1
        for part in self._inputs.values():
            part.forget()

    def _show_inputs(self, table: Table, row: int) -> None:
        columns = [c for c in self._project.columns if c.role == "input" and not _is_cell(c)]
        wanted = [f"{c.name}\0{c.modality}" for c in columns]
        if wanted != list(self._inputs):
            for part in self._inputs.values():
                part.forget()
                part.hide()
                part.deleteLater()
            self._inputs = {
                key: InputDetail(self._jobs, c.name, c.modality or "")
                for key, c in zip(wanted, columns, strict=True)
            }
            for index, part in enumerate(self._inputs.values()):
                self._box.insertWidget(index, part)
        for key, column in zip(wanted, columns, strict=True):
            value: str | Path | None
            if medium_of(column.modality).thumbnail is None:
                value = text_of(table, column.name, row)
            else:
                value = table.path_of(row, column.name)
            self._inputs[key].show_value(row, value)

    def _show_cells(self, table: Table, row: int) -> None:
        empty(self._grid)
        cells = [(c.name, table.cell(row, c.name)) for c in self._project.columns
                 if c.role not in ("input", "split") or _is_cell(c)]
        if self._project.splits is not None and row < len(self._project.splits):
            cells.insert(0, (self.tr("Split"), split_title(str(self._project.splits[row]))))
        for line, (name, text) in enumerate(cells):
            head = label(name, "muted", wrap=True)
            value = self._value(text)
            self._grid.addWidget(head, line, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(value, line, 1)
        self._cells.setVisible(bool(cells))

    def _value(self, text: str | None) -> QLabel:
        shown = "—" if text is None else text[:LONGEST_CELL]
        value = label(shown, wrap=True)
        value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        return value


def _is_cell(column: Column) -> bool:
    """Whether a column is shown as a plain cell: one of several that an input reads."""
    from mmstudio.modalities import MODALITIES

    return (column.role == "input" and column.modality is not None
            and MODALITIES.get(column.modality).several_columns)
