"""Files without a folder of their own: an unlabelled set, or one whose names tell the labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from mmstudio.data.table import Table
from mmstudio.data.walking import files_in, folders_in, media_below
from mmstudio.errors import UserError
from mmstudio.modalities import MODALITIES, modality_of_file
from mmstudio.reading import read_json

ALIKE = 0.95
"""Names are read in parts where so many have equally many."""
MOST_PARTS = 10
MOST_VALUES = 200
FEWEST_FILES = 8
"""Of fewer files, what their names have in common is chance."""
FEWEST_CODES = 5
STRAY = 0.1
MOST_RECORD_BYTES = 1_000_000
"""Of what is said about one file."""


def read_flat(folder: Path, lists: Mapping[str, str]) -> Table:
    """The media of a folder as one row each, with what their names or records beside them say.

    Args:
        folder: The folder.
        lists: Per file, with or without its suffix, its split, where lists tell it.

    Raises:
        UserError: There are none.
    """
    names = media_below(folder)
    kinds = Counter(modality_of_file(name) for name in names)
    if not names:
        raise UserError(
            f"{folder} holds neither a metadata.csv nor sub-folders of pictures, sounds or texts.",
            "Choose a table, or a folder with one sub-folder per class.")
    notes = []
    kind = max(kinds, key=lambda k: (
        not MODALITIES.get(str(k)).in_cells or kinds[k] > 10 * STRAY * len(names), kinds[k]))
    frame = _samples(names, kinds)
    if frame is None:
        chosen = [name for name in names if modality_of_file(name) == kind]
        if len(chosen) < len(names):
            notes.append(f"{len(names) - len(chosen):,} of {len(names):,} files are left out, "
                         f"as only {MODALITIES.get(str(kind)).plural} are read.")
        frame = pl.DataFrame({"file_name": chosen})
    else:
        notes.append(f"Files of one name are one sample: {', '.join(frame.columns)}.")
        frame = frame.select(pl.col(str(kind)).alias("file_name"), pl.exclude(str(kind)))
        chosen = frame.select(pl.coalesce(pl.all())).to_series().to_list()
    records = _records(folder, chosen)
    parts = None if records is not None else _name_parts(chosen)
    if records is not None:
        frame = pl.concat([frame, records], how="horizontal")
        notes.append("Beside each file a JSON file of its name says what it is.")
    elif parts is not None:
        frame = pl.concat([frame, parts], how="horizontal")
        notes.append(f"The files' names have {parts.width} parts each, as {chosen[0]}: those that "
                     "repeat may be labels.")
    else:
        notes.append("Nothing says what the files are: a set without labels, to be predicted.")
    if lists:
        paths = pl.Series("file_name", chosen)
        stems = paths.str.split("/").list.last().str.replace(r"\.[^.]*$", "")
        told = paths.replace_strict(lists, default=None, return_dtype=pl.String)
        told = told.fill_null(stems.replace_strict(lists, default=None, return_dtype=pl.String))
        if told.null_count() < 0.5 * len(told):
            frame = frame.with_columns(told.alias("split"))
    return Table(folder, folder, frame, notes)


def _samples(names: list[str], kinds: Counter[str | None]) -> pl.DataFrame | None:
    """A row per sample, where most files have partners of their name and of another kind."""
    usual = {kind for kind, n in kinds.items() if n > STRAY * max(kinds.values())}
    rows = [(name.rpartition(".")[0] or name, str(kind), name) for name in names
            if (kind := modality_of_file(name)) in usual]
    wide = paired(pl.DataFrame(rows, schema=["id", "modality", "file_name"], orient="row"), ["id"])
    return None if wide is None else wide.drop("id")


def paired(frame: pl.DataFrame, index: list[str]) -> pl.DataFrame | None:
    """A row per sample and a column per modality: 1.png and 1.wav are one sample.

    Args:
        frame: ``modality`` and ``file_name`` of each file, and what tells samples apart.
        index: The columns that do.

    Returns:
        None where most files have no such partner, or some have several of one kind.
    """
    per_sample = frame.group_by(index).agg(pl.len(), pl.col("modality").n_unique())
    partners = per_sample["modality"] > 1
    if frame["modality"].n_unique() < 2 or partners.sum() <= 0.5 * len(partners) or (
            per_sample["len"] > per_sample["modality"]).any():
        return None
    wide = frame.pivot("modality", index=index, values="file_name")
    return wide.select(*index, *by_count(Counter(frame["modality"].to_list())))


def by_count(kinds: Counter[str]) -> list[str]:
    """The most frequent first."""
    return sorted(kinds, key=lambda kind: (-kinds[kind], kind))


def _name_parts(names: list[str]) -> pl.DataFrame | None:
    """A column per part of the names, where all have as many, and some part repeats."""
    stems = [name.rpartition("/")[2].rpartition(".")[0] for name in names]
    for separator in ("_", "-"):
        split = [re.split(re.escape(separator) + "+", stem) for stem in stems]
        count, alike = Counter(map(len, split)).most_common(1)[0]
        if not 2 <= count <= MOST_PARTS or alike < ALIKE * len(stems) or len(stems) < FEWEST_FILES:
            continue
        columns = dict(_part([p[place] if len(p) == count else None for p in split], place)
                       for place in range(count))
        if any(2 <= len(set(cells)) <= min(MOST_VALUES, len(stems) // 4)
               for cells in columns.values()):
            return pl.DataFrame(columns)
    return None


def _part(cells: list[str | None], place: int) -> tuple[str, list[str | None]]:
    """A part of the names as a column; numbers of three digits and more are called ids."""
    known = [c for c in cells if c is not None]
    codes = all(c.isdigit() and len(c) > 2 for c in known) and len(set(known)) >= FEWEST_CODES
    return f"name part {place + 1}" + (" (id)" if codes else ""), cells


def _records(folder: Path, names: list[str]) -> pl.DataFrame | None:
    """What JSON files of the media's names hold, one row each; None where there are too few."""
    places = (folder, *(folder / sub for sub in folders_in(folder)))
    beside = {Path(n).stem: place / n for place in places for n in files_in(place)
              if n.lower().endswith(".json")}
    stems = [Path(name).stem for name in names]
    if sum(stem in beside for stem in stems) < 0.5 * len(stems):
        return None
    rows = [_record(beside[stem]) if stem in beside else {} for stem in stems]
    keys = Counter(k for row in rows for k in row)
    common = [k for k, n in keys.items() if n >= 0.1 * len(rows) and k != "file_name"]
    return pl.DataFrame({k: pl.Series([row.get(k) for row in rows], dtype=pl.String)
                         for k in common}) if common else None


def _record(path: Path) -> dict[str, str]:
    """A record's values as cells; lists are joined by "|", records within are skipped."""
    try:
        held = read_json(path, MOST_RECORD_BYTES)
    except (OSError, ValueError, RecursionError):
        return {}
    found = {}
    for key, value in held.items():
        if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
            value = "|".join(str(v) for v in value)
        if isinstance(value, str | int | float) and str(value).strip():
            found[str(key)] = str(value).strip()
    return found
