"""What else than one training the Train page can add to the queue: a cross-validation."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton

from mmstudio.gui import style

FOLDS = (3, 5, 10)


class QueueMenu(QToolButton):
    """A small button with a menu.

    Args:
        cross_validate: Adds a cross-validation with so many folds to the queue.

    Attributes:
        folds: Per number of folds the action that adds it.
    """

    def __init__(self, cross_validate: Callable[[int], None]) -> None:
        super().__init__()
        self.setObjectName("Cross-validate")
        self.setAccessibleName(self.tr("Cross-validate"))
        self.setToolTip(self.tr(
            "Add a cross-validation to the queue: each row is answered by a model that has not "
            "seen it"))
        self.setIconSize(QSize(18, 18))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        self.folds: dict[int, QAction] = {}
        for count in FOLDS:
            action = QAction(self.tr("Cross-validate: {0} folds").format(count), self)
            action.triggered.connect(lambda _=False, count=count: cross_validate(count))
            menu.addAction(action)
            self.folds[count] = action
        self.setMenu(menu)
        style.changed.connect(self._tint)
        self._tint()

    def _tint(self) -> None:
        self.setIcon(style.icon("mdi6.chevron-down", "muted"))
