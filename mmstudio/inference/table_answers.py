"""Answers for a table's rows, written as CSV while they come."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import Any

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.inference.predictor import Answer, Prediction, Predictor


class AnswerWriter:
    """The table's own columns, then per task its answer; ``error`` last.

    ``TASK answer`` is a label, a number, or labels as in a cell of the training table: with the
    separator between them, and the separator alone for none. ``TASK score`` holds the
    probabilities of labels likewise; a number has none.

    The file is written beside and renamed at the end. With ``path`` None nothing is written.

    Raises:
        UserError: The file can't be written.
    """

    def __init__(self, path: Path | None, table: Table, predictor: Predictor) -> None:
        self._path = path
        self._table = table
        self._tasks = list(predictor.tasks)
        self._scored = [n for n, task in predictor.tasks.items() if task != "regression"]
        self._separators = predictor.separators
        self._beside = None if path is None else path.with_name(path.name + ".new")
        self._file: Any = None

    def __enter__(self) -> AnswerWriter:
        if self._beside is not None and self._path is not None:
            if self._path.is_dir():
                raise UserError(f"{self._path} can't be written: it is a folder.",
                                "Choose another --output.")
            try:
                self._file = self._beside.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise UserError(f"{self._path} can't be written: {error}.",
                                "Choose another --output.") from None
            added = [f"{task} {what}" for task in self._tasks for what in ("answer", "score")
                     if what == "answer" or task in self._scored]
            self._csv = csv.writer(self._file)
            self._csv.writerow([*self._table.columns, *added, "error"])
        return self

    def write(self, row: int, answer: Prediction | UserError) -> None:
        """Write one row."""
        if self._file is None:
            return
        cells = ["" if c is None else c for c in self._table.frame.row(row)]
        if isinstance(answer, UserError):
            empty = [""] * (len(self._tasks) + len(self._scored))
            self._csv.writerow([*cells, *empty, str(answer)])
            return
        found: list[str] = []
        for task in self._tasks:
            found += _cells(answer.tasks[task], self._separators.get(task, ""))
        self._csv.writerow([*cells, *found, ""])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None and self._beside is not None and self._path is not None:
            self._file.close()
            if kind is None:
                self._beside.replace(self._path)
            else:
                self._beside.unlink(missing_ok=True)


def _cells(answer: Answer, separator: str) -> list[str]:
    """The answer and, where there are any, the scores of its labels."""
    if answer.value is not None:
        return [f"{answer.value:.9g}"]
    if answer.labels is None:
        return [str(answer.label), f"{answer.scores[str(answer.label)]:.6f}"]
    scores = [f"{answer.scores[label]:.6f}" for label in answer.labels]
    return [separator.join(answer.labels) or separator, separator.join(scores)]
