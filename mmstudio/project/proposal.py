"""From data to a project: what is proposed for a source, and the experiment file that says it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmstudio.data.joined_labels import joinable, joined, joined_of
from mmstudio.data.places import LEAST, is_address
from mmstudio.data.propose import Column, experiment_from_columns, propose_columns
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError, nearest
from mmstudio.experiment import Experiment
from mmstudio.modalities import MODALITIES
from mmstudio.project.places import EXPERIMENT_FILE, check_free, path_from


@dataclass(frozen=True)
class Proposal:
    """A table and what its columns seem to be."""

    table: Table
    columns: tuple[Column, ...]

    def said(self) -> list[str]:
        """What to know before anything is made, in sentences: whence, what is odd, what lacks."""
        table = self.table
        kind = "folder" if table.path == table.folder else "table"
        lines = [f"{len(table):,} rows, of the {kind} {table.path}."]
        lines += table.notes
        lacking = [f"{c.missing:,} without '{c.name}' ({_word(c)})" for c in self.columns
                   if c.missing and c.role in ("input", "target", "split", "group")]
        if lacking:
            lines.append(f"Rows: {', '.join(lacking)}.")
        several = [c.name for c in self.columns if c.role == "input" and c.modality is not None
                   and MODALITIES.get(c.modality).several_columns]
        if several:
            lines.append(f"Numbers and categories as one input: {', '.join(several)}. Leave out "
                         "what is known only once the answer is.")
        aside = [c.name for c in self.columns if c.role == "ignore"]
        if aside:
            lines.append(f"Columns that are not used: {', '.join(aside)}.")
        return [*lines, *self._of_switches()]

    def _of_switches(self) -> list[str]:
        if found := joined_of(self.columns):
            names = ", ".join(dict.fromkeys(str(c.options["into"]) for c in found))
            return [f"{len(found)} columns of yes and no are the labels of one target: {names}."]
        if found := joinable(self.columns):
            return [f"{len(found)} columns say yes or no, and each is a target. They can be one "
                    "target of several labels: “As one target” in the window, mmstudio new "
                    "--multilabel on the command line."]
        return []

    def with_joined(self) -> Proposal:
        """With the columns of yes and no as one target. Raises UserError where there are none."""
        return replace(self, columns=tuple(joined(self.columns)))

    @property
    def lost(self) -> bool:
        """Whether of some column most files are not where it says, nor anywhere near."""
        naming = (c for c in self.columns if (_is_of_files(c))
                  or (c.role == "ignore" and any(map(is_address, c.examples))))
        return any(self.table.places(c.name).share < LEAST for c in naming)

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "rows": len(self.table),
            "table": str(self.table.path),
            "folder": str(self.table.folder),
            "notes": list(self.table.notes),
            "columns": [
                {"name": c.name, "role": c.role, "modality": c.modality, "task": c.task,
                 **c.options, "distinct": c.distinct, "missing": c.missing,
                 "examples": list(c.examples), "reason": c.reason}
                for c in self.columns
            ],
        }


def _is_of_files(column: Column) -> bool:
    return (column.role == "input" and column.modality is not None
            and not MODALITIES.get(column.modality).in_cells)


def _word(column: Column) -> str:
    if column.role == "input" and column.modality is not None:
        if MODALITIES.get(column.modality).several_columns:
            return "a missing cell of that input"
        return "that input is absent there"
    return {"target": "that label is unknown there", "split": "these rows are left out"}.get(
        column.role, "such a row stands alone")


def tables_of(source: Path) -> list[str]:
    """The tables to choose from: those of a folder that holds several, named as from there."""
    from mmstudio.data.tables_in_folder import table_files

    if not source.is_dir():
        return []
    names = [path.relative_to(source).as_posix() for path in table_files(source)]
    return names if len(names) > 1 else []


def propose(
    source: Path, media_root: Path | None = None, table_name: str | None = None
) -> Proposal:
    """Look into a table or a folder of media.

    Args:
        source: The table or the folder.
        media_root: The folder below which the files are that a table names, if that is known; it
            holds for all of its columns.
        table_name: Which of the tables in the folder ``source`` to take, as ``tables_of`` names
            them; None leaves it to what is found there.

    Raises:
        UserError: It can't be read, there is no folder ``media_root`` or no such table.
    """
    source = Path(os.path.abspath(source))
    if table_name is not None:
        source = _table_in(source, table_name)
    table = read_table(source)
    if media_root is not None:
        if not media_root.is_dir():
            raise UserError(f"There is no folder {media_root}.",
                            "Give the folder that holds the files.")
        table.told[""] = path_from(table.folder, media_root)
    return Proposal(table, tuple(propose_columns(table)))


def _table_in(source: Path, name: str) -> Path:
    from mmstudio.data.tables_in_folder import table_files

    if not source.is_dir():
        raise UserError(f"{source} is not a folder, so there is no table '{name}' in it.",
                        "Leave the table's name out, or give the folder.")
    names = [path.relative_to(source).as_posix() for path in table_files(source)]
    meant = [n for n in names if n == name] or [n for n in names if Path(n).name == name]
    if len(meant) != 1:
        raise UserError(f"{source} has no table '{name}'.", nearest(name, names))
    return source / meant[0]


def experiment_for(folder: Path, table: Table, columns: Sequence[Column]) -> Experiment:
    """The experiment in ``folder`` that uses a table's columns as said. Raises UserError."""
    return experiment_from_columns(path_from(folder, table.path), columns)


def write_project(folder: Path, proposal: Proposal) -> Path:
    """Write ``experiment.toml`` for a proposal; the data stays where it is.

    Returns:
        The path of the file.

    Raises:
        UserError: There is one already, the folder can't be written, or the proposal lacks an
            input or a target.
    """
    check_free(folder)
    path = folder / EXPERIMENT_FILE
    try:
        experiment = experiment_for(folder, proposal.table, proposal.columns)
    except UserError as error:
        raise UserError(f"{proposal.table.path}: {error.message}",
                        "Open it in the app to say what each column is, or write "
                        f"{EXPERIMENT_FILE} by hand.") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        experiment.save(path)
    except OSError as error:
        raise UserError(f"The project can't be written to {folder}: {error.strerror}.",
                        "Choose a folder on a disk that you may write to.") from None
    return path
