"""What a training would take, looked for while somebody looks at the Train page.

A few real steps tell it, in a job that the window and all else go before. It is left off as soon
as a training starts, and the training waits for its last step: the two would disturb each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmstudio.gui.state.jobs import Job

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.gui.state.session import Session
    from mmstudio.training.fit import Fit

SETTLED_MS = 800
"""So long after the last change of the settings it is looked for."""

AUTOMATIC_ROWS = 2000
"""For projects up to this many rows it is looked for unasked, once their data was checked."""

_NO_MATTER = {"epochs": 1, "minutes": 0.0, "learning_rate": 1e-3, "weight_decay": 0.0,
              "patience": 1, "seed": 0, "warm_up": 0.0, "gradient_clip": 1.0}
"""Settings that change neither the memory nor the time of an epoch."""


class SessionFit(QObject):
    """Keeps the fit of the experiment as it is. Never tells of an error unasked.

    `changed` is sent when there is another one, or the work on it got on.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.fit: Fit | None = None
        self.progress = ""
        self.trouble: tuple[str, str] = ("", "")
        self._key: Any = None
        self._job: Job | None = None
        self._leaving: list[Job] = []
        self._watched = False
        self._settled = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settled.timeout.connect(self._ask_unasked)
        for signal in (session.project_changed, session.experiment_changed, session.check_changed,
                       session.components_ready, session.training_changed,
                       session.models.changed, session.advice.changed,
                       session.comparing.changed):
            signal.connect(self._follow)

    @property
    def is_asking(self) -> bool:
        """Whether it is being looked for."""
        return self._job is not None

    @property
    def can_ask(self) -> bool:
        """Whether there is something to look at, and nothing more important to do."""
        session = self._session
        return (session.ready and session.experiment is not None and session.table is not None
                and not session.training and not session.comparing.running and not session.closed
                and not session.models.missing())

    def watch(self, watched: bool) -> None:
        """Somebody looks at the Train page, or does not any more."""
        self._watched = watched
        self._follow()

    def ask(self) -> None:
        """Look for it now."""
        session = self._session
        experiment, folder = session.experiment, session.project
        if not self.can_ask or experiment is None or folder is None:
            return
        self.leave_off()
        self._key = _key_of(experiment, session.table)
        self.fit, self.trouble, self.progress = None, ("", ""), ""

        def work() -> Iterator[Any]:
            from mmstudio.training.fit import fit

            yield from fit(experiment, folder, should_stop=job.should_stop)

        job = session.start_job(work, self._on_done, self._on_failed, self._on_events,
                                low_priority=True, begin=False)
        self._job = job
        job.begin()
        self.changed.emit()

    def wait_until_over(self) -> None:
        """Block a job's thread until the looks that were left off have ended."""
        for job in self._leaving:
            job.wait()

    def _ask_unasked(self) -> None:
        session = self._session
        if (self._watched and self.can_ask and self.fit is None and not self.is_asking
                and not self.trouble[0] and session.report is not None
                and not session.is_checking and not session.advice.is_asking
                and len(session.table) <= AUTOMATIC_ROWS):
            self.ask()

    def _follow(self) -> None:
        """What was found for other settings does not hold any more."""
        session = self._session
        if session.training or session.comparing.running:
            self.leave_off()
            if self.fit is not None and self.fit.encode_seconds:
                self.fit = None  # the features are kept from now on
        experiment = session.experiment
        key = None if experiment is None else _key_of(experiment, session.table)
        if self._key is not None and key != self._key:
            self.leave_off()
            self._key, self.fit, self.trouble = None, None, ("", "")
        self._settled.start()
        self.changed.emit()

    def leave_off(self) -> None:
        """End the look soon; call before a training begins, which waits for its end."""
        if self._job is not None:
            self._job.cancel(orderly=True)
            self._leaving = [job for job in self._leaving if not job.over] + [self._job]
        self._job, self.progress = None, ""

    def _on_events(self, events: list[Any]) -> None:
        from mmstudio.training.fit import Fit

        last = events[-1]
        if isinstance(last, Fit):
            self.fit = last
        else:
            self.progress = last.message
        self.changed.emit()

    def _on_done(self, _: object) -> None:
        self._job, self.progress = None, ""
        self.changed.emit()

    def _on_failed(self, message: str, hint: str) -> None:
        self.trouble = (message, hint)
        self._on_done(None)


def _key_of(experiment: Experiment, table: Any) -> Any:
    """All that the fit depends on; experiments of two projects may be equal, tables are not."""
    training = dataclasses.replace(experiment.training, **_NO_MATTER)
    return table, dataclasses.replace(experiment, training=training)
