"""The samples as Qt's model: thumbnails, text, labels, the split; search, filter and order.

Which rows are on show, and in which order, is worked out in a job; the model itself touches only
the rows that the table asks for, so a million of them are as quick as a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFontMetrics, QIcon, QPixmap
from PySide6.QtWidgets import QWidget

from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.cell_pictures import CellPictures
from mmstudio.gui.overriding import override
from mmstudio.gui.pages.data.shown_rows import ShownRows
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.modalities import MODALITIES

if TYPE_CHECKING:
    from mmstudio.data.browse import Question
    from mmstudio.data.table import Table

Index = QModelIndex | QPersistentModelIndex

SPLIT = "\0split"
"""The column that shows the split as it is used: that of `mmstudio.data.browse`."""
SHOWN_CHARACTERS = 300
LOOKED_AT = 40
"""Rows that the first widths of the columns rest on."""
PADDING = 24
FILE_NAME = 56
"""What remains for a file's name beside its picture where room is short, pixels."""


class SamplesModel(QAbstractTableModel):
    """The session's table, row by row.

    `matched` says how many rows are on show, and of how many; `problems` are the rows of each
    kind of problem that the last check found, and `problems_changed` tells of others.
    """

    matched = Signal(int, int)
    problems_changed = Signal()

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project = jobs, project
        self._table: Table | None = None
        self._columns: list[str] = []
        self._series: list[Any] = []
        self._modalities: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self.shown = ShownRows(self._jobs, self._project, self)
        self.shown.about_to_change.connect(self.beginResetModel)
        self.shown.changed.connect(self.endResetModel)
        self.shown.answered.connect(self._tell)
        self._pictures = CellPictures(self._jobs.small_things, self)
        self._pictures.made.connect(self._on_picture)
        self._broken: dict[int, list[int]] = {}
        self._all_problems: Sequence[Any] = ()
        self.problems: dict[str, np.ndarray] = {}
        self._placing = JobSlot(jobs, project.scope)
        style.changed.connect(self._restyle)
        self._colors()

    # What it shows -------------------------------------------------------------------------

    def show_table(self) -> None:
        """Show the project's table as its experiment uses it."""
        other = self._project.table is not self._table
        if other:
            self._jobs.small_things.clear()
            self._pictures.forget()
            self.show_problems(())
        order = {"input": 0, "target": 1, "split": 3, "group": 4, "ignore": 5}
        columns = sorted(self._project.columns, key=lambda c: order.get(c.role, 5))
        names = [c.name for c in columns]
        if self._project.splits is not None:
            names = [c.name for c in columns if c.role != "split"]
            names.insert(sum(c.role in ("input", "target") for c in columns), SPLIT)
        self._modalities = {c.name: c.modality for c in columns if c.role == "input" and c.modality}
        self._roles = {c.name: c.role for c in columns}
        if not other and names == self._columns:
            self._emit_all()
            self._ask_again()
            return
        self.beginResetModel()
        table = self._table = self._project.table
        self._columns = names if table is not None else []
        self._series = [] if table is None else [
            None if name == SPLIT else table.column(name) for name in self._columns
        ]
        if other:
            self.shown.take(self._project.table)
        self.endResetModel()
        self._ask_again()
        self._tell()

    def show_problems(self, problems: Sequence[Any]) -> None:
        """Mark the cells that a check found problems in."""
        self._placing.cancel()
        self._all_problems = problems
        if not problems:
            self._take_problems(({}, {}))
            return

        def work() -> Any:
            from mmstudio.data.browse import problem_rows

            return problem_rows(problems)

        self._placing.run(work, self._take_problems)

    def _take_problems(
        self, found: tuple[dict[int, list[int]], dict[str, np.ndarray]]
    ) -> None:
        self._broken, self.problems = found
        self._emit_all()
        self._ask_again()
        self.problems_changed.emit()

    def problems_of(self, row: int) -> list[Any]:
        """What the last check found wrong with a row."""
        return [self._all_problems[i] for i in self._broken.get(row, ())]

    def ask(self, question: Question) -> None:
        """Show the rows that a question means; the order stays what it is."""
        self.shown.ask(question, self.problems)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; -1 for the table's own order."""
        name = self._columns[column] if 0 <= column < len(self._columns) else ""
        self.shown.sort(name, order == Qt.SortOrder.DescendingOrder, self.problems)

    def _ask_again(self) -> None:
        self.shown.ask_again(self.problems)

    def _tell(self) -> None:
        self.matched.emit(len(self.shown), len(self._table) if self._table is not None else 0)

    def name_of(self, section: int) -> str:
        """The name of a column."""
        return self._columns[section]

    def is_text(self, name: str) -> bool:
        """Whether a column holds texts that the model reads."""
        modality = self._modalities.get(name)
        return modality is not None and MODALITIES.get(modality).holds_words

    def _is_file(self, name: str) -> bool:
        """Whether a column names files that are shown small."""
        return medium_of(self._modalities.get(name)).thumbnail is not None

    def suggested_width(self, section: int, metrics: QFontMetrics) -> int:
        """A width that shows a column's first rows, pixels; long texts are cut."""
        name = self._columns[section]
        rows = range(min(LOOKED_AT, self.rowCount()))
        head = str(self.headerData(section, Qt.Orientation.Horizontal))
        words = [head + "mm" if self._header_icon(name) else head]
        words += [str(self.data(self.index(row, section))) for row in rows]
        width = max(metrics.horizontalAdvance(word) for word in words) + PADDING
        width += self._picture_width(name)
        return min(width, 150 if self.is_text(name) else 220)

    def least_width(self, section: int, metrics: QFontMetrics) -> int:
        """Width down to which a column gives way to texts, pixels: a file's name may be cut."""
        suggested = self.suggested_width(section, metrics)
        name = self._columns[section]
        if not self._picture_width(name):
            return suggested
        head = metrics.horizontalAdvance(name + "mm") + PADDING
        return min(suggested, max(head, self._picture_width(name) + FILE_NAME))

    def _picture_width(self, name: str) -> int:
        """What a column's thumbnails take, 0 where it has none."""
        width = medium_of(self._modalities.get(name)).thumbnail_width
        return width + 6 if width else 0

    # Qt's model ----------------------------------------------------------------------------

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._columns)

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Vertical:
            if role == Qt.ItemDataRole.DisplayRole and section < len(self.shown):
                return str(self.shown.row_at(section) + 1)
            return None
        if section >= len(self._columns):
            return None
        name = self._columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr("Split") if name == SPLIT else name
        if role == Qt.ItemDataRole.DecorationRole:
            return self._header_icon(name)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _header_icon(self, name: str) -> QIcon | None:
        if name in self._modalities:
            return style.modality_icon(self._modalities[name], "accent")
        icons = {"target": "mdi6.target", "group": "mdi6.account-group-outline"}
        icon = "mdi6.call-split" if name == SPLIT else icons.get(self._roles.get(name, ""))
        return style.icon(icon, "accent") if icon else None

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, name = self.shown.row_at(index.row()), self._columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._display(row, name, index.column())
        if role == Qt.ItemDataRole.DecorationRole:
            return self._decoration(row, name)
        if role == Qt.ItemDataRole.ForegroundRole:
            if any(p.column == name for p in self.problems_of(row)):
                return self._bad
            if self._value(row, name, index.column()) is None:
                return self._faint
            return self._muted if self._is_file(name) else None
        if role == Qt.ItemDataRole.ToolTipRole:
            value = self._value(row, name, index.column())
            return plain_tip(value) if value is not None and len(value) > 24 else None
        return None

    def _value(self, row: int, name: str, column: int) -> str | None:
        if name == SPLIT:
            splits = self._project.splits
            return str(splits[row]) or None if splits is not None else None
        value: str | None = self._series[column][row]
        return value

    def _display(self, row: int, name: str, column: int) -> str:
        value = self._value(row, name, column)
        if value is None:
            return "—"
        if self._is_file(name):
            return value.replace("\\", "/").rpartition("/")[2]
        if name == SPLIT:
            return split_title(value)
        return value[:SHOWN_CHARACTERS].replace("\n", " ")

    def _decoration(self, row: int, name: str) -> QPixmap | QIcon | None:
        modality = self._modalities.get(name)
        if modality is None or not self._is_file(name):
            return None
        table = self._table
        path = table.path_of(row, name) if table is not None else None
        return None if path is None else self._pictures.picture((row, name), modality, path)

    def _on_picture(self, row: int, name: str) -> None:
        position = self.shown.position_of(row)
        if position >= 0 and name in self._columns:
            index = self.index(position, self._columns.index(name))
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])

    def _restyle(self) -> None:
        self._colors()
        self._emit_all()

    def _colors(self) -> None:
        self._faint = QColor(style.palette().faint)
        self._muted = QColor(style.palette().muted)
        self._bad = QColor(style.palette().bad)

    def _emit_all(self) -> None:
        if len(self.shown) and self._columns:
            last = self.index(len(self.shown) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._columns) - 1)


def split_title(split: str) -> str:
    """A split's name for people."""
    from PySide6.QtCore import QCoreApplication

    names = {"train": "Training", "validation": "Validation", "test": "Test", "": "Not used"}
    return QCoreApplication.translate("SamplesModel", names.get(split, split))
