"""The samples of a cell as Qt's model: content, truth, answer, and what each input alone says."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import MULTILABEL, REGRESSION
from mmstudio.gui import style
from mmstudio.gui.media.medium import medium_of
from mmstudio.gui.media.views.cell_pictures import CellPictures
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.jobs import LatestFirst
from mmstudio.gui.state.results import Shown
from mmstudio.modalities import MODALITIES

Index = QModelIndex | QPersistentModelIndex
SHOWN_CHARACTERS = 200
TOLD_SCORES, TOLD_NAMES = 12, 100
_KEY = "results\0"
"""Before an input's name among the pictures' keys: the Data page's table may be another."""


class CellSamples(QAbstractTableModel):
    """Some rows of the scores, in an order; only what is looked at is worked out."""

    def __init__(self, maker: LatestFirst, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: Shown | None = None
        self._facts: RowFacts | None = None
        self._at = self._label = 0
        self._places = np.zeros(0, np.int64)
        self.columns: list[tuple[str, str]] = []
        self._pictures = CellPictures(maker, self)
        self._pictures.made.connect(self._on_picture)
        style.changed.connect(self._repaint)

    def show_facts(self, shown: Shown, facts: RowFacts) -> None:
        """Have the columns of a target's samples, and no rows yet."""
        self.beginResetModel()
        self._pictures.forget()
        self._shown, self._facts = shown, facts
        self._places = np.zeros(0, np.int64)
        inputs = [name for name in facts.scores.inputs if name in shown.experiment.inputs]
        self.columns = [("input", name) for name in inputs]
        self.columns += [("row", ""), ("truth", ""), ("answer", "")]
        self.columns += [("error", "")] if facts.task.kind == REGRESSION else [("confidence", "")]
        if len(facts.scores.inputs) > 1:
            self.columns += [("alone", name) for name in inputs if name in facts.alone]
            self.columns += [("apart", "")]
        self.endResetModel()

    def show_places(self, places: np.ndarray, at: int, label: int) -> None:
        """Show rows.

        Args:
            places: ``(n,)`` in the scores, in their order on the screen.
            at: The subset that answers.
            label: Of label sets, the label in question.
        """
        self.beginResetModel()
        self._places, self._at, self._label = places, at, label
        self.endResetModel()

    def place(self, position: int) -> int:
        """Which of the scores' rows stands at a position; -1 for none."""
        return int(self._places[position]) if 0 <= position < len(self._places) else -1

    def table_row(self, position: int) -> int:
        """Which of the table's rows stands at a position; -1 for none."""
        place = self.place(position)
        return -1 if place < 0 or self._facts is None else int(self._facts.scores.rows[place])

    def position_of(self, place: int) -> int:
        """Where one of the scores' rows stands; -1 where it is not on show."""
        found = np.flatnonzero(self._places == place)
        return int(found[0]) if len(found) else -1

    def label_names(self) -> tuple[str, ...]:
        """What stands as answers, as wide as it gets; some of it where there is very much."""
        if self._facts is None:
            return ()
        task = self._facts.task
        if task.kind == REGRESSION:
            known = task.values[task.known]
            ends = (known.min(), known.max()) if len(known) else ()
            return tuple(f"{self._label_text(value)}.0" for value in ends)
        if task.kind == MULTILABEL:
            longest = sorted(task.classes, key=len)[-2:]
            return (", ".join(longest),)
        return task.labels[:TOLD_NAMES]

    def thumbnail_widths(self) -> dict[str, int]:
        """Per input whose files are shown small, how wide these are, pixels."""
        if self._shown is None:
            return {}
        inputs = self._shown.experiment.inputs
        return {name: medium_of(inputs[name].modality).thumbnail_width
                for kind, name in self.columns if kind == "input" and self.is_pictured(name)}

    def words_of(self, place: int) -> str:
        """One of the scores' rows in a few lines."""
        told = [("row", ""), ("truth", ""), ("answer", "")]
        told += [column for column in self.columns
                 if column[0] in ("confidence", "error") or (
                     column[0] == "input" and not self.is_pictured(column[1]))]
        names = {"row": self.tr("Row"), "truth": self.tr("True"), "answer": self.tr("Answer"),
                 "confidence": self.tr("Confidence"), "error": self.tr("Error")}
        return "\n".join(f"{names.get(kind, name)}: {self._text(place, kind, name)}"
                         for kind, name in told)

    def is_pictured(self, name: str) -> bool:
        """Whether an input's files are shown small, in place of their names."""
        if self._shown is None:
            return False
        return medium_of(self._shown.experiment.inputs[name].modality).thumbnail is not None

    # Qt's model ----------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self._places)

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
            return {
                "input": name, "row": self.tr("Row"), "truth": self.tr("True"),
                "answer": self.tr("Answer"), "error": self.tr("Error"),
                "confidence": self.tr("Confidence"),
                "alone": self.tr("{input} alone").format(input=name),
                "apart": self.tr("Disagreement")}[kind]
        if role == Qt.ItemDataRole.ToolTipRole:
            tips = {"apart": self.tr("How far the inputs' own answers lie apart: 0 agree, 1 do "
                                     "not at all"),
                    "alone": self.tr("What the model answers from this input alone"),
                    "confidence": self.tr("The probability of the answer")}
            return plain_tip(tips.get(kind, "")) or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = "AlignRight" if kind in ("row", "confidence", "error", "apart") else "AlignLeft"
            return int(getattr(Qt.AlignmentFlag, side) | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        if not index.isValid() or self._facts is None:
            return None
        place, (kind, name) = self.place(index.row()), self.columns[index.column()]
        if place < 0:
            return None
        if role == Qt.ItemDataRole.DisplayRole and kind == "input" and self.is_pictured(name):
            return "" if self._content(place, name) != "—" else "—"
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._text(place, kind, name)
        if role == Qt.ItemDataRole.DecorationRole and kind == "input":
            return self._picture(place, name)
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(place, kind, name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(place, kind, name)) or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self.headerData(index.column(), Qt.Orientation.Horizontal, role)
        return None

    def _text(self, place: int, kind: str, name: str) -> str:
        facts = self._facts
        if facts is None:
            return ""
        if kind == "input":
            return self._content(place, name)[:SHOWN_CHARACTERS].replace("\n", " ")
        if kind == "row":
            return str(int(facts.scores.rows[place]) + 1)
        if kind == "truth":
            return self._label_text(facts.task.values[place]) if facts.task.known[place] else "—"
        if kind == "answer":
            return self._label_text(facts.answers(self._at)[place])
        if kind == "alone":
            return self._alone_text(place, name)
        values = {"confidence": facts.confidence, "error": facts.wrongness}
        value = float(values[kind](self._at, self._label)[place] if kind in values
                      else facts.apart(self._label)[place])
        if np.isnan(value):
            return "—"
        if kind == "confidence":
            return f"{100 * value:.1f} %"
        return f"{value:.3g}" if facts.task.kind == REGRESSION else f"{value:.2f}"

    def _label_text(self, value: Any) -> str:
        """A class number, a set of labels or a number, for people."""
        task = self._facts.task if self._facts is not None else None
        if task is None:
            return ""
        if task.kind == REGRESSION:
            return f"{float(value):.4g} {task.unit}".strip()
        if task.kind == MULTILABEL:
            names = [name for name, on in zip(task.classes, value, strict=True) if on]
            return ", ".join(names) or self.tr("none")
        return task.labels[int(value)]

    def _alone_text(self, place: int, name: str) -> str:
        facts = self._facts
        if facts is None or not facts.scores.present[place, facts.scores.inputs.index(name)]:
            return self.tr("missing")
        at = facts.alone[name]
        answer = self._label_text(facts.answers(at)[place])
        if facts.task.kind == REGRESSION:
            return answer
        return f"{answer}  {100 * float(facts.confidence(at, self._label)[place]):.0f} %"

    def _content(self, place: int, name: str) -> str:
        shown, facts = self._shown, self._facts
        if shown is None or facts is None:
            return ""
        settings, row = shown.experiment.inputs[name], int(facts.scores.rows[place])
        if row >= len(shown.table):
            return "—"
        cells = [(c, shown.table.cell(row, c)) for c in settings.read_columns
                 if c in shown.table.columns]
        if MODALITIES.get(settings.modality).several_columns:
            return ", ".join(f"{column} {cell}" for column, cell in cells if cell is not None)
        cell = cells[0][1] if cells else None
        if cell is None:
            return "—"
        return cell.replace("\\", "/").rpartition("/")[2] if self.is_pictured(name) else cell

    def _picture(self, place: int, name: str) -> Any:
        shown, facts = self._shown, self._facts
        if shown is None or facts is None:
            return None
        settings, row = shown.experiment.inputs[name], int(facts.scores.rows[place])
        if not self.is_pictured(name) or row >= len(shown.table):
            return None
        if settings.column not in shown.table.columns:
            return None
        path = shown.table.path_of(row, settings.column)
        if path is None:
            return None
        return self._pictures.picture((row, f"{_KEY}{name}"), settings.modality, path)

    def _on_picture(self, row: int, name: str) -> None:
        if self._facts is None or not name.startswith(_KEY):
            return
        column = self.columns.index(("input", name.removeprefix(_KEY)))
        place = int(np.searchsorted(self._facts.scores.rows, row))
        position = self.position_of(place)
        if position >= 0:
            index = self.index(position, column)
            self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])

    def _colour(self, place: int, kind: str, name: str) -> QColor | None:
        facts = self._facts
        if facts is None or kind == "row":
            return style.color("muted")
        task = facts.task
        if kind == "input" or task.kind == REGRESSION or not task.known[place]:
            return style.color("muted") if kind == "input" and (
                self._content(place, name) == "—") else None
        if kind not in ("answer", "alone"):
            return None
        if kind == "alone" and not facts.scores.present[place, facts.scores.inputs.index(name)]:
            return style.color("faint")
        at = self._at if kind == "answer" else facts.alone[name]
        right = bool(np.all(facts.answers(at)[place] == task.values[place]))
        return style.color("good" if right else "bad")

    def _tip(self, place: int, kind: str, name: str) -> str:
        facts = self._facts
        if facts is None:
            return ""
        if kind == "input":
            return self._content(place, name)
        if kind in ("answer", "confidence") and facts.task.kind != REGRESSION:
            return self._scores_text(place, self._at)
        if kind == "alone" and facts.task.kind != REGRESSION:
            return self._scores_text(place, facts.alone[name])
        return ""

    def _scores_text(self, place: int, at: int) -> str:
        """The row's highest scores, a line each."""
        facts = self._facts
        if facts is None:
            return ""
        scores = facts.scores_of_row(at, place)
        order = np.argsort(-scores, kind="stable")[:TOLD_SCORES]
        return "\n".join(f"{facts.task.classes[i]}  {100 * scores[i]:.1f} %" for i in order)

    def _repaint(self) -> None:
        if self.rowCount() and self.columns:
            self.dataChanged.emit(
                self.index(0, 0), self.index(self.rowCount() - 1, len(self.columns) - 1))
