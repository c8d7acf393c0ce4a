"""The open project: its experiment, which is saved a moment after the last edit, and its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from mmstudio.errors import UserError
from mmstudio.gui.state.experiment_file import ExperimentFile
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.scope import Scope
from mmstudio.project.columns import columns_as_used, experiment_with_columns
from mmstudio.project.opening import Opened
from mmstudio.project.places import EXPERIMENT_FILE
from mmstudio.project.rows import splits_of

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table
    from mmstudio.experiment import DataSettings, Experiment

SAVE_DELAY_MS = 300
"""An edit is saved this long after the last one."""


class ProjectStore(QObject):
    """The open project.

    Signals:
        changed: Another project, or the same one with other data; carries its folder or None.
        usable: After `changed`, where nothing is amiss with it; carries the table or None.
        experiment_changed: Carries the experiment; sent too where an edit was refused, so that
            what is shown goes back to it.
        splits_changed: Carries the rows' splits.
        reopen_asked: The project's data is other data now; carries the folder.

    Attributes:
        folder: Where it is; None where no project is open.
        scope: Closes when another project opens.
    """

    changed = Signal(object)
    usable = Signal(object)
    experiment_changed = Signal(object)
    splits_changed = Signal(object)
    reopen_asked = Signal(object)

    def __init__(self, jobs: JobRunner, heavy: HeavyWork) -> None:
        super().__init__(jobs)
        self._jobs, self._heavy = jobs, heavy
        self.scope = Scope()
        self.folder: Path | None = None
        self.experiment: Experiment | None = None
        self.table: Table | None = None
        self.table_name = ""
        self.columns: list[Column] = []
        self.splits: np.ndarray | None = None
        self._splitting = JobSlot(jobs, self.scope)
        self._save_timer = QTimer(self, singleShot=True, interval=SAVE_DELAY_MS)
        self._save_timer.timeout.connect(self.save)
        self._file = ExperimentFile(self)
        self._file.changed.connect(self._on_changed_elsewhere)

    def take(self, opened: Opened, *, edited: bool = False) -> None:
        """Have another project, or the same one with other data.

        Args:
            opened: What was read.
            edited: It is the same one, edited while it was read: its fusion and its training
                settings stay as they are here.
        """
        now = self.experiment
        edited = edited and now is not None and opened.experiment is not None
        if edited and now is not None and opened.experiment is not None:
            self._save_timer.stop()  # saved below, with what was read
            opened = replace(opened, experiment=replace(
                opened.experiment, fusion=now.fusion, training=now.training))
        else:
            self.save_pending()
        self._splitting.cancel()
        if opened.project != self.folder:
            self.scope.close()
        self.folder, self.experiment = opened.project, opened.experiment
        self.table, self.table_name = opened.table, opened.table_name
        self.columns, self.splits = list(opened.columns), opened.splits
        self._file.follow(self.folder)
        if edited:
            self.save()
        self.changed.emit(self.folder)
        if opened.problem is not None:
            self._jobs.problem.emit(*opened.problem)
        else:
            self.usable.emit(self.table)

    # Editing -------------------------------------------------------------------------------

    def edit(self, key: str | Sequence[str], value: Any) -> bool:
        """Set one key of the experiment; False where it is refused.

        Args:
            key: `"training.epochs"`, or its parts where a name may hold a dot.
            value: The key's new value.
        """
        if self.experiment is None:
            return False
        try:
            changed = self.experiment.replaced(key, value)
        except UserError as error:
            self._refuse(error)
            return False
        area = (key if isinstance(key, str) else key[0]).split(".")[0]
        if area in ("data", "targets"):
            # a new task is the column's too, or another role of some column would undo it
            self.columns = columns_as_used(self.columns, changed)
        self._take_experiment(changed)
        if area == "data":
            self._read_splits()
        return True

    def assign_columns(self, columns: Sequence[Column]) -> bool:
        """Use the table's columns as said; what was chosen for those that stay is kept.

        False where that leaves no input or no target; then nothing changes.
        """
        if self.table is None:
            return False
        try:
            changed = experiment_with_columns(self.table_name, self.experiment, columns)
        except UserError as error:
            if self.experiment is None:
                self.columns = list(columns)  # still on the way to the first experiment
            self._refuse(error)
            return False
        self.columns = list(columns)
        self._take_experiment(changed)
        self._read_splits()
        return True

    def use_experiment(self, experiment: Experiment) -> None:
        """Have another experiment, such as a run's; with other data the project opens anew."""
        before = self.experiment
        self.columns = columns_as_used(self.columns, experiment)
        if before is None or experiment.data.table != before.data.table:
            self.experiment = experiment
            self.save()
            self.reopen_asked.emit(self.folder)
            return
        self._take_experiment(experiment)
        self._read_splits()

    def change_data(self, data: DataSettings, merges: Mapping[str, dict[str, str]]) -> None:
        """Set where the rows come from and which labels are one, whatever else was edited.

        Args:
            data: The new settings of the data.
            merges: By target, label by label: the other label that it is taken for.
        """
        if self.experiment is None:
            return
        targets = {name: replace(target, merge=merges.get(name, target.merge))
                   for name, target in self.experiment.targets.items()}
        changed = replace(self.experiment, data=data, targets=targets)
        self.columns = columns_as_used(self.columns, changed)
        self._take_experiment(changed)
        self._read_splits()

    def take_settings(self, found: Experiment) -> None:
        """Have the model and the training that a search has found; all else stays."""
        from mmstudio.training.start_settings import with_found

        if self.experiment is not None:
            self._take_experiment(with_found(self.experiment, found))

    def _take_experiment(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._save_timer.start()
        self.experiment_changed.emit(experiment)

    def _refuse(self, error: UserError) -> None:
        self._jobs.problem.emit(error.message, error.hint)
        self.experiment_changed.emit(self.experiment)  # the widget shows the old value again

    def _read_splits(self) -> None:
        """The rows' splits follow the experiment."""
        experiment, table, folder = self.experiment, self.table, self.folder
        if experiment is None or table is None or folder is None:
            return

        def done(splits: np.ndarray) -> None:
            self.splits = splits
            self.splits_changed.emit(splits)

        self._splitting.run(lambda: splits_of(table, experiment, folder), done)

    # The file ------------------------------------------------------------------------------

    def save_pending(self) -> None:
        """Write the experiment file now, where an edit waits for it."""
        if self._save_timer.isActive():
            self.save()

    def save(self) -> None:
        """Write the experiment file now."""
        self._save_timer.stop()
        if self.experiment is None or self.folder is None:
            return
        try:
            theirs = self._file.save(self.experiment, self.folder / EXPERIMENT_FILE)
        except (OSError, UserError) as error:
            self._jobs.problem.emit(self.tr("The project could not be saved."), str(error))
            return
        if theirs is not None:
            self._jobs.problem.emit(
                self.tr("Another program has changed experiment.toml, too."),
                self.tr("What it wrote is kept in {0}.").format(theirs.name))

    def look_again(self) -> None:
        """See whether another program has changed the file."""
        self._file.look()

    def _on_changed_elsewhere(self) -> None:
        """Read the file anew, unless an edit is on its way: then saving keeps both."""
        if self.folder is None or self._save_timer.isActive():
            return
        from mmstudio.experiment import Experiment

        try:
            found = Experiment.load(self.folder / EXPERIMENT_FILE)
        except UserError as error:
            self._jobs.problem.emit(
                self.tr("Another program has changed experiment.toml, and it can't be used."),
                f"{error.message} {error.hint}".strip())
            return
        before = self.experiment
        if before is None or found.data != before.data:
            if self._heavy.running is not None:
                self._jobs.problem.emit(
                    self.tr("Another program has changed the data in experiment.toml."),
                    self.tr("Open the project again when the training is over."))
                return
            self._file.accept()
            self.reopen_asked.emit(self.folder)
            return
        self._file.accept()
        if found != before:
            self.columns = columns_as_used(self.columns, found)
            self.experiment = found
            self.experiment_changed.emit(found)
            self._read_splits()  # labels that are one, say, change how the rows fall
