"""Brings a run's settings into the project: to train once more, or to go on from its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment


@dataclass(frozen=True)
class Offer:
    """What the project's settings would become.

    Attributes:
        run: The run that they are of.
        goes_on: Whether its weights come with them.
        experiment: The settings.
        changes: The keys of the project's settings that change.
        other_data: Whether the run was trained on another table than the project has.
    """

    run: Path
    goes_on: bool
    experiment: Experiment
    changes: tuple[str, ...]
    other_data: bool


class RunAgain(QObject):
    """Works out what a run would change in the project, and does so once that is allowed.

    Signals:
        offered: Carries an `Offer`, to be asked about.
        used: Carries the offer that the project has taken.
    """

    offered = Signal(object)
    used = Signal(object)

    def __init__(self, jobs: JobRunner, heavy: HeavyWork, project: ProjectStore) -> None:
        super().__init__(jobs)
        self._heavy, self._project = heavy, project
        self._reading = JobSlot(jobs, project.scope)

    def ask(self, run: Path, *, goes_on: bool) -> None:
        """Work out an offer: all settings of a run, or its model's with its weights."""
        if self._heavy.refused():
            return
        now = self._project.experiment

        self._reading.run(lambda: offer_of(now, run, goes_on=goes_on), self.offered.emit)

    def use(self, offer: Offer) -> None:
        """Have the project take what was offered."""
        if self._heavy.refused():
            return
        self._project.use_experiment(offer.experiment)
        self.used.emit(offer)


def offer_of(now: Experiment | None, run: Path, *, goes_on: bool) -> Offer:
    """What the project's settings would become; reads the run's folder.

    Args:
        now: The project's settings.
        run: Whose settings are brought in.
        goes_on: Its model with its weights, in place of all settings.

    Raises:
        UserError: The run can't be read.
    """
    from mmstudio.experiment_differences import differing_settings
    from mmstudio.training.run_folder import RunFolder
    from mmstudio.training.start_settings import continued

    found = RunFolder.existing(run).experiment()
    other = now is not None and now.data.table != found.data.table
    if goes_on:
        found = continued(found if now is None else now, found, f"runs/{run.name}")
    else:  # a part of a cross-validation is of that, not of the project
        found = replace(found, data=replace(found.data, fold=None))
    changes = () if now is None else tuple(
        one.key for one in differing_settings([now, found]))
    return Offer(run, goes_on, found, changes, other)
