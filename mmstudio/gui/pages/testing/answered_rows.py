"""The rows of a table that was predicted, as Qt's model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QWidget

from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.cell_pictures import CellPictures
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.jobs import LatestFirst
from mmstudio.modalities import MODALITIES

if TYPE_CHECKING:
    from mmstudio.evaluation.drift import OddRow
    from mmstudio.experiment import InputSettings
    from mmstudio.inference.answer_sheet import AnswerSheet

Index = QModelIndex | QPersistentModelIndex
_KEY = "predicted\0"
"""Before an input's name among the pictures' keys: other tables have such cells too."""
_ROLES = frozenset(int(role) for role in (
    Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.DecorationRole, Qt.ItemDataRole.ToolTipRole,
    Qt.ItemDataRole.TextAlignmentRole, Qt.ItemDataRole.ForegroundRole))
_SORTS = {"row": "", "answer": "answer", "sure": "sure", "error": "error"}


class AnsweredRows(QAbstractTableModel):
    """Rows of an `AnswerSheet`; only what is looked at is made into text.

    `sort_asked` carries what to sort by, of which task, and whether the other way round.
    """

    sort_asked = Signal(str, str, bool)

    def __init__(self, maker: LatestFirst, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sheet: AnswerSheet | None = None
        self._inputs: Mapping[str, InputSettings] = {}
        self._rows: np.ndarray | None = None
        self._count = 0
        self._odd: dict[int, OddRow] | None = None
        self.columns: list[tuple[str, str]] = []
        self._pictures = CellPictures(maker, self)
        self._pictures.made.connect(self._on_picture)

    def show_sheet(
        self, sheet: AnswerSheet | None, inputs: Mapping[str, InputSettings]
    ) -> None:
        """Show another sheet, from its first row on."""
        self.beginResetModel()
        self._pictures.forget()
        self._sheet, self._inputs = sheet, inputs
        self._rows, self._odd = None, None
        self._count = 0 if sheet is None else len(sheet)
        there = set() if sheet is None else set(sheet.table.columns)
        self.columns = [("row", "")] + [
            ("input", name) for name, one in inputs.items() if there & set(one.read_columns)]
        for task in () if sheet is None else sheet.tasks:
            self.columns.append(("answer", task))
            if sheet is not None and task not in sheet.numbers:
                self.columns.append(("sure", task))
        self.columns.append(("error", ""))
        self.endResetModel()

    def grow(self, count: int) -> None:
        """Show the rows that came to the end of the sheet, where all are shown as they come."""
        if self._rows is None and count > self._count:
            self.beginInsertRows(QModelIndex(), self._count, count - 1)
            self._count = count
            self.endInsertRows()

    def show_rows(self, rows: np.ndarray | None) -> None:
        """Show these rows; all as they come when None."""
        self.beginResetModel()
        self._rows = rows
        self._count = len(rows) if rows is not None else (
            0 if self._sheet is None else len(self._sheet))
        self.endResetModel()

    def show_odd(self, odd: dict[int, OddRow] | None) -> None:
        """Mark rows that do not look like those that the model learned from.

        Args:
            odd: By their places in the table; None where that is not known.
        """
        if odd == self._odd:
            return
        self._odd = odd
        if ("odd", "") in self.columns:
            at = self.columns.index(("odd", ""))
            self.beginRemoveColumns(QModelIndex(), at, at)
            del self.columns[at]
            self.endRemoveColumns()
        if odd is not None:
            at = len(self.columns) - 1
            self.beginInsertColumns(QModelIndex(), at, at)
            self.columns.insert(at, ("odd", ""))
            self.endInsertColumns()

    def table_rows(self) -> int:
        """How many rows the table has, those without an answer included."""
        return 0 if self._sheet is None else len(self._sheet.table)

    def row_at(self, position: int) -> int:
        """The row of the table at a position, -1 for none."""
        if not 0 <= position < self._count:
            return -1
        return position if self._rows is None else int(self._rows[position])

    # Qt's ----------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Qt's."""
        if orientation == Qt.Orientation.Vertical or not 0 <= section < len(self.columns):
            return None
        kind, name = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            heads = {"row": self.tr("Row"), "input": name, "answer": name,
                     "sure": self.tr("Confidence"), "odd": self.tr("Unlike"),
                     "error": self.tr("Error")}
            return heads[kind]
        if role == Qt.ItemDataRole.ToolTipRole:
            tips = {"sure": self.tr("How sure the model is of its answer for “{task}”; of several "
                                    "labels, of the one that it is least sure of"),
                    "answer": self.tr("What the model answers for “{task}”"),
                    "error": self.tr("What could not be read"),
                    "odd": self.tr("Which input lies further from the training data than the rows "
                                   "there lie from each other, and how many times as far")}
            return plain_tip(tips.get(kind, "").format(task=name))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(kind)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        if role not in _ROLES or not index.isValid():
            return None  # most of what a view asks for each cell
        row = self.row_at(index.row())
        if row < 0:
            return None
        kind, name = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(row, kind, name)
        if role == Qt.ItemDataRole.DecorationRole and kind == "input":
            return self._picture(row, name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self.text(row, kind, name))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._side(kind)
        if role == Qt.ItemDataRole.ForegroundRole:
            colour = {"row": "muted", "error": "bad", "odd": "warn"}.get(kind)
            return None if colour is None else style.color(colour)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Qt's: asks for another order; inputs have none."""
        if 0 <= column < len(self.columns):
            kind, name = self.columns[column]
            self.sort_asked.emit(_SORTS.get(kind, ""), name,
                                 order == Qt.SortOrder.DescendingOrder and kind in _SORTS)
        else:
            self.sort_asked.emit("", "", False)

    # Cells ---------------------------------------------------------------------------------

    def text(self, row: int, kind: str, name: str) -> str:
        """What a cell says."""
        sheet = self._sheet
        if sheet is None:
            return ""
        if kind == "row":
            return f"{row + 1:,}"
        if kind == "answer":
            return sheet.answers[name][row] or self.tr("no answer")
        if kind == "sure":
            sure = sheet.sure[name][row]
            return "" if sure != sure else f"{100 * sure:.1f} %"
        if kind == "error":
            return sheet.error(row)
        if kind == "odd":
            return self._odd_text(row)
        return self._content(row, name)

    def _odd_text(self, row: int) -> str:
        one = (self._odd or {}).get(row)
        if one is None:
            return ""
        return self.tr("{input} × {times:.1f}").format(
            input=one.input or self.tr("all together"), times=one.times)

    def _content(self, row: int, name: str) -> str:
        sheet = self._sheet
        if sheet is None:
            return ""
        settings, table = self._inputs[name], sheet.table
        cells = [(c, table.cell(row, c)) for c in settings.read_columns if c in table.columns]
        if MODALITIES.get(settings.modality).several_columns:
            return ", ".join(f"{column} {cell}" for column, cell in cells if cell is not None)
        cell = cells[0][1] if cells else None
        if cell is None:
            return "—"
        return cell.replace("\\", "/").rpartition("/")[2] if self.is_pictured(name) else cell

    def thumbnail_width(self, name: str) -> int:
        """How wide an input's thumbnails are, pixels."""
        return medium_of(self._inputs[name].modality).thumbnail_width

    def is_pictured(self, name: str) -> bool:
        """Whether an input's cells show thumbnails."""
        return medium_of(self._inputs[name].modality).thumbnail is not None

    def _picture(self, row: int, name: str) -> Any:
        sheet = self._sheet
        if sheet is None or not self.is_pictured(name):
            return None
        settings = self._inputs[name]
        path = sheet.table.path_of(row, settings.column)
        if path is None:
            return None
        return self._pictures.picture((row, f"{_KEY}{name}"), settings.modality, path)

    def _on_picture(self, row: int, name: str) -> None:
        column = ("input", name.removeprefix(_KEY))
        if not name.startswith(_KEY) or column not in self.columns:
            return
        position = row
        if self._rows is not None:
            at = np.flatnonzero(self._rows == row)
            position = int(at[0]) if len(at) else -1
        if 0 <= position < self._count:
            index = self.index(position, self.columns.index(column))
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])

    def _side(self, kind: str) -> int:
        right = kind in ("row", "sure")
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        return int(side | Qt.AlignmentFlag.AlignVCenter)
