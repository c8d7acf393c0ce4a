"""The check as a whole: read, decode, and ask every family."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.checks.cells import cell_problems
from mmstudio.data.checks.content import content_problems
from mmstudio.data.checks.contradictions import contradiction_problems
from mmstudio.data.checks.cut import cut_problems
from mmstudio.data.checks.duplicates import duplicate_problems
from mmstudio.data.checks.examined import Examined, Input, look_at
from mmstudio.data.checks.files import file_problems, read_alone
from mmstudio.data.checks.groups import group_problems
from mmstudio.data.checks.labels import label_problems
from mmstudio.data.checks.leaks import name_problems, text_problems
from mmstudio.data.checks.problem import Problem, Report, problem, row_problems
from mmstudio.data.checks.vocabulary import vocabulary_problems
from mmstudio.data.excluded import excluded_rows
from mmstudio.data.merged_labels import merged, neither, odd_switches
from mmstudio.data.prepare import Progress
from mmstudio.data.schema import fit_schema, modality_of, values_of
from mmstudio.data.split import split_of
from mmstudio.data.store import decode_all
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.modalities.base import Value

FAMILIES: tuple[tuple[str, Callable[[Examined], Iterator[Problem]]], ...] = (
    ("Looking at the content", content_problems),
    ("Looking at what is cut off", cut_problems),
    ("Looking at the columns", cell_problems),
    ("Comparing labels", label_problems),
    ("Comparing equal samples", contradiction_problems),
    ("Comparing the splits", duplicate_problems),
    ("Looking at the groups", group_problems),
    ("Looking for labels in texts", text_problems),
    ("Looking for new words", vocabulary_problems),
    ("Looking for labels in names", name_problems),
)


def check(experiment: Experiment, folder: Path) -> Iterator[Progress | Report]:
    """Read and decode all data and report what is wrong with it.

    What is decoded is kept in the store, so that training finds it there.

    Args:
        experiment: What to look at.
        folder: What ``data.table`` is relative to.

    Yields:
        Progress, last the report.

    Raises:
        UserError: The table itself can't be read.
    """
    table = read_table(folder / experiment.data.table)
    count = len(table)
    notes = [problem(-1, "", "table_note", note) for note in table.notes]
    odd = list(_odd_switches(experiment, table))
    try:
        table = merged(table, experiment, lenient=True)
        splits = split_of(experiment, table, folder)
        left_out = excluded_rows(table, experiment.data.leave_out, folder)
        values = {n: values_of(table, i) for n, i in experiment.active_inputs.items()}
    except UserError as error:
        yield Report(count, (Problem(-1, "", "table", error.message, error.hint), *notes, *odd))
        return
    problems = [*notes, *odd]
    specs, whole = _specs(experiment, table, splits, values)
    problems += whole
    inputs: dict[str, Input] = {}
    usable = np.zeros(count, dtype=bool)
    for name, settings in experiment.active_inputs.items():
        message = f"Reading {name}"
        modality, spec = modality_of(settings), specs.get(name)
        if spec is None:
            errors = read_alone(settings.modality, values[name])
        else:
            for step in decode_all(modality, spec, values[name]):
                if isinstance(step, int):
                    yield Progress(message, step, count)
                else:
                    decoded = step
            for seen in look_at(settings, spec, values[name], decoded):
                if isinstance(seen, int):
                    yield Progress(f"Looking at {name}", seen, count)
                else:
                    inputs[name] = seen
            usable |= np.diff(inputs[name].decoded.starts) > 0
            errors = dict(inputs[name].decoded.errors)
        for found in file_problems(settings, spec, values[name], errors):
            if isinstance(found, int):
                yield Progress(f"Looking at the files of {name}", found, count)
            else:
                problems.append(found)
    problems += [
        problem(int(row), "", "no_input", "Not one input of this row can be used.",
                "Give it one, or take the row out of the table.")
        for row in np.flatnonzero(~usable & (splits != "")) if inputs
    ]
    examined = Examined(experiment, table, splits, inputs)
    for done, (message, family) in enumerate(FAMILIES):
        yield Progress(message, done, len(FAMILIES))
        problems += family(examined)
    # what ends the reading of the table does so in rows that are left out too
    kept = [p for p in problems if p.row < 0 or p.kind == "table" or not left_out[p.row]]
    yield Report(count, tuple(sorted(kept, key=lambda p: (p.row, p.column))))


def _odd_switches(experiment: Experiment, table: Table) -> Iterator[Problem]:
    """Cells of a target's columns of yes and no that say neither."""
    for target, column, rows in odd_switches(table, experiment):
        def message(row: int, of: str = target, at: str = column) -> str:
            return neither(table, of, at, row).message

        yield from row_problems(rows, column, "table", message,
                                neither(table, target, column, rows[0]).hint)


def _specs(
    experiment: Experiment, table: Table, splits: np.ndarray, values: dict[str, list[Value | None]]
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Per input what its modality learns; where training can't, of those that can, and why."""
    try:
        return fit_schema(experiment, table, splits, values).inputs, []
    except UserError as error:
        problems = [Problem(-1, "", "table", error.message, error.hint)]
    specs = {}
    for name, settings in experiment.active_inputs.items():
        known = [v for v in values[name] if v is not None]
        try:
            if known:
                specs[name] = modality_of(settings).fit(known)
        except UserError:
            continue  # what is wrong with its files is told row by row
    return specs, problems
