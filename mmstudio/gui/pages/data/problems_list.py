"""The list of what is wrong with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from mmstudio.gui import style
from mmstudio.gui.plain_text import plain_tip

if TYPE_CHECKING:
    from mmstudio.data.checks import Problem

MOST = 500
KIND_ROLE = Qt.ItemDataRole.UserRole + 1


class ProblemsList(QListWidget):
    """The list `Problems`; `row_chosen` brings the row of the problem that was chosen."""

    row_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Problems")
        self.setObjectName("Problems")
        style.mark(self, "flat")
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._hint = ""
        self.itemActivated.connect(self._on_chosen)
        self.itemClicked.connect(self._on_chosen)
        style.changed.connect(self._tint)

    def show_hint(self, text: str) -> None:
        """Show a text where there is no problem to list."""
        self._hint = text
        self.setAccessibleDescription(text)
        self.viewport().update()

    def show_problems(self, problems: tuple[Problem, ...]) -> None:
        """List problems, those of a kind together."""
        from mmstudio.data.checks import by_kind

        self.clear()
        ordered = [problem for listed in by_kind(problems).values() for problem in listed]
        for problem in ordered[:MOST]:
            where = []
            if problem.row >= 0:
                where.append(self.tr("Row {0}").format(problem.row + 1))
            if problem.column:
                where.append(problem.column)
            head = " · ".join(where)
            item = QListWidgetItem(f"{head}: {problem.message}" if head else problem.message)
            item.setData(Qt.ItemDataRole.UserRole, problem.row)
            item.setData(KIND_ROLE, problem.kind)
            item.setToolTip(plain_tip(f"{problem.message}\n{problem.hint}".strip()))
            self.addItem(item)
        if len(problems) > MOST:
            more = QListWidgetItem(self.tr("and {0:,} more").format(len(problems) - MOST))
            more.setFlags(Qt.ItemFlag.NoItemFlags)
            self.addItem(more)
        self._tint()

    def go_to_kind(self, kind: str) -> None:
        """Show the first problem of a kind."""
        for index in range(self.count()):
            if self.item(index).data(KIND_ROLE) == kind:
                self.setCurrentRow(index)
                self.scrollToItem(self.item(index), QListWidget.ScrollHint.PositionAtTop)
                return

    def _on_chosen(self, item: QListWidgetItem) -> None:
        row = item.data(Qt.ItemDataRole.UserRole)
        if isinstance(row, int) and row >= 0:
            self.row_chosen.emit(row)

    def _tint(self) -> None:
        icon = style.icon("mdi6.alert-outline", "warn")
        for index in range(self.count()):
            self.item(index).setIcon(icon)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The hint stands where nothing is listed."""
        super().paintEvent(event)
        if self.count() or not self._hint:
            return
        painter = QPainter(self.viewport())
        painter.setPen(style.color("muted"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.viewport().rect().adjusted(16, 8, -16, -8), int(flags), self._hint)
