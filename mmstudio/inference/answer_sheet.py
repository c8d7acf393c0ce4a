"""A table's answers as they come: what is written of them, and what they are sorted by."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.sheet_question import SheetQuestion
from mmstudio.inference.table_answers import AnsweredRows, AnswerWriter, Cell
from mmstudio.tasks import TASKS
from mmstudio.tasks.base import Answer

WRITTEN_AT_ONCE = 2000


@dataclass(frozen=True)
class SheetRows:
    """Some rows' answers as a sheet holds them.

    Attributes:
        cells: Per row what is written of it, the error last.
        sure: Per task and row how sure the answer is; nan of a number or where there is none.
        answers: Per task and row the answer in words; "" where there is none.
    """

    cells: list[list[Cell]]
    sure: dict[str, list[float]]
    answers: dict[str, list[str]]


class AnswerSheet:
    """The answers of a table's first rows; more are added at its end.

    Args:
        predictor: The model that answers.
        table: The rows.
    """

    def __init__(self, predictor: Any, table: Table) -> None:
        self.table = table
        self.tasks = list(predictor.tasks)
        self.numbers = {n for n, t in predictor.tasks.items() if TASKS.get(t).kind.numeric}
        self._predictor = predictor
        self._writer = AnswerWriter(None, table, predictor)
        self.cells: list[list[Cell]] = []
        self.sure: dict[str, array[float]] = {n: array("d") for n in self.tasks}
        self.answers: dict[str, list[str]] = {n: [] for n in self.tasks}

    def __len__(self) -> int:
        """How many rows are answered."""
        return len(self.cells)

    def of(self, chunk: AnsweredRows) -> SheetRows:
        """Answers as the sheet holds them; for the thread in which they are found."""
        held = SheetRows([self._writer.cells(a) for a in chunk.answers],
                          {n: [] for n in self.tasks}, {n: [] for n in self.tasks})
        for answer in chunk.answers:
            for name in self.tasks:
                there = answer.tasks[name] if isinstance(answer, Prediction) else None
                held.sure[name].append(sureness(there))
                held.answers[name].append("" if there is None else words(there))
        return held

    def add(self, rows: SheetRows) -> None:
        """Take the answers of the rows that follow."""
        self.cells += rows.cells
        for name in self.tasks:
            self.sure[name].extend(rows.sure[name])
            self.answers[name] += rows.answers[name]

    def error(self, row: int) -> str:
        """What could not be read of a row; "" where all could."""
        return str(self.cells[row][-1] or "")

    def rows_of(self, question: SheetQuestion) -> np.ndarray:
        """``(K,)`` int64: the answered rows that are wanted, in the order that is wanted.

        Rows without an answer come last, whichever way it is sorted.
        """
        count = len(self)
        wanted = np.ones(count, bool)
        if question.task in self.sure:
            sure = np.array(self.sure[question.task][:count])
            if question.answer is not None:
                wanted &= np.array([a == question.answer
                                    for a in self.answers[question.task][:count]], bool)
            if question.least > 0:
                wanted &= sure >= question.least  # nan is not
            if question.below <= 1:
                wanted &= sure < question.below
        if question.faults:
            wanted &= np.array([cells[-1] is not None for cells in self.cells[:count]], bool)
        if question.among is not None:
            wanted &= np.isin(np.arange(count), np.fromiter(question.among, np.int64))
        rows = np.flatnonzero(wanted)
        return self._sorted(rows, question)

    def _sorted(self, rows: np.ndarray, question: SheetQuestion) -> np.ndarray:
        if question.sort == "sure" or (
                question.sort == "answer" and question.sort_task in self.numbers):
            keys = self._numbers(question.sort_task, question.sort)[rows]
            known = np.isfinite(keys)
            some = rows[known][np.argsort(
                -keys[known] if question.descending else keys[known], kind="stable")]
            return np.concatenate([some, rows[~known]])
        if question.sort:
            texts = [(self.answers[question.sort_task][row] if question.sort == "answer"
                      else self.error(row)).casefold() for row in rows.tolist()]
            order = sorted((at for at, text in enumerate(texts) if text), key=texts.__getitem__,
                           reverse=question.descending)
            return rows[order + [at for at, text in enumerate(texts) if not text]]
        return rows[::-1] if question.descending else rows

    def _numbers(self, task: str, what: str) -> np.ndarray:
        if what == "sure":
            return np.array(self.sure[task])
        at = self._writer.added.index(self._writer.answer_column(task))
        return np.array([np.nan if cells[at] is None else cells[at]
                         for cells in self.cells], np.float64)

    def write(self, path: Path, rows: Sequence[int] | None = None) -> Iterator[int]:
        """Write the answered rows, or some of them, as ``mmstudio predict`` does.

        Yields:
            How many are written so far; walk it to the end, or nothing is there.

        Raises:
            UserError: They can't be written there.
        """
        chosen = range(len(self)) if rows is None else rows
        with AnswerWriter(path, self.table, self._predictor) as writer:
            for done, row in enumerate(chosen, start=1):
                writer.write_cells(row, self.cells[row])
                if done % WRITTEN_AT_ONCE == 0:
                    yield done
        yield len(chosen)


def sureness(answer: Answer | None) -> float:
    """How sure an answer is, 0 to 1; nan of a number.

    Of a set of labels that of the label which is least sure to be in it, or out of it.
    """
    if answer is None or answer.value is not None or not answer.scores:
        return float("nan")
    if answer.labels is None:
        return float(answer.scores[str(answer.label)])
    chosen = set(answer.labels)
    return float(min(score if label in chosen else 1 - score
                     for label, score in answer.scores.items()))


def words(answer: Answer) -> str:
    """An answer without its usual error, which is the same in every row."""
    if answer.labels is not None:
        return ", ".join(sorted(answer.labels)) or "—"
    if answer.value is not None:
        return f"{answer.value:.6g} {answer.unit}".strip()
    return str(answer.label)


def absent_inputs(predictor: Any, table: Table) -> list[str]:
    """Of the model's inputs that a table lacks, a sentence each: which column, and the remedy.

    Raises:
        UserError: It lacks all of them.
    """
    from mmstudio.data.input_cells import is_there
    from mmstudio.errors import nearest

    settings = (predictor.settings if hasattr(predictor, "settings")
                else predictor.experiment.active_inputs)
    sentences = []
    for name, one in settings.items():
        if not is_there(table, one):
            columns = ", ".join(f"'{column}'" for column in one.read_columns)
            noun = "no column" if len(one.read_columns) == 1 else "none of the columns"
            sentences.append(f"{table.path.name} has {noun} {columns}: its rows are answered "
                             f"without the input '{name}'. "
                             f"{nearest(one.read_columns[0], table.columns)}".strip())
    if len(sentences) == len(settings):
        wanted = ", ".join(f"'{c}'" for one in settings.values() for c in one.read_columns)
        raise UserError(f"{table.path.name} has none of the columns {wanted} that the model reads.",
                        f"Name its columns so; it has {', '.join(table.columns[:8])}.")
    return sentences
