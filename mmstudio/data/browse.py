"""Looking through a table: which rows a question means, in which order, and how many there are.

Rows are numpy arrays of row numbers and columns are polars', so that a million rows take well
under a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from mmstudio.data.table import Table
from mmstudio.numbers import read_numbers

SPLIT = "\0split"
"""The split as it is used, where a column is meant; no table's column can have this name."""

MOST_LABELS = 1000
"""Of a target with more labels, the most frequent are listed."""
RANGES = 8


@dataclass(frozen=True)
class Question:
    """Which rows to show, and in which order. Every part narrows the rows further.

    Attributes:
        text: Some cell of the row holds it, in capitals or not.
        splits: The row is of one of these; "" is the name of rows left out.
        labels: Per column, the row's cell is one of these.
        missing: One of these columns is empty in the row.
        problems: None for all rows; else those with a problem of one of these kinds, and with one
            of any kind where it is empty.
        sort: The column to sort by; "" keeps the table's order.
        descending: The largest first. Empty cells come last in any case.
    """

    text: str = ""
    splits: frozenset[str] = frozenset()
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    problems: frozenset[str] | None = None
    sort: str = ""
    descending: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether no row is left out, whatever the order."""
        return self == Question(sort=self.sort, descending=self.descending)

    def toggled_label(self, column: str, label: str) -> Question:
        """The question with this label asked for, or not any more."""
        chosen = self.labels.get(column, frozenset()) ^ {label}
        labels = {name: of for name, of in self.labels.items() if name != column}
        return replace(self, labels=labels | {column: chosen} if chosen else labels)


def rows_of(
    table: Table,
    question: Question,
    splits: np.ndarray | None = None,
    problems: Mapping[str, np.ndarray] | None = None,
    separators: Mapping[str, str] | None = None,
) -> np.ndarray:
    """The rows that a question means, in its order: ``(n,)`` int32.

    Args:
        table: All rows.
        question: Columns that the table lacks are skipped.
        splits: ``(N,)`` the split of each row.
        problems: Per kind the rows that have such a problem.
        separators: Per column that holds several labels in a cell, what stands between them.
    """
    keep = np.ones(len(table), dtype=bool)
    if question.splits and splits is not None:
        keep &= _is_one_of(splits, question.splits)
    if question.problems is not None:
        having = np.zeros(len(table), dtype=bool)
        for kind, rows in (problems or {}).items():
            if not question.problems or kind in question.problems:
                having[rows] = True
        keep &= having
    conditions = _conditions(table, question, separators or {})
    if conditions:
        found = table.frame.lazy().select(pl.all_horizontal(conditions).alias("keep")).collect()
        keep &= found.to_series().fill_null(False).to_numpy()
    rows = np.flatnonzero(keep).astype(np.int32)
    if question.sort == SPLIT and splits is not None:
        return _sorted(pl.Series(splits[rows]), rows, question.descending)
    if question.sort in table.columns:
        return _sorted(table.column(question.sort).gather(rows), rows, question.descending)
    return rows


def problem_rows(
    problems: Iterable[Any],
) -> tuple[dict[int, list[int]], dict[str, np.ndarray]]:
    """Per row the numbers of its problems, and per kind of problem its rows."""
    of_row: dict[int, list[int]] = {}
    kinds: dict[str, set[int]] = {}
    for number, problem in enumerate(problems):
        # a problem may be about several rows; -1 stands for the whole table
        for row in {problem.row, *getattr(problem, "rows", ())} - {-1}:
            of_row.setdefault(row, []).append(number)
            kinds.setdefault(problem.kind, set()).add(row)
    return of_row, {k: np.array(sorted(rows), dtype=np.int32) for k, rows in kinds.items()}


def _is_one_of(values: np.ndarray, chosen: frozenset[str]) -> np.ndarray:
    found = np.zeros(len(values), dtype=bool)
    for name in chosen:
        found |= values == name
    return found


def _conditions(
    table: Table, question: Question, separators: Mapping[str, str]
) -> list[pl.Expr]:
    conditions = []
    for column, labels in question.labels.items():
        if column in table.columns:
            cells = pl.col(column)
            if column in separators:
                found = [_parts(cells, separators[column]).list.contains(v) for v in labels]
                conditions.append(pl.any_horizontal(found))
            else:
                conditions.append(cells.is_in(list(labels)))
    missing = [pl.col(name).is_null() for name in question.missing if name in table.columns]
    if missing:
        conditions.append(pl.any_horizontal(missing))
    if question.text:
        lower = question.text.lower()
        # Where capitals make no difference, the cells need not be brought to small letters.
        plain = lower.upper() == lower
        cells_of = [pl.col(n) if plain else pl.col(n).str.to_lowercase() for n in table.columns]
        conditions.append(pl.any_horizontal(
            [cells.str.contains(lower, literal=True) for cells in cells_of]))
    return conditions


def _parts(cells: pl.Expr, separator: str) -> pl.Expr:
    return cells.str.split(separator).list.eval(pl.element().str.strip_chars())


def _sorted(cells: pl.Series, rows: np.ndarray, descending: bool) -> np.ndarray:
    """Rows by their cells: as numbers where most are numbers, else as words."""
    read = read_numbers(cells)
    if read.usual:
        numbers = pl.Series(read.values).fill_nan(None)
        order = numbers.arg_sort(descending=descending, nulls_last=True)
    else:
        words = cells.str.to_lowercase() if len(cells) < 200_000 else cells
        order = words.arg_sort(descending=descending, nulls_last=True)
    result: np.ndarray = rows[order.to_numpy()]
    return result


@dataclass(frozen=True)
class Counts:
    """How many rows there are of each kind.

    Attributes:
        splits: Per split; "" is the name of rows left out.
        labels: Per target its labels, the most frequent first; numbers in their own order. Of more
            than `MOST_LABELS`, the most frequent.
        distinct: Per target how many labels there are.
        ranges: Per target that is a number, equal ranges of it from the lowest up.
        missing: Per input the rows in which it is empty.
        unlabelled: Per target the rows whose label is unknown.
    """

    splits: tuple[tuple[str, int], ...]
    labels: Mapping[str, tuple[tuple[str, int], ...]]
    distinct: Mapping[str, int]
    ranges: Mapping[str, tuple[tuple[str, int], ...]]
    missing: Mapping[str, int]
    unlabelled: Mapping[str, int]


def count_rows(
    table: Table,
    splits: np.ndarray | None,
    inputs: Sequence[str],
    targets: Sequence[str],
    separators: Mapping[str, str] | None = None,
    numbers: frozenset[str] = frozenset(),
) -> Counts:
    """Count the rows per split, label and missing input.

    Args:
        table: All rows.
        splits: ``(N,)`` the split of each row.
        inputs: The columns of the inputs.
        targets: The columns of the targets.
        separators: Per column that holds several labels in a cell, what stands between them.
        numbers: Targets that are numbers.
    """
    of_splits: list[tuple[str, int]] = []
    if splits is not None:
        names = ("train", "validation", "test", "")
        of_splits = [(name, int(np.count_nonzero(splits == name))) for name in names]
    labels, distinct = {}, {}
    for name in [name for name in targets if name not in numbers]:
        cells = table.column(name).drop_nulls()
        separator = (separators or {}).get(name)
        if separator is not None:
            cells = cells.str.split(separator).explode().drop_nulls().str.strip_chars()
            cells = cells.filter(cells != "")
        counted = cells.value_counts(sort=True)
        counts = counted.head(MOST_LABELS).rows()
        distinct[name] = len(counted)
        labels[name] = _in_order([(str(label), int(count)) for label, count in counts])
    return Counts(
        tuple(of_splits),
        labels,
        distinct,
        {name: _ranges(table.column(name)) for name in targets if name in numbers},
        {name: table.column(name).null_count() for name in inputs},
        {name: table.column(name).null_count() for name in targets},
    )


def _ranges(cells: pl.Series) -> tuple[tuple[str, int], ...]:
    numbers = read_numbers(cells).values
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return ()
    counts, edges = np.histogram(numbers, bins=RANGES)
    ends = [f"{edge:.3g}" for edge in edges]
    return tuple((f"{ends[i]} – {ends[i + 1]}", int(n)) for i, n in enumerate(counts))


def _in_order(counts: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Numbers in their own order; of words with the same count, the alphabet's first."""
    if all(label.lstrip("-").isdigit() and label.isascii() for label, _ in counts):
        return tuple(sorted(counts, key=lambda c: int(c[0])))
    return tuple(sorted(counts, key=lambda c: (-c[1], c[0])))
