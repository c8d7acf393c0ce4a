"""A job of the queue: what it is, how it stands, and the buttons that change that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from mmstudio.gui import style
from mmstudio.gui.parts.cards import ElidedLabel, IconLabel
from mmstudio.gui.plain_text import plain_tip

if TYPE_CHECKING:
    from mmstudio.jobs_queue.job import Job

_ICONS = {
    "waiting": ("mdi6.clock-outline", "muted"),
    "held": ("mdi6.pause-circle-outline", "warn"),
    "running": ("mdi6.play-circle-outline", "accent"),
    "done": ("mdi6.check-circle-outline", "good"),
    "failed": ("mdi6.alert-circle-outline", "bad"),
    "stopped": ("mdi6.stop-circle-outline", "muted"),
}
_ACTIONS = {
    "up": "mdi6.chevron-up", "down": "mdi6.chevron-down", "hold": "mdi6.pause",
    "release": "mdi6.play", "stop": "mdi6.stop", "remove": "mdi6.close",
}
_OFFERED = {
    "waiting": ("up", "down", "hold", "remove"), "held": ("up", "down", "release", "remove"),
    "running": ("stop",), "done": ("remove",), "failed": ("release", "remove"),
    "stopped": ("release", "remove"),
}


class QueueRow(QFrame):
    """One line of the queue; `asked` carries an action's name and the job's number."""

    asked = Signal(str, int)

    def __init__(self, job: Job, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._number = job.job
        self._state = ""
        self.setAccessibleName(job.name)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 6, 0, 6)
        row.setSpacing(style.SPACE)
        self._icon = IconLabel(*_ICONS["waiting"][:1], 20, "muted")
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        self.name = ElidedLabel(job.name, mode=Qt.TextElideMode.ElideMiddle)
        self.about = ElidedLabel("", "small")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of {0}").format(job.name))
        for widget in (self.name, self.about, self.bar):
            words.addWidget(widget)
        row.addLayout(words, 1)
        self.buttons = {name: self._make(name, icon, job) for name, icon in _ACTIONS.items()}
        for one in self.buttons.values():
            row.addWidget(one, 0, Qt.AlignmentFlag.AlignTop)
        style.changed.connect(self._tint)
        self._tint()

    def _make(self, action: str, icon: str, job: Job) -> QToolButton:
        titles = {
            "up": self.tr("Run {0} earlier"), "down": self.tr("Run {0} later"),
            "hold": self.tr("Hold {0}"), "release": self.tr("Let {0} wait for its turn"),
            "stop": self.tr("Stop {0}; its model so far is kept"),
            "remove": self.tr("Remove {0} from the queue; what it trained stays"),
        }
        made = QToolButton()
        made.setObjectName(f"{action} {job.name}")
        made.setAccessibleName(titles[action].format(job.name).partition(";")[0])
        made.setToolTip(plain_tip(titles[action].format(job.name)))
        made.setIconSize(QSize(16, 16))
        made.clicked.connect(lambda: self.asked.emit(action, self._number))
        return made

    def show_job(self, job: Job, share: float | None, first: bool, last: bool) -> None:
        """Show how it stands.

        Args:
            job: As it is now.
            share: What is done of it, 0 to 1; None where nothing tells it.
            first: Nothing that waits comes before it.
            last: Nothing that waits comes after it.
        """
        if job.state != self._state:
            self._state = job.state
            self._icon.show_icon(*_ICONS[job.state])
            for name, one in self.buttons.items():
                one.setVisible(name in _OFFERED[job.state])
        for name, at_end in (("up", first), ("down", last)):
            self.buttons[name].setEnabled(not at_end)
        stopping = job.wish == "stop"
        self.buttons["stop"].setEnabled(not stopping)
        self.about.set_text(self._words(job, share))
        self.bar.setVisible(job.state == "running")
        self.bar.setMaximum(1000 if share is not None else 0)
        self.bar.setValue(round(1000 * (share or 0.0)))

    def _words(self, job: Job, share: float | None) -> str:
        kind = {"train": self.tr("Training"), "compare": self.tr("Comparison"),
                "folds": self.tr("Cross-validation")}[job.kind]
        percent = "" if not share else f"{int(100 * share)} %"
        if job.state == "running":
            words = self.tr("stopping …") if job.wish == "stop" else percent or self.tr(
                "getting ready …")
        elif job.state == "failed":
            words = f"{job.message} {job.hint}".strip() or self.tr("failed")
        else:
            words = {
                "waiting": self.tr("waits"), "held": self.tr("on hold"), "done": self.tr("done"),
                "stopped": self.tr("stopped"),
            }[job.state]
            if job.begun and percent and job.state != "done":
                words = self.tr("{state} at {share}").format(state=words, share=percent)
        return f"{kind} · {words}"

    def _tint(self) -> None:
        for name, one in self.buttons.items():
            one.setIcon(style.icon(_ACTIONS[name], "muted"))
