"""What is wrong with the data, row by row, before anyone trains on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.prepare import Progress
from mmstudio.data.schema import fit_schema, modality_of, values_of
from mmstudio.data.split import split_rows
from mmstudio.data.store import AT_ONCE, WORKERS
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.modalities import Modality
from mmstudio.modalities.base import Value


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        row: Row of the table, 0 the first below the header; -1 means the whole table.
        column: The column, or the key of the experiment file.
        kind: ``unreadable``, ``unknown_label``, ``no_input``, ``rare_label``, ``table``.
        message: What is wrong.
        hint: The remedy.
    """

    row: int
    column: str
    kind: str
    message: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """The outcome of a check."""

    rows: int
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"rows": self.rows, "problems": [p.to_json() for p in self.problems]}


def check(experiment: Experiment, folder: Path) -> Iterator[Progress | Report]:
    """Read and decode all data and report what is wrong with it.

    Args:
        experiment: What to look at.
        folder: What ``data.table`` is relative to.

    Yields:
        Progress, last the report.

    Raises:
        UserError: The table itself can't be read.
    """
    table = read_table(folder / experiment.data.table)
    problems: list[Problem] = []
    try:
        splits = split_rows(table, experiment.data.split)
        values = {n: values_of(table, i) for n, i in experiment.active_inputs.items()}
        schema = fit_schema(experiment, table, splits, values)
    except UserError as error:
        yield Report(len(table), (Problem(-1, "", "table", error.message, error.hint),))
        return
    readable = np.zeros(len(table), dtype=bool)
    for name, settings in experiment.active_inputs.items():
        modality, spec = modality_of(settings), schema.inputs[name]
        column = settings.column
        for done, errors in _decode_errors(modality, spec, values[name]):
            problems += [Problem(row, column, "unreadable", e.message, e.hint)
                         for row, e in errors]
            yield Progress(f"Reading {name}", done, len(table))
        broken = {p.row for p in problems if p.column == column}
        readable |= [v is not None and r not in broken for r, v in enumerate(values[name])]
    problems += [
        Problem(int(row), "", "no_input", "Not one input of this row can be used.",
                "The row is left out of training.")
        for row in np.flatnonzero(~readable & (splits != ""))
    ]
    problems += _label_problems(experiment, table, splits)
    problems.sort(key=lambda p: (p.row, p.column))
    yield Report(len(table), tuple(problems))


def _decode_errors(
    modality: Modality, spec: dict[str, Any], values: list[Value | None]
) -> Iterator[tuple[int, list[tuple[int, UserError]]]]:
    def tried(row: int) -> tuple[int, UserError] | None:
        value = values[row]
        if value is not None:
            try:
                modality.decode(value, spec)
            except UserError as error:
                return row, error
        return None

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="check") as pool:
        for start in range(0, len(values), AT_ONCE):
            end = min(start + AT_ONCE, len(values))
            yield end, [e for e in pool.map(tried, range(start, end)) if e is not None]


def _label_problems(experiment: Experiment, table: Table, splits: np.ndarray) -> list[Problem]:
    problems = []
    for name, target in experiment.active_targets.items():
        cells = table.column(target.column).to_list()
        counts = Counter(c for c, s in zip(cells, splits, strict=True) if c and s == "train")
        for row, (cell, split) in enumerate(zip(cells, splits, strict=True)):
            if cell is not None and split and cell not in counts:
                problems.append(Problem(
                    row, target.column, "unknown_label",
                    f"'{cell}' does not occur in the training rows of '{name}'.",
                    "The model can't learn it; add training rows or mend the spelling."))
        rare = [label for label, count in counts.items() if count == 1]
        trained = [c if s == "train" else None for c, s in zip(cells, splits, strict=True)]
        problems += [
            Problem(trained.index(label), target.column, "rare_label",
                    f"'{label}' occurs once in the training rows of '{name}'.",
                    "Add samples, or merge it with another class.")
            for label in rare
        ]
    return problems
