"""The queue's panel, over the right edge of the page: its jobs, and what starts and ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mmstudio.gui import style
from mmstudio.gui.parts.cards import EmptyState, button, label
from mmstudio.gui.parts.queue_row import QueueRow
from mmstudio.gui.state.queue_store import Listing, QueueStore

if TYPE_CHECKING:
    from mmstudio.jobs_queue.job import Job

WIDTH, MOST_HEIGHT = 420, 560


class QueuePanel(QFrame):
    """Hidden until somebody asks for it; `shown` tells whether it is there."""

    shown = Signal(bool)

    def __init__(self, queue: QueueStore, parent: QWidget) -> None:
        super().__init__(parent)
        self._queue, self._around = queue, parent
        self._rows: dict[tuple[int, str, str], QueueRow] = {}
        self.setObjectName("Queue panel")
        self.setAccessibleName(self.tr("Queue"))
        style.mark(self, "card")
        self.setFixedWidth(WIDTH)
        box = QVBoxLayout(self)
        box.setContentsMargins(16, 12, 16, 16)
        box.setSpacing(style.SPACE)
        box.addLayout(self._head())
        self.about = label("", "muted", wrap=True)
        box.addWidget(self.about)
        self._stack = QStackedWidget()
        self._stack.addWidget(EmptyState(
            "mdi6.tray", self.tr("The queue is empty"),
            self.tr("“Add to queue” on the Train and the Compare page puts a training or a "
                    "comparison here. They run one after another.")))
        self._stack.addWidget(self._list())
        box.addWidget(self._stack, 1)
        box.addLayout(self._foot())
        queue.listed.connect(self._show_listing)
        queue.changed.connect(self._show_state)
        style.changed.connect(self._tint)
        self._tint()
        self.hide()

    # Building ------------------------------------------------------------------------------

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(label(self.tr("Queue"), "section"), 1)
        self._close = QToolButton()
        self._close.setAccessibleName(self.tr("Close the queue"))
        self._close.setToolTip(self.tr("Close (Esc)"))
        self._close.setIconSize(QSize(16, 16))
        self._close.clicked.connect(lambda: self.show_panel(False))
        row.addWidget(self._close)
        return row

    def _list(self) -> QWidget:
        holder = QWidget()
        self._lines = QVBoxLayout(holder)
        self._lines.setContentsMargins(0, 0, 8, 0)
        self._lines.setSpacing(0)
        self._lines.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(holder)
        return scroll

    def _foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.clear_button = button(
            self.tr("Clear finished"), mark="link", name="Clear finished",
            tip=self.tr("Remove finished jobs from the list; the runs stay"))
        self.clear_button.clicked.connect(self._clear)
        row.addWidget(self.clear_button)
        row.addStretch(1)
        self.stop_button = button(
            self.tr("Stop queue"), "mdi6.stop", name="Stop queue",
            tip=self.tr("Stop the running job; it waits, and continues at the next start"))
        self.stop_button.clicked.connect(self._stop)
        self.start_button = button(
            self.tr("Start queue"), "mdi6.play", "primary", name="Start queue")
        self.start_button.clicked.connect(self._queue.start)
        row.addWidget(self.stop_button)
        row.addWidget(self.start_button)
        return row

    # Showing -------------------------------------------------------------------------------

    def show_panel(self, shown: bool) -> None:
        """Show it, or put it away."""
        if shown:
            self.place()
            self.show()
            self._show_listing(self._queue.listing)
            self.raise_()
            self._close.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.hide()
        self._queue.watch(shown)
        self.shown.emit(shown)

    def place(self) -> None:
        """Stand at the right edge of the window, below its header."""
        around = self._around.rect()
        top = 56
        height = min(MOST_HEIGHT, around.height() - top - 16)
        self.setGeometry(around.width() - WIDTH - 12, top, WIDTH, max(height, 200))

    def _show_listing(self, listing: Listing) -> None:
        if self.isHidden():
            return  # its lines are made when somebody looks
        here = {_key(job) for job in listing.jobs}
        for key in [key for key in self._rows if key not in here]:
            gone = self._rows.pop(key)
            gone.hide()
            gone.deleteLater()
        for at, job in enumerate(listing.jobs):
            row = self._rows.get(_key(job))
            if row is None:
                row = self._rows[_key(job)] = QueueRow(job)
                row.asked.connect(self._do)
            if self._lines.indexOf(row) != at:
                self._lines.removeWidget(row)
                self._lines.insertWidget(at, row)
        waiting = [job.job for job in listing.of_state("waiting", "held")]
        for job in listing.jobs:
            self._rows[_key(job)].show_job(job, listing.shares.get(job.job),
                                           job.job in waiting[:1], job.job in waiting[-1:])
        self._stack.setCurrentIndex(1 if listing.jobs else 0)
        self._show_state()

    def _show_state(self) -> None:
        queue, listing = self._queue, self._queue.listing
        running, waits = queue.running, bool(listing.of_state("waiting", "running"))
        self.stop_button.setVisible(running or queue.follows)
        self.stop_button.setEnabled(not queue.stopping)
        self.stop_button.setText(
            self.tr("Stop queue") if running else self.tr("Don't start"))
        self.stop_button.setAccessibleName(self.stop_button.text())
        self.start_button.setVisible(not running and not queue.follows)
        self.start_button.setEnabled(waits and not listing.worker)
        self.clear_button.setVisible(bool(listing.of_state("done")))
        self.about.setText(self._words(listing))
        self.about.setVisible(bool(self.about.text()))

    def _words(self, listing: Listing) -> str:
        queue, waiting = self._queue, len(listing.of_state("waiting"))
        if listing.worker:
            return self.tr("Run by {0}, started elsewhere: it is shown here, and what you add "
                           "runs there.").format(listing.worker)
        if queue.stopping:
            return self.tr("Stopping; the running job is kept …")
        if queue.follows:
            return self.tr("Starts when the current work ends.")
        if queue.running:
            return (self.tr("Running; {0} more to do.").format(waiting) if waiting
                    else self.tr("Running the last one."))
        if not waiting:
            return ""
        return self.tr("1 waits.") if waiting == 1 else self.tr("{0} wait.").format(waiting)

    # What a person does --------------------------------------------------------------------

    def _do(self, action: str, number: int) -> None:
        queue = self._queue
        {"up": lambda: queue.move(number, -1), "down": lambda: queue.move(number, 1),
         "hold": lambda: queue.hold(number), "release": lambda: queue.release(number),
         "stop": lambda: queue.stop_job(number), "remove": lambda: queue.remove(number),
         }[action]()

    def _stop(self) -> None:
        if self._queue.running:
            self._queue.stop()
        else:
            self._queue.forgo()

    def _clear(self) -> None:
        self._queue.remove(*[job.job for job in self._queue.listing.of_state("done")])

    def _tint(self) -> None:
        self._close.setIcon(style.icon("mdi6.close", "muted"))


def _key(job: Job) -> tuple[int, str, str]:
    """What tells a job from another: its number alone is used again once it is removed."""
    return job.job, job.added, job.name
