"""A switch between two views, such as a run's curves and what its inputs are worth."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from mmstudio.gui import style
from mmstudio.gui.plain_text import plain_tip


class ViewSwitch(QWidget):
    """Two buttons, one of them down; `chosen` brings the view's number.

    Args:
        views: Each one's name and tip; those of a run by default.
    """

    chosen = Signal(int)

    def __init__(
        self, parent: QWidget | None = None, views: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Make it hidden: there is one view only."""
        super().__init__(parent)
        self._group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        views = views or (
            (self.tr("Curves"), self.tr("How the model learnt, epoch by epoch")),
            (self.tr("What each input brings"),
             self.tr("How well the model answers from each subset of the inputs")),
        )
        for view, (text, tip) in enumerate(views):
            button = QToolButton(self)
            button.setText(text)
            button.setAccessibleName(text)
            button.setObjectName(text)
            button.setToolTip(plain_tip(tip))
            button.setCheckable(True)
            button.setChecked(view == 0)
            style.mark(button, "toggle")
            self._group.addButton(button, view)
            layout.addWidget(button)
        layout.addStretch(1)
        self._group.idToggled.connect(self._toggled)
        self.hide()

    def offer(self, both: bool) -> None:
        """Show the switch where there are both views; else the first one is shown."""
        self.setVisible(both)
        if not both:
            self._group.button(0).setChecked(True)

    def choose(self, view: int) -> None:
        """Press a view's button."""
        self._group.button(view).setChecked(True)

    def _toggled(self, view: int, on: bool) -> None:
        if on:
            self.chosen.emit(view)
