"""The line above the pages: the project, what is running, on which device."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QProgressBar, QToolButton, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import ElidedLabel, IconLabel, label
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.comparison import ComparisonController
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_opener import ProjectOpener
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.queue_store import Listing, QueueStore
from mmstudio.gui.state.runs_store import RunsStore
from mmstudio.gui.state.search_store import SearchController
from mmstudio.gui.state.training import TrainingController


class Header(QFrame):
    """Shows the project and what runs.

    `training_clicked` asks for where it is shown, `queue_clicked` for the queue.
    """

    training_clicked = Signal()
    queue_clicked = Signal()
    theme_clicked = Signal()

    def __init__(
        self, project: ProjectStore, opener: ProjectOpener, libraries: Libraries, check: DataCheck,
        runs: RunsStore, training: TrainingController, comparing: ComparisonController,
        searching: SearchController, queue: QueueStore, menu: QMenu, parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._project, self._opener, self._libraries = project, opener, libraries
        self._check, self._runs, self._training = check, runs, training
        self._comparing, self._searching, self._queue = comparing, searching, queue
        style.mark(self, "header")
        self.setFixedHeight(48)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 12, 0)
        row.setSpacing(8)
        self.project = QToolButton()
        self.project.setAccessibleName(self.tr("Project"))
        self.project.setObjectName("Project")
        self.project.setToolTip(self.tr("Open, make or change projects"))
        self.project.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.project.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.project.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.project.setMenu(menu)
        self.project.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.mark(self.project, "project")
        row.addWidget(self.project)
        self.path = ElidedLabel("", "small", mode=Qt.TextElideMode.ElideMiddle)
        row.addWidget(self.path, 1)
        self.busy = label("", "muted")
        row.addWidget(self.busy)
        row.addWidget(self._training_part())
        row.addWidget(self._queue_button())
        self._device_icon = IconLabel("mdi6.laptop", 18, "faint")
        self.device = label(self.tr("Getting ready …"), "small")
        self.device.setObjectName("Device")
        row.addWidget(self._device_icon)
        row.addWidget(self.device)
        self.theme = QToolButton()
        self.theme.setAccessibleName(self.tr("Light or dark"))
        self.theme.setToolTip(self.tr("Light or dark"))
        self.theme.setIconSize(QSize(18, 18))
        self.theme.clicked.connect(self.theme_clicked)
        row.addWidget(self.theme)
        self._connect()
        self._tint()
        self._show_project(self._project.folder)

    def _training_part(self) -> QWidget:
        self.running = QToolButton()
        self.running.setObjectName("Running")
        self.running.setAccessibleName(self.tr("Running"))
        self.running.setToolTip(self.tr("Show what is being trained"))
        self.running.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.running.clicked.connect(self.training_clicked)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(96)
        part = QWidget()
        row = QHBoxLayout(part)
        row.setContentsMargins(0, 0, 16, 0)
        row.setSpacing(4)
        row.addWidget(self.running)
        row.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignVCenter)
        part.hide()
        self._running_part = part
        return part

    def _queue_button(self) -> QToolButton:
        self.queue = QToolButton()
        self.queue.setObjectName("Queue")
        self.queue.setAccessibleName(self.tr("Queue"))
        self.queue.setCheckable(True)
        self.queue.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.queue.setIconSize(QSize(18, 18))
        self.queue.clicked.connect(self.queue_clicked)
        self.queue.hide()
        return self.queue

    def _connect(self) -> None:
        self._project.changed.connect(self._show_project)
        self._opener.busy_changed.connect(self.busy.setText)
        self._libraries.components_ready.connect(self._show_device)
        self._training.changed.connect(self._show_training)
        self._training.events.connect(self._show_training)
        self._comparing.changed.connect(self._show_training)
        self._comparing.events_arrived.connect(self._show_training)
        self._searching.changed.connect(self._show_training)
        self._searching.events_arrived.connect(self._show_training)
        self._queue.changed.connect(self._show_training)
        self._queue.listed.connect(self._show_queue)
        self._check.changed.connect(self._show_check)
        style.changed.connect(self._tint)

    def _show_project(self, project: Path | None) -> None:
        self.project.setText(project.name if project else self.tr("Multimodal Studio"))
        self.path.set_text(str(project.parent) if project else "")
        self.queue.setVisible(project is not None)

    def _show_queue(self, listing: Listing) -> None:
        waiting = len(listing.of_state("waiting", "held", "running"))
        self.queue.setText(str(waiting) if waiting else "")
        tip = self.tr("Queue: trainings and comparisons that run one after another")
        if waiting:
            tip = self.tr("Queue: {0} to do").format(waiting)
        self.queue.setToolTip(plain_tip(tip))
        self.queue.setAccessibleDescription(tip)
        self._show_training()

    def _show_device(self, name: str) -> None:
        self.device.setText(name)

    def _show_check(self) -> None:
        checking = self._check.progress
        if self._opener.busy:
            return
        if checking is not None and checking.total:
            share = 100 * checking.done // checking.total
            self.busy.setText(self.tr("Checking data {0} %").format(share))
        else:
            self.busy.setText("")

    def _show_training(self, _: object = None) -> None:
        self._running_part.setVisible(any(work.running for work in (
            self._training, self._comparing, self._searching, self._queue)))
        if self._queue.running:
            listing = self._queue.listing
            share = next((listing.shares.get(job.job) or 0.0
                          for job in listing.of_state("running")), 0.0)
            self._show_share(share, self._queue.stopping, False, self.tr("Queue: job at {0} %"))
            return
        for other, going in ((self._comparing, self.tr("Comparing {0} %")),
                             (self._searching, self.tr("Searching {0} %"))):
            if other.running and other.progress is not None:
                self._show_share(other.progress.share(), other.stopping, other.paused, going)
                return
        state, history = self._training.state, self._runs.history
        if not state.running or history is None:
            return
        going = self.tr("Training {0} %")
        if history.started is None:
            going = self.tr("Preparing …")
        self._show_share(history.progress(), state.stopping, state.paused, going)

    def _show_share(self, done: float, stopping: bool, paused: bool, going: str) -> None:
        self.bar.setValue(round(1000 * done))
        percent = int(100 * done)
        if stopping:
            text = self.tr("Stopping …")
        elif paused:
            text = self.tr("Paused at {0} %").format(percent)
        else:
            text = going.format(percent)
        if self.running.text() != text:
            self.running.setText(text)

    def _tint(self) -> None:
        dark = style.palette().dark
        self.theme.setIcon(
            style.icon("mdi6.weather-sunny" if dark else "mdi6.weather-night", "muted")
        )
        self.queue.setIcon(style.icon("mdi6.tray-full", "muted"))
        self.project.setIcon(style.icon("mdi6.folder-outline", "accent"))
