"""What a training would take, looked for while somebody looks at the Train page.

A few real steps tell it, in a job that the window and all else go before. It is left off as soon
as a training starts, and the training waits for its last step: the two would disturb each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmstudio.gui.state.advice import AdviceStore
from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.training.fit import Fit

SETTLED_MS = 800
"""So long after the last change of the settings it is looked for."""

AUTOMATIC_ROWS = 2000
"""For projects up to this many rows it is looked for unasked, once their data was checked."""

_NO_MATTER: dict[str, Any] = {
    "epochs": 1, "minutes": 0.0, "learning_rate": 1e-3, "weight_decay": 0.0, "patience": 1,
    "seed": 0, "warm_up": 0.0, "gradient_clip": 1.0,
}
"""Settings that change neither the memory nor the time of an epoch."""


class EstimateStore(QObject):
    """Keeps the fit of the experiment as it is. Never tells of an error unasked.

    `changed` is sent when there is another one, or the work on it got on; it carries the fit.
    """

    changed = Signal(object)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        check: DataCheck, models: DownloadManager, advice: AdviceStore,
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project, self._check = project, check
        self._models, self._advice = models, advice
        self.fit: Fit | None = None
        self.progress = ""
        self.trouble: tuple[str, str] = ("", "")
        self._key: Any = None
        self._slot = JobSlot(jobs, project.scope)
        self._watched = False
        self._settled = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settled.timeout.connect(self._ask_unasked)
        for signal in (project.changed, project.experiment_changed, check.changed,
                       libraries.components_ready, heavy.changed, models.changed,
                       advice.changed):
            signal.connect(self._follow)

    @property
    def is_asking(self) -> bool:
        """Whether it is being looked for."""
        return self._slot.busy

    @property
    def can_ask(self) -> bool:
        """Whether there is something to look at, and nothing more important to do."""
        project = self._project
        return (self._libraries.ready and project.experiment is not None
                and project.table is not None and self._heavy.running is None
                and not self._jobs.closed and not self._models.missing())

    def watch(self, watched: bool) -> None:
        """Somebody looks at the Train page, or does not any more."""
        self._watched = watched
        self._follow()

    def ask(self) -> None:
        """Look for it now."""
        project = self._project
        experiment, folder = project.experiment, project.folder
        if not self.can_ask or experiment is None or folder is None:
            return
        self._leave_off()
        self._key = _key_of(experiment, project.table)
        self.fit, self.trouble, self.progress = None, ("", ""), ""

        def work(should_stop: Callable[[], bool]) -> Iterator[Any]:
            from mmstudio.training.fit import fit

            yield from fit(experiment, folder, should_stop=should_stop)

        self._heavy.runs_beside(self._slot.run(
            work, self._on_done, self._on_failed, self._on_events,
            low_priority=True, orderly=True, stoppable=True))
        self.changed.emit(None)

    def _ask_unasked(self) -> None:
        table, check = self._project.table, self._check
        if (self._watched and self.can_ask and self.fit is None and not self.is_asking
                and not self.trouble[0] and check.report is not None
                and not check.running and not self._advice.is_asking
                and table is not None and len(table) <= AUTOMATIC_ROWS):
            self.ask()

    def _follow(self) -> None:
        """What was found for other settings does not hold any more."""
        if self._heavy.running is not None:
            self._leave_off()
            if self.fit is not None and self.fit.encode_seconds:
                self.fit = None  # the features are kept from now on
        experiment = self._project.experiment
        key = None if experiment is None else _key_of(experiment, self._project.table)
        if self._key is not None and key != self._key:
            self._leave_off()
            self._key, self.fit, self.trouble = None, None, ("", "")
        self._settled.start()
        self.changed.emit(self.fit)

    def _leave_off(self) -> None:
        """End the look soon; heavy work waits for its end."""
        self._slot.cancel()
        self.progress = ""

    def _on_events(self, events: list[Any]) -> None:
        from mmstudio.training.fit import Fit

        last = events[-1]
        if isinstance(last, Fit):
            self.fit = last
        else:
            self.progress = last.message
        self.changed.emit(self.fit)

    def _on_done(self, _: object) -> None:
        self.progress = ""
        self.changed.emit(self.fit)

    def _on_failed(self, message: str, hint: str) -> None:
        self.trouble = (message, hint)
        self._on_done(None)


def _key_of(experiment: Experiment, table: Any) -> Any:
    """All that the fit depends on; experiments of two projects may be equal, tables are not."""
    training = dataclasses.replace(experiment.training, **_NO_MATTER)
    return table, dataclasses.replace(experiment, training=training)
