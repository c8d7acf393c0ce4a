"""The other ways to stop a training, beside the button that stops it now."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton

from mmstudio.gui import style
from mmstudio.gui.state.heavy_work import WorkState
from mmstudio.gui.state.training import TrainingController


class StopMenu(QToolButton):
    """A small button with a menu; `after_epoch` is the switch in it."""

    def __init__(self, training: TrainingController) -> None:
        super().__init__()
        self.setObjectName("More ways to stop")
        self.setAccessibleName(self.tr("More ways to stop"))
        self.setToolTip(self.tr("More ways to stop"))
        self.setIconSize(QSize(18, 18))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        now = QAction(self.tr("Stop now\tF7"), self)
        now.triggered.connect(lambda: training.stop())
        self.after_epoch = QAction(self.tr("Stop after this epoch\tShift+F7"), self)
        self.after_epoch.setCheckable(True)
        self.after_epoch.triggered.connect(training.stop_after_epoch)
        for action in (now, self.after_epoch):
            menu.addAction(action)
        self.setMenu(menu)
        training.changed.connect(self._show_state)
        style.changed.connect(self._tint)
        self._tint()
        self._show_state(training.state)

    def _show_state(self, state: WorkState) -> None:
        usable = state.running and not state.stopping
        self.setEnabled(usable)
        self.after_epoch.setEnabled(usable)
        self.after_epoch.setChecked(state.ending)

    def _tint(self) -> None:
        self.setIcon(style.icon("mdi6.chevron-down", "muted"))
