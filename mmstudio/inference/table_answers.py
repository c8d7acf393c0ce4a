"""Answers for a table's rows, in chunks and written as CSV, TSV, JSONL or Parquet."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from mmstudio.data.formulas import ANSWER, ERROR, guarded
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.inference.prediction import Prediction
from mmstudio.inference.predictor import Predictor
from mmstudio.safe_files import refuse_unwritable, written_whole
from mmstudio.tasks import TASKS
from mmstudio.tasks.base import Answer

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""What a file of answers may be called."""

Cell = str | float | None
CHUNK_ROWS = 64
"""So many answers are handed over at a time."""
SCORE_PLACES = 6
KNOWN_DIGITS = 7
MOST_PLACES = 20
LARGEST_IN_DIGITS = 1e16
"""Beyond, not even a whole digit is known."""


def check_place(path: Path, table: Path | None = None) -> None:
    """Refuse a place where answers can't be written, before any is sought.

    Args:
        path: Where they are to go.
        table: The file whose rows are answered, which answers must not replace.

    Raises:
        UserError: A folder, a suffix that is not among ``SUFFIXES``, a folder that is missing or
            can't be written to, or the table itself.
    """
    if path.is_dir():
        raise UserError(f"{path} can't be written: it is a folder.", "Choose another --output.")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path} can't be written: '{path.suffix}' is not a known kind of table."
            if path.suffix else f"{path} can't be written: its name has no suffix.",
            f"Let --output end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.")
    refuse_unwritable(path, "Choose another --output.")
    if table is not None and (path.resolve() == table.resolve() or (
            path.exists() and table.exists() and path.samefile(table))):
        raise UserError(f"{path} can't be written: it is the table that is answered.",
                        "Choose another --output.")


def table_answers(
    predictor: Predictor, table: Table, rows: Sequence[int] | None = None
) -> Iterator[Prediction | UserError]:
    """As ``Predictor.predict_table``; a row whose inputs are all empty gets no answer.

    Raises:
        UserError: The table has none of the model's input columns.
    """
    asked = range(len(table)) if rows is None else rows
    for row, answer in zip(asked, predictor.predict_table(table, rows=asked), strict=True):
        if isinstance(answer, Prediction) and not answer.present:
            yield UserError(f"Row {row + 1}: all of its inputs are empty.",
                            "Fill in at least one.")
        else:
            yield answer


@dataclass(frozen=True)
class AnsweredRows:
    """Some rows' answers, and how far all that were asked are.

    Attributes:
        rows: Their places in the table.
        answers: Likewise.
        done: Rows answered so far.
        total: Rows asked about.
        seconds: Since the first was asked about.
    """

    rows: Sequence[int]
    answers: Sequence[Prediction | UserError]
    done: int
    total: int
    seconds: float

    @property
    def rows_per_s(self) -> float:
        """How fast it goes, on average."""
        return self.done / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """How long the rest takes at that pace."""
        return (self.total - self.done) / max(self.rows_per_s, 1e-9)


def predict_rows(
    predictor: Predictor, table: Table, rows: Sequence[int] | None = None
) -> Iterator[AnsweredRows]:
    """Answer for a table's rows, in chunks: whoever walks it may stop after any.

    Args:
        predictor: The model.
        table: The rows' table.
        rows: Places in it; all of them when None.

    Raises:
        UserError: The table has none of the model's input columns.
    """
    asked = range(len(table)) if rows is None else rows
    began = time.perf_counter()
    answers = table_answers(predictor, table, asked)
    for start in range(0, len(asked), CHUNK_ROWS):
        some = asked[start : start + CHUNK_ROWS]
        answered = [next(answers) for _ in some]
        yield AnsweredRows(some, answered, start + len(some), len(asked),
                           time.perf_counter() - began)


def answers_frame(predictor: Predictor, table: Table) -> pl.DataFrame:
    """The table's own columns and the answers', as ``AnswerWriter`` writes them to Parquet.

    Raises:
        UserError: The table has none of the model's input columns.
    """
    writer = AnswerWriter(None, table, predictor)
    for chunk in predict_rows(predictor, table):
        for row, answer in zip(chunk.rows, chunk.answers, strict=True):
            writer.take(row, writer.cells(answer))
    return writer.frame()


