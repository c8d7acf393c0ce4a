"""A training that goes on from the project's last model, begun by one click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.download_manager import DownloadManager
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.run_again import Offer, offer_of
from mmstudio.gui.state.runs_store import RunsStore, own_run
from mmstudio.gui.state.training import TrainingController

if TYPE_CHECKING:
    from mmstudio.training.run_summary import RunSummary


class GoingOn(QObject):
    """Trains the project as it is now, from the weights of its last run.

    Signals:
        begun: The training was started, or waits for a published model, as the Train page says;
            carries the run that it goes on from.
    """

    begun = Signal(object)

    def __init__(
        self, jobs: JobRunner, heavy: HeavyWork, project: ProjectStore, runs: RunsStore,
        training: TrainingController, models: DownloadManager,
    ) -> None:
        super().__init__(jobs)
        self._heavy, self._project, self._runs = heavy, project, runs
        self._training, self._models = training, models
        self._reading = JobSlot(jobs, project.scope)

    @property
    def last(self) -> RunSummary | None:
        """The newest run of one's own that has a best epoch; None where there is none."""
        return own_run([run for run in self._runs.listed
                        if run.status != "unreadable" and run.best_epoch is not None])

    def start(self) -> None:
        """Go on from the last run: the project gets its model, and a new run is trained."""
        last, now = self.last, self._project.experiment
        if last is None or now is None or self._heavy.refused():
            return
        self._reading.run(lambda: offer_of(now, last.path, goes_on=True), self._use)

    def _use(self, offer: Offer) -> None:
        if self._heavy.refused():
            return
        self._project.use_experiment(offer.experiment)
        if self._models.used(offer.experiment):
            self._models.look(lambda: self._train(offer.run), offer.experiment)
        else:
            self._train(offer.run)

    def _train(self, run: Path) -> None:
        experiment = self._project.experiment
        if experiment is None:
            return  # the project was closed meanwhile
        if not self._models.missing(experiment):
            self._training.start()
        self.begun.emit(run)
