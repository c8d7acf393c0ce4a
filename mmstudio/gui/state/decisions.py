"""What a person decides on the project's rows: kept in a file at once, written as a new table."""

from __future__ import annotations

import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from mmstudio.errors import UserError
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot, LatestSlot
from mmstudio.gui.state.project_opener import ProjectOpener
from mmstudio.gui.state.project_store import ProjectStore

if TYPE_CHECKING:
    from mmstudio.evaluation.decisions import Decision

MOST_AT_ONCE = 200
"""Rows that are decided on without a job."""


class DecisionsStore(QObject):
    """The decisions on the open project's rows.

    Signals:
        changed: Carries all of them.
        written: A new table was written; carries its path.
        taken_back: Carries the row whose decision was undone.

    Attributes:
        all: In the order in which they were made; rows as the open table numbers them.
        ready: Whether they have been read: none can be made before.
    """

    changed = Signal(object)
    written = Signal(object)
    taken_back = Signal(int)

    def __init__(self, jobs: JobRunner, project: ProjectStore, opener: ProjectOpener) -> None:
        super().__init__(jobs)
        self._jobs, self._project, self._opener = jobs, project, opener
        self._reading = JobSlot(jobs, project.scope)
        self._writing = JobSlot(jobs, project.scope)
        self._adding = JobSlot(jobs, project.scope)
        self._saving = LatestSlot(jobs, project.scope)  # what it leaves is saved below
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._revision = self._saved = 0
        self.all: tuple[Decision, ...] = ()
        self.ready = False
        project.changed.connect(self._on_project)

    @property
    def is_writing(self) -> bool:
        """Whether a new table is being written."""
        return self._writing.busy

    def decide(
        self, row: int, verdict: str, about: str, target: str = "", label: str = ""
    ) -> None:
        """Decide on a row of the open table; the arguments are those of a `Decision`."""
        from mmstudio.evaluation.decisions import Decision

        self.decide_all([Decision(row, verdict, about, target, label)])

    def decide_all(self, decisions: Collection[Decision]) -> None:
        """Decide on several rows at once; on very many in a job, until which `is_adding`."""
        table, experiment, folder = (
            self._project.table, self._project.experiment, self._folder)
        if table is None or experiment is None or folder is None:
            return
        if not self.ready or self.is_adding:
            return
        new = [d for d in decisions if 0 <= d.row < len(table)]

        def work() -> list[Decision]:
            from mmstudio.evaluation.decisions import identified
            from mmstudio.evaluation.row_contents import RowContents

            return identified(new, RowContents(table, experiment, folder))

        def done(known: list[Decision]) -> None:
            self._take((*self.all, *known))

        def failed(message: str, hint: str) -> None:
            self._jobs.problem.emit(message, hint)
            self.changed.emit(self.all)  # what waits for it goes on

        if len(new) > MOST_AT_ONCE:
            self._adding.run(work, done, failed)
        else:
            done(work())

    @property
    def is_adding(self) -> bool:
        """Whether decisions on very many rows are on their way."""
        return self._adding.busy

    def undo(self, kinds: Collection[str], count: int = 1) -> None:
        """Take back the last decisions on findings of these kinds, so many of them."""
        from mmstudio.evaluation.decisions import without_last

        rest, first = without_last(self.all, kinds, count)
        if first is not None:
            self._take(rest)
            self.taken_back.emit(first.row)

    def can_undo(self, kinds: Collection[str]) -> bool:
        """Whether there is a decision on a finding of these kinds."""
        return any(d.about in kinds and d.row >= 0 for d in self.all)

    @property
    def can_write(self) -> bool:
        """Whether something was decided, and not taken back, that the table does not say yet."""
        table, experiment = self._project.table, self._project.experiment
        if table is None or experiment is None:
            return False

        def is_new(decision: Decision) -> bool:
            if decision.verdict == "leave out":
                return True
            settings = experiment.targets.get(decision.target)
            return decision.verdict == "relabel" and settings is not None and (
                settings.column not in table.columns
                or table.cell(decision.row, settings.column) != decision.label)

        seen: set[int] = set()
        perhaps: set[int] = set()
        for decision in reversed(self.all):
            row = decision.row
            if 0 <= row < len(table) and is_new(decision):
                if row not in seen:
                    return True  # nothing came after it: mostly that is all
                perhaps.add(row)
            seen.add(row)
        if not perhaps:
            return False
        from mmstudio.evaluation.decisions import effective

        return any(map(is_new, effective(d for d in self.all if d.row in perhaps)))

    # A new table ---------------------------------------------------------------------------

    def write_table(self) -> None:
        """Write the table anew beside the old one; `written` tells where."""
        experiment, folder, decisions = self._project.experiment, self._project.folder, self.all
        if experiment is None or folder is None or self._writing.busy:
            return

        def work() -> Path:
            from mmstudio.evaluation.decided_table import write_decided

            return write_decided(experiment, folder, decisions)

        self._writing.run(work, self.written.emit)

    def use_table(self, path: Path) -> None:
        """Have the project use a table that was written; all of its settings stay."""
        self._opener.use_table(path)

    # The file ------------------------------------------------------------------------------

    def save_pending(self) -> None:
        """Write the file now, where a decision is not in it yet."""
        if self._folder is None or self._saved == self._revision:
            return
        try:
            self._write(self._folder, self.all, self._revision)
        except UserError as error:
            self._jobs.problem.emit(error.message, error.hint)

    def _take(self, decisions: tuple[Decision, ...]) -> None:
        self.all = decisions
        self._revision += 1
        folder, revision = self._folder, self._revision
        if folder is not None:
            self._saving.ask(lambda: self._write(folder, decisions, revision),
                             lambda _: None, self._jobs.problem.emit)
        self.changed.emit(self.all)

    def _write(self, folder: Path, decisions: tuple[Decision, ...], revision: int) -> None:
        from mmstudio.evaluation.decisions import write_decisions

        with self._lock:  # a slow writer must not take a newer file's place
            if revision > self._saved:
                write_decisions(folder, decisions)
                self._saved = revision

    def _on_project(self, folder: Path | None) -> None:
        self.save_pending()
        self._folder, self.all, self.ready = folder, (), False
        self._revision = self._saved = max(self._revision, self._saved)
        table, experiment = self._project.table, self._project.experiment
        self._reading.cancel()
        self.changed.emit(self.all)
        if folder is None or table is None:
            return

        def work() -> tuple[Decision, ...]:
            from mmstudio.evaluation.decisions import placed, read_decisions
            from mmstudio.evaluation.row_contents import RowContents

            contents = RowContents(table, experiment, folder)
            contents.prepare()  # deciding must not wait for it
            return tuple(placed(read_decisions(folder), contents))

        def done(decisions: tuple[Decision, ...]) -> None:
            self.all, self.ready = decisions, True
            self.changed.emit(self.all)

        self._reading.run(work, done)