class AnswerWriter:
    """The table's own columns, then per task its answer; ``error`` last.

    ``TASK answer`` is a label, a number, or labels as in a cell of the training table: with the
    separator between them, and the separator alone for none. ``TASK score`` holds the
    probabilities of labels likewise; a number has none. A column of the table that is called like
    one of these is called ``NAME in the table``.

    The suffix says what is written. JSONL and Parquet hold numbers as numbers, and nulls where
    nothing stands; Parquet is written at the end, the others row by row. The file is written
    beside and renamed at the end. CSV and TSV hold no cell that a spreadsheet would compute, see
    ``data.formulas``. With ``path`` None nothing is written.

    Raises:
        UserError: The file can't be written.
    """

    def __init__(self, path: Path | None, table: Table, predictor: Predictor) -> None:
        if path is not None:
            check_place(path, table.path)
        self._path = path
        self._table = table
        self._suffix = "" if path is None else path.suffix.lower()
        self._separators = predictor.separators
        self._tasks = list(predictor.tasks)
        self._added: dict[str, Any] = {}  # the columns that answers fill, and their kinds
        for name in predictor.tasks:
            number = TASKS.get(predictor.tasks[name]).kind.numeric
            self._added[f"{name}{ANSWER}"] = pl.Float64 if number else pl.String
            if not number:
                self._added[f"{name} score"] = (
                    pl.String if name in predictor.separators else pl.Float64)
        places = {f"{n}{ANSWER}": _decimal_places(spec["deviation"])
                  for n, spec in predictor.schema.targets.items()
                  if spec.get("deviation") is not None}
        self._decimals = [places.get(name) for name in self.added]
        self._own = columns_apart(table.columns, {*self._added, ERROR})
        self._writing = contextlib.ExitStack()
        self._file: Any = None
        self._rows: list[int] = []
        self._cells: list[Sequence[Cell]] = []

    @property
    def added(self) -> list[str]:
        """The columns that answers fill, the error last."""
        return [*self._added, ERROR]

    def answer_column(self, task: str) -> str:
        """What the column of a task's answer is called."""
        return f"{task}{ANSWER}"

    @property
    def width(self) -> int:
        """How many cells an answer has, the error included."""
        return len(self._added) + 1

    def __enter__(self) -> AnswerWriter:
        if self._path is not None:
            try:
                beside = self._writing.enter_context(written_whole(self._path))
                if self._suffix == ".parquet":
                    self._file = beside.open("wb")
                else:
                    self._file = beside.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise self._cant_write(error) from None
            if self._suffix in (".csv", ".tsv"):
                self._csv = csv.writer(
                    self._file, delimiter="\t" if self._suffix == ".tsv" else ",")
                self._csv.writerow([*map(guarded, [*self._own, *self._added]), ERROR])
        return self

    def write(self, row: int, answer: Prediction | UserError) -> None:
        """Write one row."""
        self.write_cells(row, self.cells(answer))

    def write_cells(self, row: int, found: Sequence[Cell]) -> None:
        """Write one row, of whose answer these are the ``cells``."""
        if self._file is None:
            return
        if self._suffix == ".parquet":
            self.take(row, found)
            return
        own = self._table.frame.row(row)
        if self._suffix == ".jsonl":
            names = [*self._own, *self._added, ERROR]
            line = dict(zip(names, [*own, *found], strict=True))
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        else:
            texts = map(_text, found, self._decimals)
            self._csv.writerow([guarded(cell) if cell else "" for cell in (*own, *texts)])

    def take(self, row: int, cells: Sequence[Cell]) -> None:
        """Keep one row for ``frame``."""
        self._rows.append(row)
        self._cells.append(cells)

    def cells(self, answer: Prediction | UserError) -> list[Cell]:
        """What is written of an answer: the cells of the columns that are added, the error last."""
        found: list[Cell] = [None] * len(self._added)
        if isinstance(answer, Prediction):
            found = [cell for task in self._tasks
                     for cell in _cells(answer.tasks[task], self._separators.get(task, ""))]
        error = answer.error if isinstance(answer, Prediction) else str(answer)
        found.append(error or None)
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            try:
                if kind is None and self._suffix == ".parquet":
                    self.frame().write_parquet(self._file)
                self._file.close()
            except OSError as fault:  # a full disk
                kind, error = type(fault), fault
            self._writing.__exit__(kind, error, trace)
        except OSError as fault:
            error = fault
        if isinstance(error, OSError):
            raise self._cant_write(error) from None

    def _cant_write(self, error: OSError) -> UserError:
        return UserError(f"{self._path} can't be written: {error}.", "Choose another --output.")

    def frame(self) -> pl.DataFrame:
        """The rows that were taken, numbers as numbers."""
        own = self._table.frame[self._rows]
        own.columns = self._own
        return own.hstack(pl.DataFrame(
            self._cells, schema=self._added | {ERROR: pl.String}, orient="row"))


def columns_apart(columns: list[str], taken: set[str]) -> list[str]:
    """The names of a table's columns, none of them one that is taken, nor two alike."""
    names: list[str] = []
    for column in columns:
        name = column
        while name in taken or (name != column and name in columns):
            name = f"{name} in the table"
        names.append(name)
    return names


def _cells(answer: Answer, separator: str) -> list[Cell]:
    """The answer and, where there are any, the scores of its labels."""
    if answer.value is not None:
        return [answer.value]
    if answer.labels is None:
        return [str(answer.label), answer.scores[str(answer.label)]]
    scores = [f"{answer.scores[label]:.6f}" for label in answer.labels]
    return [separator.join(answer.labels) or separator, separator.join(scores)]


def _decimal_places(deviation: float) -> int:
    """So many that a number's text says what single precision does of the usual differences."""
    return max(0, KNOWN_DIGITS - math.floor(math.log10(abs(deviation) or 1.0)))


def _text(cell: Cell, places: int | None = None) -> str:
    """A cell as text: a score to the sixth place, a number without losing a digit that is known."""
    if not isinstance(cell, float):
        return cell or ""
    if places is None:
        return f"{cell:.{SCORE_PLACES}f}"
    if not abs(cell) < LARGEST_IN_DIGITS or places > MOST_PLACES:
        return repr(cell)
    text = f"{cell:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
