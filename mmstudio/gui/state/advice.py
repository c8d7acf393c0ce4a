"""The session's advice on the fusion: asked for while somebody looks, renewed when it is old."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmstudio.gui.state.job_slot import JobSlot

if TYPE_CHECKING:
    from mmstudio.advice import Advice
    from mmstudio.experiment import Experiment
    from mmstudio.gui.state.session import Session

SETTLED_MS = 600
"""So long after the last change of the inputs the data is looked at."""

AUTOMATIC_ROWS = 2000
"""Projects up to this many rows are looked at unasked, once they were checked and so decoded."""


class SessionAdvice(QObject):
    """Keeps the advice for the experiment as it is. Never tells of an error unasked.

    `changed` is sent when there is other advice, or the work on it got on.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.advice: Advice | None = None
        self.progress = ""
        self.trouble = ""
        self._key: Any = None
        self._asking = JobSlot(session.start_job, session.project_scope)
        self._watched = False
        self._settled = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settled.timeout.connect(self._ask_unasked)
        session.project_changed.connect(self._start_anew)
        for signal in (session.experiment_changed, session.check_changed,
                       session.components_ready, session.splits_changed):
            signal.connect(self._follow)
        session.training_changed.connect(self._make_way)

    @property
    def is_asking(self) -> bool:
        """Whether the data is being looked at."""
        return self._asking.busy

    @property
    def can_ask(self) -> bool:
        """Whether there is something to look at, and nothing more important to do."""
        session = self._session
        return (session.ready and session.experiment is not None and session.table is not None
                and not session.training and not session.closed)

    def watch(self, watched: bool) -> None:
        """Somebody looks at the advice, or does not any more."""
        self._watched = watched
        self._follow()

    def ask(self) -> None:
        """Look at the data now."""
        session = self._session
        experiment, folder = session.experiment, session.project
        if not self.can_ask or experiment is None or folder is None:
            return
        self._leave_off()
        self._key = _key_of(experiment)
        self.advice, self.trouble, self.progress = None, "", ""

        def work() -> Iterator[Any]:
            from mmstudio.advice import advise

            yield from advise(experiment, folder)

        self._asking.run(
            work, self._on_done, self._on_failed, self._on_events, low_priority=True)
        self.changed.emit()

    def _ask_unasked(self) -> None:
        session = self._session
        if (self._watched and self.can_ask and self.advice is None and not self.is_asking
                and not self.trouble and session.report is not None and not session.is_checking
                and len(session.table) <= AUTOMATIC_ROWS):
            self.ask()

    def _start_anew(self) -> None:
        self._key = None
        self._forget()
        self._follow()

    def _follow(self) -> None:
        """What was said of other inputs or targets does not hold any more."""
        experiment = self._session.experiment
        if self._key is not None and (experiment is None or _key_of(experiment) != self._key):
            self._forget()
        self._settled.start()
        self.changed.emit()

    def _make_way(self) -> None:
        """A training needs the machine for itself."""
        if self._session.training:
            self._leave_off()
        self._follow()

    def _forget(self) -> None:
        self._leave_off()
        self.advice, self.trouble = None, ""

    def _leave_off(self) -> None:
        self._asking.cancel()
        self.progress = ""

    def _on_events(self, events: list[Any]) -> None:
        from mmstudio.advice import Advice

        last = events[-1]
        if isinstance(last, Advice):
            self.advice = last
        else:
            self.progress = last.message
        self.changed.emit()

    def _on_done(self, _: object) -> None:
        self.progress = ""
        self.changed.emit()

    def _on_failed(self, message: str, _: str) -> None:
        self.trouble = message
        self._on_done(None)


def _key_of(experiment: Experiment) -> Any:
    """All that the advice depends on."""
    return (
        experiment.data, experiment.training.seed,
        {n: (i.read_columns, i.modality, i.options) for n, i in experiment.active_inputs.items()},
        {n: (t.column, t.columns, t.task, t.options, t.merge)
         for n, t in experiment.active_targets.items()},
    )
