"""The advice on the fusion: asked for while somebody looks, renewed when it is old."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmstudio.gui.state.data_check import DataCheck
from mmstudio.gui.state.heavy_work import HeavyWork, Work
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.libraries import Libraries
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.advice import Advice
    from mmstudio.experiment import Experiment

SETTLED_MS = 600
"""So long after the last change of the inputs the data is looked at."""

AUTOMATIC_ROWS = 2000
"""Projects up to this many rows are looked at unasked, once they were checked and so decoded."""


class AdviceStore(QObject):
    """Keeps the advice for the experiment as it is. Never tells of an error unasked.

    `changed` is sent when there is other advice, or the work on it got on; it carries the advice.
    """

    changed = Signal(object)

    def __init__(
        self, jobs: JobRunner, libraries: Libraries, heavy: HeavyWork, project: ProjectStore,
        check: DataCheck,
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._libraries, self._heavy = jobs, libraries, heavy
        self._project, self._check = project, check
        self.advice: Advice | None = None
        self.progress = ""
        self.trouble = ""
        self._key: Any = None
        self._asking = JobSlot(jobs, project.scope)
        self._watched = False
        self._settled = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settled.timeout.connect(self._ask_unasked)
        project.changed.connect(self._start_anew)
        for signal in (project.experiment_changed, project.splits_changed, check.changed,
                       libraries.components_ready):
            signal.connect(self._follow)
        heavy.changed.connect(self._make_way)

    @property
    def is_asking(self) -> bool:
        """Whether the data is being looked at."""
        return self._asking.busy

    @property
    def can_ask(self) -> bool:
        """Whether there is something to look at, and nothing more important to do."""
        project = self._project
        return (self._libraries.ready and project.experiment is not None
                and project.table is not None and self._heavy.running is None
                and not self._jobs.closed)

    def watch(self, watched: bool) -> None:
        """Somebody looks at the advice, or does not any more."""
        self._watched = watched
        self._follow()

    def ask(self) -> None:
        """Look at the data now."""
        experiment, folder = self._project.experiment, self._project.folder
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
        self.changed.emit(self.advice)

    def _ask_unasked(self) -> None:
        table, check = self._project.table, self._check
        if (self._watched and self.can_ask and self.advice is None and not self.is_asking
                and not self.trouble and check.report is not None and not check.running
                and table is not None and len(table) <= AUTOMATIC_ROWS):
            self.ask()

    def _start_anew(self) -> None:
        self._key = None
        self._forget()
        self._follow()

    def _follow(self) -> None:
        """What was said of other inputs or targets does not hold any more."""
        experiment = self._project.experiment
        if self._key is not None and (experiment is None or _key_of(experiment) != self._key):
            self._forget()
        self._settled.start()
        self.changed.emit(self.advice)

    def _make_way(self, work: Work | None) -> None:
        """Heavy work needs the machine for itself."""
        if work is not None:
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
        self.changed.emit(self.advice)

    def _on_done(self, _: object) -> None:
        self.progress = ""
        self.changed.emit(self.advice)

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
