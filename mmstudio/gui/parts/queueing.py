"""What pages have that put something into the queue: the button, and the note that it is there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from mmstudio.gui.parts.cards import IconButton, button
from mmstudio.gui.parts.note_line import NoteLine
from mmstudio.gui.plain_text import plain_tip
from mmstudio.gui.state.queue_store import Listing, QueueStore

if TYPE_CHECKING:
    from mmstudio.jobs_queue.job import Job


class AddToQueue(IconButton):
    """The button `Add to queue`, to stand beside one that starts.

    Args:
        add: Puts what the page shows into the queue.
        tip: Says what that is.
    """

    def __init__(self, add: Callable[[], None], tip: str) -> None:
        super().__init__("", "mdi6.tray-plus")
        self.setText(self.tr("Add to queue"))
        self.setObjectName("Add to queue")
        self.setAccessibleName(self.tr("Add to queue"))
        self.setToolTip(plain_tip(tip))
        self.clicked.connect(add)


class QueuedNote(NoteLine):
    """Says that a job of some kinds waits now; `show_queue` leads to the queue.

    Args:
        queue: Tells what was added.
        kinds: ``train``, ``compare``, ``folds``.
    """

    def __init__(
        self, queue: QueueStore, kinds: Collection[str], parent: QWidget | None = None
    ) -> None:
        super().__init__("Added to the queue", parent)
        self._queue, self._kinds = queue, kinds
        self._number = 0
        self.show_queue = button(self.tr("Show queue"), name="Show queue")
        self.show_queue.clicked.connect(self.hide)
        self.add_button(self.show_queue)
        queue.added.connect(self._show_added)
        queue.listed.connect(self._look_again)

    def _show_added(self, job: Job) -> None:
        if job.kind not in self._kinds:
            return
        queue = self._queue
        if queue.running or queue.listing.worker:
            hint = self.tr("Its turn comes after what was added before.")
        elif queue.follows:
            hint = self.tr("It starts when the current work ends.")
        else:
            hint = self.tr("Start the queue to run what waits, one after another.")
        self._number = job.job
        self.show_note(self.tr("{0} waits in the queue.").format(job.name), hint)

    def _look_again(self, listing: Listing) -> None:
        """What waits no more needs no word here: the queue and the header tell of it."""
        if any(job.job == self._number for job in listing.jobs) and not any(
                job.job == self._number for job in listing.of_state("waiting", "held")):
            self.hide()
