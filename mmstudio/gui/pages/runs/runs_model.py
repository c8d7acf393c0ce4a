"""The project's runs as a table: sorted and filtered here, quickly enough for thousands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QDate,
    QDateTime,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTime,
)
from PySide6.QtGui import QColor, QIcon

from mmstudio.gui import style
from mmstudio.gui.forms import readable
from mmstudio.gui.overriding import override
from mmstudio.gui.plain_text import plain_tip
from mmstudio.tasks.kinds import metric_named
from mmstudio.units import duration_text, size_text

if TYPE_CHECKING:
    from mmstudio.training.run_summary import RunSummary

Index = QModelIndex | QPersistentModelIndex
LONGEST_NOTE = 200
"""Characters of a note that its cell shows."""


@dataclass(frozen=True)
class RunColumn:
    """A column: its title and tip, what it sorts by, and what it shows of a run."""

    key: str
    title: str
    value: Callable[[RunSummary], Any]
    text: Callable[[RunSummary], str]
    tip: str | None = None
    gives_way: bool = False


class RunsModel(QAbstractTableModel):
    """The project's runs; a column per figure that any of them has.

    Attributes:
        runs: Those that are shown, in their order.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.runs: list[RunSummary] = []
        self._all: list[RunSummary] = []
        self._words: list[str] = []
        self._starred_only = False
        self._in_training: Path | None = None
        self._order = ("created", Qt.SortOrder.DescendingOrder)
        self._columns = self._columns_of([])
        style.changed.connect(self._repaint)

    # What is shown -------------------------------------------------------------------------

    def show_runs(self, runs: list[RunSummary], in_training: Path | None = None) -> None:
        """Show other runs, one of which may be in training."""
        self.beginResetModel()
        self._in_training = in_training
        self._all = list(runs)
        self._columns = self._columns_of(self._all)
        self._choose()
        self.endResetModel()

    def filter(self, text: str, *, starred_only: bool = False) -> None:
        """Show those runs only in which every word of a text is found."""
        words = text.casefold().split()
        if (words, starred_only) != (self._words, self._starred_only):
            self.beginResetModel()
            self._words, self._starred_only = words, starred_only
            self._choose()
            self.endResetModel()

    @property
    def count_of_all(self) -> int:
        """How many runs there are, shown or not."""
        return len(self._all)

    @property
    def columns(self) -> list[RunColumn]:
        """The columns, in their order."""
        return self._columns

    @override
    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(self._columns):
            self.beginResetModel()
            self._order = (self._columns[column].key, order)
            self._choose()
            self.endResetModel()

    def sorted_column(self) -> int:
        """The number of the column that decides on the order."""
        keys = [column.key for column in self._columns]
        return keys.index(self._order[0]) if self._order[0] in keys else -1

    def _choose(self) -> None:
        runs = [run for run in self._all if self._fits(run)]
        chosen = next((c for c in self._columns if c.key == self._order[0]), None)
        if chosen is not None:
            # what has no value stands at the end, whichever way it is sorted
            there = [run for run in runs if not _is_missing(chosen.value(run))]
            missing = [run for run in runs if _is_missing(chosen.value(run))]
            down = self._order[1] == Qt.SortOrder.DescendingOrder
            runs = [*sorted(there, key=chosen.value, reverse=down), *missing]
        self.runs = runs

    def _fits(self, run: RunSummary) -> bool:
        if self._starred_only and not run.notes.starred:
            return False
        if not self._words:
            return True
        said = "\n".join((
            run.name, run.fusion, run.data, *run.inputs, *run.encoders, *run.notes.tags,
            run.notes.text, self._status(run))).casefold()
        return all(word in said for word in self._words)

    def _columns_of(self, runs: list[RunSummary]) -> list[RunColumn]:
        figures = dict.fromkeys(name for run in runs for name in run.metrics)
        columns = [
            RunColumn("name", self.tr("Name"), lambda r: r.name.casefold(), lambda r: r.name,
                      gives_way=True),
            RunColumn("created", self.tr("Started"), lambda r: r.created.timestamp(),
                      lambda r: when(r.created)),
            RunColumn("status", self.tr("Status"), self._status, self._status),
            *(self._figure(name) for name in figures),
            RunColumn("epoch", self.tr("Best\nepoch"), lambda r: r.best_epoch or None,
                      lambda r: str(r.best_epoch or "—"), self.tr("Of the fusion's curves")),
            RunColumn("seconds", self.tr("Time"), lambda r: r.seconds or None,
                      lambda r: duration_text(r.seconds) if r.seconds else "—",
                      self.tr("How long it was trained, with all that came before its first step")),
            RunColumn("size", self.tr("Size"), lambda r: r.disk_bytes,
                      lambda r: size_text(r.disk_bytes, compared=True),
                      self.tr("Room that the run takes on this disk")),
        ]
        if any(run.notes.tags for run in runs):
            columns.append(self._words_of("tags", self.tr("Tags"),
                                          lambda r: ", ".join(r.notes.tags)))
        columns += [
            self._words_of("fusion", self.tr("Fusion"), lambda r: r.fusion),
            self._words_of("encoders", self.tr("Encoders"), lambda r: ", ".join(r.encoders)),
            self._words_of("inputs", self.tr("Inputs"), lambda r: ", ".join(r.inputs)),
            self._words_of("data", self.tr("Data"), lambda r: r.data),
        ]
        if any(run.notes.text for run in runs):
            columns.append(self._words_of("note", self.tr("Note"), lambda r: " ".join(
                r.notes.text.split())[:LONGEST_NOTE]))
        return columns

    def _figure(self, name: str) -> RunColumn:
        """A figure's column; a title that is wider than what stands below goes on two lines."""
        task, _, metric = name.rpartition(" ")
        title = f"{readable(task)}\n{metric.replace('_', ' ')}" if task else readable(metric)
        share = metric_named(metric).share

        def text(run: RunSummary) -> str:
            value = run.metrics.get(name)
            if value is None or math.isnan(value):
                return "—"
            return f"{100 * value:.1f} %" if share else f"{value:.3f}"

        return RunColumn(
            f"figure {name}", title, lambda r: r.metrics.get(name), text,
            self.tr("On the validation rows, of what the run answers with: all answers weighed "
                    "together, or the fusion alone where they are not"))

    def _words_of(
        self, key: str, title: str, words: Callable[[RunSummary], str]
    ) -> RunColumn:
        return RunColumn(key, title, lambda r: words(r).casefold() or None, words, gives_way=True)

    def _status(self, run: RunSummary) -> str:
        if run.path == self._in_training:
            return self.tr("Training …")
        return self.status(run.status)

    def status(self, status: str) -> str:
        """A run's status for people."""
        names = {
            "completed": self.tr("Completed"),
            "early_stopped": self.tr("Ended early"),
            "stopped": self.tr("Stopped"),
            "unfinished": self.tr("Unfinished"),
            "unreadable": self.tr("Can't be read"),
        }
        return names.get(status, status)

    # As Qt asks for it ---------------------------------------------------------------------

    @override
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.runs)

    @override
    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._columns)

    @override
    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Vertical or section >= len(self._columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._columns[section].tip
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return None

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        run, column = self.runs[index.row()], self._columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(run)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            starred = column.key == "name" and run.notes.starred
            return f"{column.text(run)}, {self.tr('starred')}" if starred else column.text(run)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._color(run, column.key)
        if role == Qt.ItemDataRole.DecorationRole:
            return _star(run.notes.starred) if column.key == "name" else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(run, column))
        return None

    def _tip(self, run: RunSummary, column: RunColumn) -> str:
        if run.problem:
            return run.problem
        if column.key == "name":
            return str(run.path)
        return run.notes.text if column.key == "note" else column.text(run)

    def _color(self, run: RunSummary, key: str) -> QColor | None:
        if key == "status":
            good = run.status in ("completed", "early_stopped")
            return style.color("good" if good else "warn")
        return style.color("muted") if key in ("created", "seconds", "size") else None

    def _repaint(self) -> None:
        if self.runs:
            last = self.index(len(self.runs) - 1, self.columnCount() - 1)
            self.dataChanged.emit(self.index(0, 0), last)


def _star(starred: bool) -> QIcon:
    return style.icon("mdi6.star", "warn") if starred else style.icon("mdi6.star-outline", "faint")


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def when(moment: datetime) -> str:
    """A time for people: today's by the hour, others with their date."""
    locale = QLocale()
    there = QDateTime(
        QDate(moment.year, moment.month, moment.day), QTime(moment.hour, moment.minute))
    time = locale.toString(there.time(), QLocale.FormatType.ShortFormat)
    if moment.date() == datetime.now().date():
        return time
    return f"{locale.toString(there.date(), QLocale.FormatType.ShortFormat)} {time}"
