"""The session's work on its data: the rows' splits, and the check of all files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from mmstudio.gui import projects
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.mending import SessionMending

if TYPE_CHECKING:
    from mmstudio.gui.state.session import Session


class SessionData(QObject):
    """Keeps the session's `splits`, `checking` and `report`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._splits, self._check = (
            JobSlot(session.start_job, session.project_scope) for _ in range(2))
        self.mending = SessionMending(session, self._on_mended)

    def forget(self) -> None:
        """Another project was opened: what is on its way is not wanted any more."""
        self._splits.cancel()
        self._check.cancel()
        self._session.checking = self._session.report = None
        self.mending.forget()

    def _on_mended(self) -> None:
        self.read_splits()
        self.check()

    def read_splits(self) -> None:
        """The rows' splits follow the experiment."""
        experiment, table = self._session.experiment, self._session.table
        project = self._session.project
        if experiment is None or table is None or project is None:
            return

        def done(splits: Any) -> None:
            self._session.splits = splits
            self._session.splits_changed.emit()

        self._splits.run(lambda: projects.splits_of(table, experiment, project), done)

    @property
    def is_checking(self) -> bool:
        """Whether the data is being checked; no longer, once there is a report."""
        return self._check.busy and self._session.report is None

    def check(self) -> None:
        """Read all data and list what is wrong with it."""
        session = self._session
        if session.experiment is None or session.project is None:
            return
        experiment, folder = session.experiment, session.project
        session.report = None

        def work() -> Iterator[Any]:
            from mmstudio.data.checks import check

            yield from check(experiment, folder)

        self._check.run(
            work, self._on_checked, self._on_failed, self._on_events, low_priority=True
        )
        session.check_changed.emit()

    def stop_check(self) -> None:
        """Leave the check off."""
        if self._check.cancel() is not None:
            self._on_checked(None)

    def _on_events(self, events: list[Any]) -> None:
        from mmstudio.data.checks import Report

        last = events[-1]
        if isinstance(last, Report):
            self._session.report = last
        else:
            self._session.checking = last
        self._session.check_changed.emit()

    def _on_checked(self, _: object) -> None:
        self._session.checking = None
        self._session.check_changed.emit()

    def _on_failed(self, message: str, hint: str) -> None:
        self._on_checked(None)
        self._session.problem.emit(message, hint)
