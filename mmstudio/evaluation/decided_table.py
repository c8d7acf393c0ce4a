"""The table written anew as was decided: with other labels, without the rows that are left out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mmstudio.data.schema import values_of
from mmstudio.data.table import Table, read_table
from mmstudio.data.written_table import SUFFIXES, write_frame
from mmstudio.errors import UserError
from mmstudio.evaluation.decisions import KEEP, LEAVE_OUT, RELABEL, Decision, effective, placed
from mmstudio.evaluation.findings import LABEL
from mmstudio.evaluation.row_contents import RowContents
from mmstudio.experiment import Experiment
from mmstudio.modalities import MODALITIES

ENDING = "reviewed"


@dataclass(frozen=True)
class Outcome:
    """What decisions come to.

    Attributes:
        labels: Per target and row the new label.
        out: The rows that are left out.
    """

    labels: dict[str, dict[int, str]]
    out: set[int]

    @property
    def is_empty(self) -> bool:
        """Whether the table stays as it is."""
        return not self.out and not any(self.labels.values())


def outcome_of(decisions: Iterable[Decision]) -> Outcome:
    """What decisions come to; of those on one row a later one holds."""
    labels: dict[str, dict[int, str]] = {}
    out: set[int] = set()
    for decision in effective(decisions):
        if decision.verdict == LEAVE_OUT:
            out.add(decision.row)
        elif decision.verdict == RELABEL:
            labels.setdefault(decision.target, {})[decision.row] = decision.label
        elif decision.verdict == KEEP and decision.about == LABEL:
            labels.get(decision.target, {}).pop(decision.row, None)
    return Outcome(labels, out)


def decided(table: Table, experiment: Experiment, outcome: Outcome) -> pl.DataFrame:
    """All rows that stay, in their order, with the labels that were decided.

    Args:
        table: The rows as they stand in the file.
        experiment: Tells the targets' columns; a column that is not there yet is added.
        outcome: Of decisions on this table's rows.
    """
    frame = table.frame
    for target, new in outcome.labels.items():
        settings = experiment.targets.get(target)
        if settings is None or not new:
            continue
        cells = (frame[settings.column].to_list() if settings.column in frame.columns
                 else [None] * len(frame))
        for row, label in new.items():
            cells[row] = label
        frame = frame.with_columns(pl.Series(settings.column, cells, dtype=pl.String))
    if outcome.out:
        staying = [row for row in range(len(frame)) if row not in outcome.out]
        frame = frame[staying]
    return frame


def free_place(table: Path, project: Path) -> Path:
    """A file's name beside a table or a folder of media, where none stands yet.

    Where nothing can be written there, it is in the project's folder.
    """
    suffix = table.suffix.lower() if table.is_file() else ""
    name = table.stem if table.is_file() else table.name
    beside = table.resolve().parent
    folder = beside if os.access(beside, os.W_OK) else project
    number = 1
    while True:
        more = f" {number}" if number > 1 else ""
        path = folder / f"{name} {ENDING}{more}{suffix if suffix in SUFFIXES else '.csv'}"
        if not path.exists():
            return path
        number += 1


def write_decided(
    experiment: Experiment, project: Path, decisions: Iterable[Decision]
) -> Path:
    """Write a project's table anew beside the old one; the old one stays.

    Args:
        experiment: The project's.
        project: Its folder.
        decisions: All of the project's.

    Returns:
        The new file.

    Raises:
        UserError: Nothing was decided that changes the table, no row would stay, the table can't
            be read, or the new one can't be written.
    """
    source = project / experiment.data.table
    table = read_table(source)
    outcome = outcome_of(placed(decisions, RowContents(table, experiment, project)))
    if outcome.is_empty:
        raise UserError("Nothing was decided yet that changes the table.",
                        "Give a row another label, or leave one out.")
    path = free_place(source, project)
    if table.told or path.parent != table.folder.resolve():
        table = _with_paths(table, experiment, path.parent)
    frame = decided(table, experiment, outcome)
    if not len(frame):
        raise UserError("Every row of the table would be left out.", "Keep some.")
    write_frame(frame, path, "Make room there and allow writing.")
    return path


def _with_paths(table: Table, experiment: Experiment, folder: Path) -> Table:
    """The same rows, whose files are named as they are found from another folder."""
    frame = table.frame
    for settings in experiment.inputs.values():
        if MODALITIES.get(settings.modality).several_columns or (
                settings.column not in table.columns):
            continue
        cells = table.column(settings.column).to_list()
        for row, value in enumerate(values_of(table, settings)):
            if isinstance(value, Path):
                # a file that is a link keeps its own name
                path = value.parent.resolve() / value.name
                cells[row] = Path(os.path.relpath(path, folder.resolve())).as_posix()
        frame = frame.with_columns(pl.Series(settings.column, cells, dtype=pl.String))
    return table.with_frame(frame)
