"""The session's edits of the experiment: checked, taken, and saved a moment after the last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from mmstudio.errors import UserError
from mmstudio.gui import projects
from mmstudio.gui.state.experiment_file import ExperimentFile

if TYPE_CHECKING:
    from mmstudio.data.propose import Column
    from mmstudio.experiment import Experiment
    from mmstudio.gui.state.data import SessionData
    from mmstudio.gui.state.session import Session

SAVE_DELAY_MS = 300
"""An edit is saved this long after the last one."""


class SessionEditing(QObject):
    """Keeps the session's `experiment` and `columns`, and the experiment file."""

    def __init__(self, session: Session, data: SessionData) -> None:
        super().__init__(session)
        self._session = session
        self._data = data
        self._save_timer = QTimer(self, singleShot=True, interval=SAVE_DELAY_MS)
        self._save_timer.timeout.connect(self.save)
        self.file = ExperimentFile(self)
        self.file.changed.connect(self._changed_elsewhere)
        session.project_changed.connect(lambda: self.file.follow(session.project))

    def take(self, experiment: Experiment) -> None:
        """Have this experiment from now on, and save it soon."""
        self._session.experiment = experiment
        self._save_timer.start()
        self._session.experiment_changed.emit()

    def edit(self, key: str | Sequence[str], value: Any) -> bool:
        """Set one key, named as in `Experiment.replaced`; False where it is refused."""
        session = self._session
        if session.experiment is None:
            return False
        try:
            changed = session.experiment.replaced(key, value)
        except UserError as error:
            self._refuse(error)
            return False
        area = (key if isinstance(key, str) else key[0]).split(".")[0]
        if area in ("data", "targets"):
            # a new task is the column's too, or another role of some column would undo it
            session.columns = projects.columns_as_used(session.columns, changed)
        self.take(changed)
        if area == "data":
            self._data.read_splits()
        return True

    def assign_columns(self, columns: Sequence[Column]) -> bool:
        """Use the table's columns as said; False where no input or no target would be left."""
        session = self._session
        if session.table is None:
            return False
        try:
            changed = projects.experiment_with_columns(
                session.table_name, session.experiment, columns)
        except UserError as error:
            if session.experiment is None:
                session.columns = list(columns)  # still on the way to the first experiment
            self._refuse(error)
            return False
        session.columns = list(columns)
        self.take(changed)
        self._data.read_splits()
        return True

    def _refuse(self, error: UserError) -> None:
        self._session.problem.emit(error.message, error.hint)
        self._session.experiment_changed.emit()  # the widget shows the old value again

    def save_pending(self) -> None:
        """Write the experiment file now, where an edit waits for it."""
        if self._save_timer.isActive():
            self.save()

    def save(self) -> None:
        """Write the experiment file now."""
        session = self._session
        self._save_timer.stop()
        if session.experiment is None or session.project is None:
            return
        try:
            theirs = self.file.save(session.experiment, session.project / "experiment.toml")
        except (OSError, UserError) as error:
            session.problem.emit(self.tr("The project could not be saved."), str(error))
            return
        if theirs is not None:
            session.problem.emit(
                self.tr("Another program has changed experiment.toml, too."),
                self.tr("What it wrote is kept in {0}.").format(theirs.name))

    def _changed_elsewhere(self) -> None:
        """Read the file anew, unless an edit is on its way: then saving keeps both."""
        session, project = self._session, self._session.project
        if project is None or self._save_timer.isActive():
            return
        from mmstudio.experiment import Experiment

        try:
            found = Experiment.load(project / "experiment.toml")
        except UserError as error:
            session.problem.emit(
                self.tr("Another program has changed experiment.toml, and it can't be used."),
                f"{error.message} {error.hint}".strip())
            return
        before = session.experiment
        if before is None or found.data != before.data:
            if session.training or session.comparing.running:
                session.problem.emit(
                    self.tr("Another program has changed the data in experiment.toml."),
                    self.tr("Open the project again when the training is over."))
                return
            self.file.accept()
            session.open_project(project)
            return
        self.file.accept()
        if found != before:
            session.experiment = found
            session.columns = projects.columns_as_used(session.columns, found)
            session.experiment_changed.emit()
