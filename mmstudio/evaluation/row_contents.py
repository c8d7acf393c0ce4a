"""What a row is known by: the cells that the inputs read, and the files that these name.

A table that is written into another folder names the same files otherwise; so a row has two
digests, one of its cells as they stand and one in which a file is where it lies, seen from the
project's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mmstudio.data.places import Places
from mmstudio.data.schema import modality_of
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment, InputSettings
from mmstudio.modalities.base import Modality

_BYTES = 16
"""Of a digest."""

Cells = tuple[str | None, ...]


class RowContents:
    """Digests of a table's rows.

    Args:
        table: The rows.
        experiment: Tells which columns the inputs read and where their files are; without it all
            columns count, as they stand.
        project: Its folder.
        columns: The columns that count; None for those of the inputs, all where there are none.
    """

    def __init__(
        self, table: Table, experiment: Experiment | None, project: Path,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.table = table
        self.columns = tuple(columns) if columns is not None else identity_columns(
            table, experiment)
        self._experiment, self._project = experiment, project
        self._root = os.path.realpath(project)
        self._folders: dict[tuple[Path, str], str] = {}
        self._files: list[tuple[int, InputSettings, Modality]] = []
        for settings in experiment.inputs.values() if experiment is not None else ():
            modality = modality_of(settings)
            if not modality.several_columns and settings.column in self.columns:
                self._files.append((self.columns.index(settings.column), settings, modality))

    def of(self, columns: Sequence[str]) -> RowContents:
        """The same of other columns."""
        return RowContents(self.table, self._experiment, self._project, columns)

    @property
    def are_there(self) -> bool:
        """Whether the table has all of the columns."""
        return bool(self.columns) and set(self.columns) <= set(self.table.columns)

    def cells(self, rows: Sequence[int] | None = None) -> list[Cells]:
        """The cells of some rows, or of all."""
        frame = self.table.frame.select(self.columns)
        return (frame if rows is None else frame[list(rows)]).rows()

    def prepare(self) -> None:
        """Find out where the files lie, which may take long; ``content_digest`` is quick then."""
        if self.are_there:
            for _, settings, modality in self._files:
                if modality.looks_at is not None or any(
                        map(modality.names_file, self.table.column(settings.column))):
                    self.table.places(settings.column, settings.folder)

    def content_digest(self, cells: Cells) -> str:
        """A digest of what a row holds, however its cells name files."""
        found: list[str | list[str] | None] = list(cells)
        for at, settings, modality in self._files:
            cell = cells[at]
            if cell is None or (modality.looks_at is None and not modality.names_file(cell)):
                continue
            places = self.table.places(settings.column, settings.folder)
            if modality.looks_at is not None and is_plain(cell, places):
                folder, _, name = cell.rpartition("/")
                found[at] = [self._seen_from_project(places.folder, folder), name]
            elif isinstance(modality.locate(cell, places.folder), Path):
                path = places.path(cell)
                found[at] = [self._seen_from_project(path.parent, ""), path.name]
        return _digest(found)

    def _seen_from_project(self, base: Path, folder: str) -> str:
        if (base, folder) not in self._folders:  # few folders hold all of the files
            self._folders[base, folder] = _relative(os.path.realpath(base / folder), self._root)
        return self._folders[base, folder]


def is_plain(cell: str, places: Places) -> bool:
    """Whether a cell is a path as it stands, in slashes: of many rows, this must be quick."""
    return (places.level < 0 and not places.separator and ":" not in cell and "\\" not in cell
            and cell[-1] not in "/.")


def identity_columns(table: Table, experiment: Experiment | None) -> tuple[str, ...]:
    """The columns that a row is known by: those of the inputs, all where there are none."""
    inputs = experiment.inputs.values() if experiment is not None else ()
    read = {c for settings in inputs for c in settings.read_columns}
    return tuple(sorted(read & set(table.columns))) or tuple(sorted(table.columns))


def digest_of(cells: Sequence[str | None]) -> str:
    """A digest of a row's cells as they stand."""
    return _digest(cells)


def _digest(cells: Sequence[object]) -> str:
    text = json.dumps(list(cells), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=_BYTES).hexdigest()


def _relative(folder: str, root: str) -> str:
    try:
        return os.path.relpath(folder, root).replace(os.sep, "/")
    except ValueError:  # on another drive
        return folder.replace(os.sep, "/")
