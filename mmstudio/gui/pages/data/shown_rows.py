"""Which rows of the project's table are on show, and in which order: worked out in a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.tasks.kinds import find_kind
from mmstudio.tasks.kinds.label_set import SEPARATOR

if TYPE_CHECKING:
    from mmstudio.data.browse import Question
    from mmstudio.data.table import Table


class ShownRows(QObject):
    """The rows that the newest question means.

    `about_to_change` and `changed` stand around a change; `answered` is sent after each answer.
    """

    about_to_change = Signal()
    changed = Signal()
    answered = Signal()

    def __init__(
        self, jobs: JobRunner, project: ProjectStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._jobs, self._project = jobs, project
        self._table: Table | None = None
        self._rows = np.zeros(0, dtype=np.int32)
        self._positions: np.ndarray | None = None
        self._question: Question | None = None
        self._answered: tuple[Any, Any, Any] = (None, None, None)
        self._looking = JobSlot(jobs, project.scope)

    def __len__(self) -> int:
        return len(self._rows)

    def row_at(self, position: int) -> int:
        """The row of the table that stands at a position, or -1."""
        return int(self._rows[position]) if 0 <= position < len(self._rows) else -1

    def position_of(self, row: int) -> int:
        """Where a row of the table stands among those on show, or -1."""
        if self._positions is not None:
            return int(self._positions[row]) if 0 <= row < len(self._positions) else -1
        return row if 0 <= row < len(self._rows) else -1

    @property
    def is_asking(self) -> bool:
        """Whether the rows are being worked out."""
        return self._looking.busy

    def take(self, table: Table | None) -> None:
        """Show all rows of another table; whoever calls this tells the views."""
        self._looking.cancel()
        self._table = table
        self._rows = np.arange(0 if table is None else len(table), dtype=np.int32)
        self._positions = self._question = None
        self._answered = (None, None, None)

    def ask(self, question: Question, problems: Mapping[str, np.ndarray]) -> None:
        """Show the rows that a question means; the order stays what it is."""
        before = self._question
        if before is not None:
            question = replace(question, sort=before.sort, descending=before.descending)
        self._question = question
        self.ask_again(problems)

    def sort(self, column: str, descending: bool, problems: Mapping[str, np.ndarray]) -> None:
        """Show the same rows in the order of a column, "" for the table's own."""
        from mmstudio.data.browse import Question

        before = self._question or Question()
        if (before.sort, before.descending) != (column, descending):
            self._question = replace(before, sort=column, descending=descending)
            self.ask_again(problems)

    def ask_again(self, problems: Mapping[str, np.ndarray]) -> None:
        """Work the rows out where splits or problems changed since."""
        table, question, splits = self._table, self._question, self._project.splits
        self._looking.cancel()
        if table is None or question is None:
            return
        if question.takes_all and not question.sort:
            every = np.arange(len(table), dtype=np.int32)
            self._set(every, None, (question, splits, None))
            return
        if question.problems is None:
            problems = {}
        asked = (question, splits, problems or None)
        if asked[0] == self._answered[0] and all(
            new is old for new, old in zip(asked[1:], self._answered[1:], strict=True)
        ):
            self.answered.emit()
            return
        separators = separators_of(self._project.experiment)

        def work() -> Any:
            from mmstudio.data.browse import rows_of

            rows = rows_of(table, question, splits, problems, separators)
            positions = np.full(len(table), -1, dtype=np.int32)
            positions[rows] = np.arange(len(rows), dtype=np.int32)
            return rows, positions

        def done(found: tuple[np.ndarray, np.ndarray]) -> None:
            self._set(*found, asked)

        self._looking.run(work, done)

    def _set(self, rows: np.ndarray, positions: np.ndarray | None, asked: Any) -> None:
        self._answered = asked
        if positions is not None or self._positions is not None or len(rows) != len(self._rows):
            self.about_to_change.emit()
            self._rows, self._positions = rows, positions
            self.changed.emit()
        self.answered.emit()



def separators_of(experiment: Any) -> dict[str, str]:
    """Per column whose cells hold several labels, what stands between them."""
    if experiment is None:
        return {}
    return {
        target.column: str(target.options.get("separator", SEPARATOR))
        for target in experiment.targets.values()
        if (kind := find_kind(target.task)) is not None and kind.several
    }
