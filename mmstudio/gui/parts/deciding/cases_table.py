"""The list of rows to decide on: what is the matter, the label, and what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QWidget

from mmstudio.evaluation.findings import (
    CHOSEN,
    COPY,
    DOUBTED,
    FIRST,
    LABEL,
    LEAK,
    OUTLIER,
    UNLABELLED,
    Finding,
)
from mmstudio.gui import style
from mmstudio.gui.parts.table_look import dress
from mmstudio.gui.plain_text import plain_tip

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 30
_COLUMNS = ("row", "matter", "given", "suggested", "decision")
_NAVIGATION = {
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Tab, Qt.Key.Key_Backtab}


class Cases(QAbstractTableModel):
    """Findings, with the decision on each where there is one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.findings: tuple[Finding, ...] = ()
        self.decisions: list[Any] = []
        style.changed.connect(self._repaint)

    def show_findings(self, findings: Sequence[Finding], decisions: Sequence[Any]) -> None:
        """Show other findings."""
        self.beginResetModel()
        self.findings, self.decisions = tuple(findings), list(decisions)
        self.endResetModel()

    def show_decisions(self, decisions: Sequence[Any]) -> None:
        """Other decisions on the same findings, one each or None."""
        self.decisions = list(decisions)
        self._repaint()

    def next_open(self, after: int) -> int:
        """The place of the next finding that is not decided, from the first again; -1 for none."""
        count = len(self.findings)
        for step in range(1, count + 1):
            if self.decisions[(after + step) % count] is None:
                return (after + step) % count
        return -1

    def matter(self, finding: Finding) -> str:
        """What is the matter with a row, in a few words."""
        if finding.kind == LABEL:
            words = {FIRST: self.tr("Label contradicted"), DOUBTED: self.tr("Label in doubt")}
            return words.get(finding.certainty, self.tr("Label likely wrong"))
        return {LEAK: self.tr("In two splits"), COPY: self.tr("Near-duplicate"),
                OUTLIER: self.tr("Outlier"), UNLABELLED: self.tr("No label"),
                CHOSEN: self.tr("Chosen")}.get(finding.kind, finding.kind)

    def verdict(self, decision: Any) -> str:
        """A decision, for people."""
        from mmstudio.evaluation.decisions import KEEP, LEAVE_OUT, RELABEL

        if decision is None:
            return ""
        if decision.verdict == RELABEL:
            return f"→ {decision.label}"
        return {KEEP: self.tr("Kept"), LEAVE_OUT: self.tr("Left out")}.get(
            decision.verdict, self.tr("Skipped"))

    # Qt's model ----------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(self.findings)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Qt's."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Qt's."""
        if orientation == Qt.Orientation.Vertical or not 0 <= section < len(_COLUMNS):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("Row"), self.tr("What"), self.tr("Label"), self.tr("Suggested"),
                    self.tr("Decision"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == 0 else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Qt's."""
        if not index.isValid() or index.row() >= len(self.findings):
            return None
        finding, decision = self.findings[index.row()], self.decisions[index.row()]
        column = _COLUMNS[index.column()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = {"row": f"{finding.row + 1:,}", "matter": self.matter(finding),
                    "given": finding.given, "suggested": finding.suggested,
                    "decision": self.verdict(decision)}[column]
            return text if role == Qt.ItemDataRole.DisplayRole else plain_tip(text) or None
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._colour(finding, decision, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self.headerData(index.column(), Qt.Orientation.Horizontal, role)
        return None

    def _colour(self, finding: Finding, decision: Any, column: str) -> QColor | None:
        if column == "decision":
            return style.color("good")
        if decision is not None or column == "row":
            return style.color("muted")
        if column == "matter" and finding.kind == LABEL and finding.certainty == FIRST:
            return style.color("bad")
        return None

    def _repaint(self) -> None:
        if self.findings:
            self.dataChanged.emit(
                self.index(0, 0), self.index(len(self.findings) - 1, len(_COLUMNS) - 1))


class CasesTable(QTableView):
    """`passed` brings the place of the finding that is looked at, -1 for none.

    Keys that move nowhere are left to the panel around it: they are decisions.
    """

    passed = Signal(int)

    def __init__(self, model: Cases, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        dress(self, "Rows to decide on", least_column=48, row_height=ROW_HEIGHT)
        self.setModel(model)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setStretchLastSection(True)

    def show_place(self, place: int) -> None:
        """Look at a finding."""
        index = self.model().index(place, 0)
        if index.isValid():
            self.setCurrentIndex(index)
            self.scrollTo(index)
        else:
            self.passed.emit(-1)

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Qt's: tell which finding is looked at."""
        super().currentChanged(current, previous)
        self.passed.emit(current.row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's: move, or leave the key to the panel."""
        if event.key() in _NAVIGATION or event.matches(QKeySequence.StandardKey.Copy):
            super().keyPressEvent(event)
        else:
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's: share the width among the columns."""
        super().resizeEvent(event)
        row, matter, more = 52, 152, 14
        hidden = sum(self.isColumnHidden(at) for at in (1, 2))
        room = self.viewport().width() - row - (0 if self.isColumnHidden(1) else matter)
        each = max(56, room // (2 if hidden else 3))
        for section, width in enumerate((row, matter, each - more, each + more)):
            self.setColumnWidth(section, width)

    def show_labels_only(self) -> None:
        """Leave out what is the same of all rows where only labels are asked for."""
        self.setColumnHidden(1, True)
        self.setColumnHidden(2, True)
