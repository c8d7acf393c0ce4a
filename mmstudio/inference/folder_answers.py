"""A folder of files as a table of samples."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mmstudio.data.table import Table
from mmstudio.data.walking import media_below
from mmstudio.errors import UserError
from mmstudio.experiment import InputSettings
from mmstudio.modalities import modality_of_file

SAMPLE = "sample"
"""The column that says which files a row is of: their common path without a suffix."""


def folder_table(folder: Path, inputs: Mapping[str, InputSettings]) -> Table:
    """The files of a folder, one sample per row.

    A file belongs to the input whose name is that of a folder on its way, else to the only input
    of its kind. Files of different inputs whose names match apart from that are one sample.

    Args:
        folder: Where to look, all folders below included.
        inputs: The model's inputs that are files.

    Raises:
        UserError: Nothing is there that the model reads, or it is not clear to which input it goes.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give a folder of files.")
    by_kind = defaultdict(list)
    for name, settings in inputs.items():
        if not settings.columns:
            by_kind[settings.modality].append(name)
    rows: dict[str, dict[str, str]] = defaultdict(dict)
    for path in media_below(folder):
        names = by_kind.get(modality_of_file(path) or "", [])
        parts = path.split("/")
        named = [n for n in names if n in parts[:-1]]
        if not names:
            continue
        if len(names) > 1 and len(named) != 1:
            raise UserError(
                f"{folder / path} may be {' or '.join(names)}.",
                f"Put the files into folders of these names, as {folder.name}/{names[0]}.")
        name = (named or names)[0]
        if named:
            parts.remove(name)
        stem = "/".join(parts).rpartition(".")[0] or "/".join(parts)
        if name in rows[stem]:  # cat.png beside cat.jpg
            stem = "/".join(parts)
        rows[stem][name] = path
    if not rows:
        kinds = ", ".join(sorted(by_kind)) or "no files"
        raise UserError(f"{folder} holds nothing that the model reads: it reads {kinds}.",
                        "Choose another folder.")
    stems = sorted(rows)
    columns = {SAMPLE: stems} | {
        inputs[n].column: [rows[s].get(n) for s in stems]
        for names in by_kind.values() for n in names}
    return Table(folder, folder, pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))


def sample_keys(table: Table) -> list[str]:
    """Per sample of a ``folder_table`` what its answer is of: its files as they are now."""
    names = [name for name in table.columns if name != SAMPLE]
    return [json.dumps([sample, *(_file_state(table.folder, row[name]) for name in names)])
            for sample, row in zip(table.column(SAMPLE).to_list(),
                                   table.frame.iter_rows(named=True), strict=True)]


def _file_state(folder: Path, path: str | None) -> list[str | int] | None:
    """A file's path, size and time of change; of one that is gone by now the path alone."""
    if path is None:
        return None
    try:
        state = (folder / path).stat()
    except OSError:
        return [path]
    return [path, state.st_size, state.st_mtime_ns]
