"""The samples as Qt's model: thumbnails, text, labels, the split; search and filter."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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
from mmstudio.gui.session import Session
from mmstudio.gui.widgets.thumbnails import SIDE, WAVE_WIDTH, picture_thumbnail, sound_thumbnail

if TYPE_CHECKING:
    from mmstudio.data.table import Table

Index = QModelIndex | QPersistentModelIndex

SPLIT = "\0split"
"""The column that shows the split as it is used; no table's column can have this name."""
CACHED = 3000
SHOWN_CHARACTERS = 300
LOOKED_AT = 40
"""Rows that the first widths of the columns rest on."""
PADDING = 24


class SamplesModel(QAbstractTableModel):
    """The session's table, row by row; `matched` tells how many rows are on show."""

    matched = Signal(int, int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._table: Table | None = None
        self._columns: list[str] = []
        self._series: list[Any] = []
        self._modalities: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._rows = np.zeros(0, dtype=np.int64)
        self._pictures: OrderedDict[tuple[int, str], QPixmap | None] = OrderedDict()
        self._asked: set[tuple[int, str]] = set()
        self._broken: dict[int, set[str]] = {}
        self._text = ""
        self._split = ""
        self._number = 0
        session.small_things.done.connect(self._on_made)
        session.small_things.dropped.connect(self._on_dropped)
        style.changed.connect(self._forget_pictures)
        self._colors()

    # What it shows -------------------------------------------------------------------------

    def show_table(self) -> None:
        """Show the session's table as its experiment uses it."""
        session = self._session
        other = session.table is not self._table
        if other:
            session.small_things.clear()
            self._pictures.clear()
            self._asked.clear()
            self._broken = {}
        order = {"input": 0, "target": 1, "split": 3, "group": 4, "ignore": 5}
        columns = sorted(session.columns, key=lambda c: order.get(c.role, 5))
        names = [c.name for c in columns]
        if session.splits is not None:
            names = [c.name for c in columns if c.role != "split"]
            names.insert(sum(c.role in ("input", "target") for c in columns), SPLIT)
        self._modalities = {c.name: c.modality for c in columns if c.role == "input" and c.modality}
        self._roles = {c.name: c.role for c in columns}
        if not other and names == self._columns:
            self._emit_all()
            self._ask_rows()
            return
        self.beginResetModel()
        self._table = session.table
        self._columns = names if session.table is not None else []
        self._series = [
            None if name == SPLIT else session.table.column(name) for name in self._columns
        ]
        count = len(session.table) if session.table is not None else 0
        self._rows = np.arange(count)
        self.endResetModel()
        self.matched.emit(count, count)
        self._ask_rows()

    def show_problems(self, problems: Iterable[Any]) -> None:
        """Mark the cells that a check found problems in."""
        self._broken = {}
        for problem in problems:
            if problem.row >= 0:
                self._broken.setdefault(problem.row, set()).add(problem.column)
        self._emit_all()

    def filter(self, text: str, split: str) -> None:
        """Show the rows that hold a text (in any column) and are of a split; "" for all."""
        self._text, self._split = text.strip(), split
        self._ask_rows()

    def _ask_rows(self) -> None:
        table, splits = self._table, self._session.splits
        if table is None:
            return
        text, split = self._text, self._split
        self._number += 1
        if not text and not split:
            self._set_rows(np.arange(len(table)))
            return
        columns = [name for name in self._columns if name != SPLIT]

        def work() -> Any:
            keep = np.ones(len(table), dtype=bool)
            if split and splits is not None:
                keep &= splits == split
            if text:
                found = np.zeros(len(table), dtype=bool)
                for name in columns:
                    lower = table.column(name).cast(str).str.to_lowercase()
                    hit = lower.str.contains(text.lower(), literal=True).fill_null(False)
                    found |= hit.to_numpy()
                keep &= found
            return keep.nonzero()[0]

        self._session.small_things.ask(("rows", self._number), work)

    def _set_rows(self, rows: np.ndarray) -> None:
        total = len(self._table) if self._table is not None else 0
        if not np.array_equal(rows, self._rows):
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        self.matched.emit(len(rows), total)

    def position_of(self, row: int) -> int:
        """Where a row of the table stands among those on show, or -1."""
        found = np.flatnonzero(self._rows == row)
        return int(found[0]) if len(found) else -1

    def name_of(self, section: int) -> str:
        """The name of a column."""
        return self._columns[section]

    def is_text(self, name: str) -> bool:
        """Whether a column holds texts that the model reads."""
        return self._modalities.get(name) == "text"

    def suggested_width(self, section: int, metrics: QFontMetrics) -> int:
        """A width that shows a column's first rows, pixels; long texts are cut."""
        name = self._columns[section]
        rows = range(min(LOOKED_AT, self.rowCount()))
        head = str(self.headerData(section, Qt.Orientation.Horizontal))
        words = [head + "mm" if self._header_icon(name) else head]
        words += [str(self.data(self.index(row, section))) for row in rows]
        width = max(metrics.horizontalAdvance(word) for word in words) + PADDING
        width += {"image": SIDE + 6, "audio": WAVE_WIDTH + 6}.get(self._modalities.get(name, ""), 0)
        return min(width, 150 if self.is_text(name) else 220)

    # Qt's model ----------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self._columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Qt's."""
        if orientation == Qt.Orientation.Vertical:
            if role == Qt.ItemDataRole.DisplayRole and section < len(self._rows):
                return str(int(self._rows[section]) + 1)
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

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        if not index.isValid():
            return None
        row, name = int(self._rows[index.row()]), self._columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._display(row, name, index.column())
        if role == Qt.ItemDataRole.DecorationRole:
            return self._decoration(row, name)
        if role == Qt.ItemDataRole.ForegroundRole:
            if name in self._broken.get(row, ()):
                return self._bad
            if self._value(row, name, index.column()) is None:
                return self._faint
            return self._muted if self._modalities.get(name) in ("image", "audio") else None
        if role == Qt.ItemDataRole.ToolTipRole:
            value = self._value(row, name, index.column())
            return value if value is None or len(value) > 24 else None
        return None

    def _value(self, row: int, name: str, column: int) -> str | None:
        if name == SPLIT:
            splits = self._session.splits
            return str(splits[row]) or None if splits is not None else None
        return self._series[column][row]

    def _display(self, row: int, name: str, column: int) -> str:
        value = self._value(row, name, column)
        if value is None:
            return "—"
        if self._modalities.get(name) in ("image", "audio"):
            return value.replace("\\", "/").rpartition("/")[2]
        if name == SPLIT:
            return split_title(value)
        return value[:SHOWN_CHARACTERS].replace("\n", " ")

    def _decoration(self, row: int, name: str) -> QPixmap | QIcon | None:
        modality = self._modalities.get(name)
        if modality not in ("image", "audio"):
            return None
        key = (row, name)
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key] or style.icon("mdi6.file-alert-outline", "bad")
        table = self._table
        path = table.path_of(row, name) if table is not None else None
        if path is None:
            return None
        color = style.palette().accent

        def make() -> Any:
            return picture_thumbnail(path) if modality == "image" else sound_thumbnail(path, color)

        if key not in self._asked:
            self._asked.add(key)
            self._session.small_things.ask(("picture", id(table), row, name, color), make)
        return self._blank if modality == "image" else self._blank_wave

    def _on_made(self, key: object, made: object) -> None:
        if not isinstance(key, tuple):
            return
        if key[0] == "rows" and key[1] == self._number and isinstance(made, np.ndarray):
            self._set_rows(made)
        elif key[0] == "picture" and key[1] == id(self._table):
            _, _, row, name, color = key
            self._asked.discard((row, name))
            if self._modalities.get(name) == "audio" and color != style.palette().accent:
                return
            pixmap = None
            if made is not None:
                pixmap = QPixmap.fromImage(made)
            self._pictures[(row, name)] = pixmap
            if len(self._pictures) > CACHED:
                self._pictures.popitem(last=False)
            position = self.position_of(row)
            if position >= 0 and name in self._columns:
                index = self.index(position, self._columns.index(name))
                self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])

    def _on_dropped(self, key: object) -> None:
        if isinstance(key, tuple) and key[0] == "picture":
            self._asked.discard((key[2], key[3]))

    def _forget_pictures(self) -> None:
        self._pictures.clear()
        self._asked.clear()
        self._colors()
        self._emit_all()

    def _colors(self) -> None:
        self._faint = QColor(style.palette().faint)
        self._muted = QColor(style.palette().muted)
        self._bad = QColor(style.palette().bad)
        self._blank = QPixmap(SIDE, SIDE)
        self._blank.fill(QColor(style.palette().raised))
        self._blank_wave = QPixmap(WAVE_WIDTH, SIDE)
        self._blank_wave.fill(Qt.GlobalColor.transparent)

    def _emit_all(self) -> None:
        if len(self._rows) and self._columns:
            last = self.index(len(self._rows) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self._columns) - 1)


def split_title(split: str) -> str:
    """A split's name for people."""
    from PySide6.QtCore import QCoreApplication

    names = {"train": "Training", "validation": "Validation", "test": "Test", "": "Not used"}
    return QCoreApplication.translate("SamplesModel", names.get(split, split))
