"""The problems by kind, how many of each, and one button per kind that mends them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import button, label
from mmstudio.gui.parts.emptied import empty
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.mending import Mending

WIDTH = 372


class ProblemGroups(QScrollArea):
    """One line per kind; `kind_chosen` brings the kind that was clicked.

    `heading` is for the card's head: what was mended last, and the button `Undo`.
    """

    kind_chosen = Signal(str)

    def __init__(self, check: DataCheck, mending: Mending, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._check, self._mending = check, mending
        self._shown: Any = None
        self.setWidgetResizable(True)
        self.setFixedWidth(WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        holder = QWidget()
        self._box = QVBoxLayout(holder)
        self._box.setContentsMargins(0, 0, 8, 0)
        self._box.setSpacing(2)
        self._box.addStretch(1)
        self.setWidget(holder)
        self.heading = self._heading()
        self._check.changed.connect(self._show)
        self._mending.changed.connect(self._show)
        self._show()

    def _heading(self) -> QWidget:
        widget = QWidget()
        row = QHBoxLayout(widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE)
        self._summary = label("", "small")
        row.addWidget(self._summary)
        self.undo = button(
            self.tr("Undo"),
            "mdi6.undo",
            "link",
            self.tr("Undo the last fix; the data itself was not changed"),
        )
        self.undo.clicked.connect(self._mending.undo)
        row.addWidget(self.undo)
        return widget

    def _show(self) -> None:
        self._summary.setText(self._mending.summary)
        self.heading.setVisible(bool(self._mending.summary))
        report = self._check.report
        if report is self._shown:
            return
        self._shown = report
        empty(self._box, keep=1)
        self.setVisible(report is not None and bool(report.problems))
        if report is not None:
            from mmstudio.data.checks import by_kind

            for place, (kind, problems) in enumerate(by_kind(report.problems).items()):
                self._box.insertWidget(place, self._line(kind, len(problems)))

    def _line(self, kind: str, count: int) -> QWidget:
        from mmstudio.data.checks import KINDS

        widget = QWidget()
        row = QHBoxLayout(widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.SPACE)
        name = QToolButton()
        title = self.tr(KINDS[kind].title)
        name.setText(f"{title} ({count:,})")
        name.setAccessibleName(title)
        name.setToolTip(plain_tip(self.tr(KINDS[kind].why)))
        name.setCursor(Qt.CursorShape.PointingHandCursor)
        style.mark(name, "disclose")
        name.clicked.connect(lambda: self.kind_chosen.emit(kind))
        row.addWidget(name, 1, Qt.AlignmentFlag.AlignLeft)
        if KINDS[kind].mend:
            text, tip = self._mend_texts(KINDS[kind].mend)
            mend = button(text, mark="link", tip=tip, name=f"{text}: {title}")
            mend.clicked.connect(lambda: self._mending.mend(kind))
            row.addWidget(mend)
        return widget

    def _mend_texts(self, mend: str) -> tuple[str, str]:
        return {
            "leave_out": (
                self.tr("Leave out"),
                self.tr("Leave these rows out of all splits; the files and the table stay"),
            ),
            "merge_labels": (
                self.tr("Merge"),
                self.tr("Take these labels for the more frequent spelling; the table stays"),
            ),
            "split_by_group": (
                self.tr("Split by group"),
                self.tr("Split again, so that each group stays together"),
            ),
        }[mend]
