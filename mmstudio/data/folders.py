"""Folders of media to rows: with a table, by class, by modality, with sub-folders per split.

What is tried, in this order:

1. sub-folders ``train``, ``validation``, ``test``: each is read by the rules below, and the
   column ``split`` says which one a row came from;
2. a table that names the files: ``metadata.csv`` or ``.jsonl`` as Hugging Face's image and audio
   folders have it, or the only table there is;
3. folders per modality whose file names match, with or without a table of labels;
4. one sub-folder per class.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import polars as pl

from mmstudio.data.split import SPELLINGS
from mmstudio.data.table import TABLE_SUFFIXES, Table, read_table
from mmstudio.errors import UserError
from mmstudio.modalities import MODALITIES, modality_of_file

TABLE_STEMS = ("metadata", "table", "data", "labels", "annotations", "index")
NOT_DATA = ("runs", "__macosx")
LOOKED_AT = 200
"""Cells or files that a decision rests on."""
STRAY = 0.1
"""Files of a modality are strays where there are no more than this share of the commonest one's."""


def read_folder(folder: Path) -> Table:
    """Read a folder of media.

    Raises:
        UserError: It can't be read, or holds nothing that is known.
    """
    table = _table_in(folder, needs_files=True)
    parts = _split_folders(folder) if table is None else []
    if parts:
        return _stacked(folder, {part: _unsplit(folder / part) for part in parts})
    return _unsplit(folder, table)


def _unsplit(folder: Path, table: Table | None = None) -> Table:
    table = table or _table_in(folder, needs_files=True)
    if table is not None:
        return _with_split_of_paths(table)
    return _by_modality(folder) or _by_class(folder)


def _split_folders(folder: Path) -> list[str]:
    """The sub-folders that are splits; none where they do not tell a training split."""
    found = [name for name in _folders(folder) if name.lower() in SPELLINGS]
    kinds = {SPELLINGS[name.lower()] for name in found}
    others = len(_folders(folder)) - len(found)
    enough = "train" in kinds and (len(kinds) > 1 or others == 0)
    return sorted(found, key=lambda n: list(SPELLINGS).index(n.lower())) if enough else []


def _stacked(folder: Path, tables: dict[str, Table]) -> Table:
    frames, notes = [], []
    for part, table in tables.items():
        frame = table.frame
        if "split" in frame.columns:
            frame = frame.rename({"split": "split in the table"})
        prefix = os.path.relpath(table.folder, folder).replace(os.sep, "/")
        frame = frame.with_columns(
            pl.format(f"{prefix}/{{}}", pl.col(c)).alias(c)
            for c in frame.columns if _names_files(table, c))
        split = pl.lit(SPELLINGS[part.lower()]).alias("split")
        frames.append(frame.with_columns(split))
        notes += [f"{part}: {note}" for note in table.notes]
    frame = pl.concat(frames, how="diagonal")
    frame = frame.select([c for c in frame.columns if c != "split"] + ["split"])
    return Table(folder, folder, frame, notes)


# A table in the folder ----------------------------------------------------------------------


def _table_in(folder: Path, *, needs_files: bool) -> Table | None:
    """The folder's own table; with ``needs_files`` only one whose cells name files."""
    names = [n for n in _files(folder) if Path(n).suffix.lower() in TABLE_SUFFIXES]
    known = [f"{stem}{suffix}" for stem in TABLE_STEMS for suffix in TABLE_SUFFIXES]
    found = [n for n in known if n in names]
    if not found:
        others = [n for n in names if not n.lower().endswith(".txt")]
        found = others if len(others) == 1 else []
    if not found:
        return None
    try:
        table = read_table(folder / found[0])
    except UserError:
        if not needs_files:
            return None
        raise
    return table if not needs_files or _stands_alone(table, folder) else None


def _stands_alone(table: Table, folder: Path) -> bool:
    """Whether a table tells all: it names files, or there are no media beside it."""
    named = [c for c in table.columns if _names_files(table, c)]
    if named and (table.path.stem == "metadata" or any(_some_exist(table, c) for c in named)):
        return True
    return not any(_media(folder / sub) for sub in _folders(folder))


def _names_files(table: Table, column: str) -> bool:
    """Whether a column's cells are paths: some of the first ones exist."""
    cells = table.column(column).drop_nulls().unique(maintain_order=True).head(LOOKED_AT).to_list()
    likely = [c for c in cells if len(c) < 500 and "\n" not in c]
    if not likely or len(likely) < 0.8 * len(cells):
        return False
    by_suffix = sum(modality_of_file(c) is not None for c in likely)
    return by_suffix > 0.8 * len(likely) or any(_is_file(table.folder / c) for c in likely[:5])


def _some_exist(table: Table, column: str) -> bool:
    cells = table.column(column).drop_nulls().head(LOOKED_AT).to_list()
    return any(_is_file(table.folder / cell) for cell in cells)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _with_split_of_paths(table: Table) -> Table:
    """Add ``split`` where all paths begin with a split's folder."""
    if any(name.lower() == "split" for name in table.columns):
        return table
    for name in table.columns:
        first = table.column(name).str.split("/").list.first().str.to_lowercase()
        kinds = first.drop_nulls().unique().to_list()
        if "train" in [SPELLINGS.get(k) for k in kinds] and all(k in SPELLINGS for k in kinds):
            if not _names_files(table, name):
                continue
            frame = table.frame.with_columns(first.replace(SPELLINGS).alias("split"))
            return Table(table.path, table.folder, frame, table.notes)
    return table


# Folders per modality -----------------------------------------------------------------------


def _by_modality(folder: Path) -> Table | None:
    """One column per sub-folder, one row per file name; None where the folders tell otherwise."""
    labels = _table_in(folder, needs_files=False)
    kinds = {sub: _main_modality(folder / sub) for sub in _folders(folder)}
    kinds = {sub: kind for sub, kind in kinds.items() if kind is not None}
    if len(set(kinds.values())) < (1 if labels is not None else 2):
        return None
    columns = {sub: _by_stem(folder, sub, kind) for sub, kind in kinds.items() if kind is not None}
    counts = pl.concat([pl.Series(list(c), dtype=pl.String) for c in columns.values()]
                       ).value_counts()["count"]
    if len(columns) > 1 and (counts > 1).sum() < 0.5 * len(counts):
        return None
    frame = pl.DataFrame({"id": sorted({key for c in columns.values() for key in c})})
    for sub, files in columns.items():
        frame = frame.with_columns(
            pl.col("id").replace_strict(files, default=None, return_dtype=pl.String).alias(sub))
    notes: list[str] = []
    if labels is not None:
        joined = _joined_by_name(frame, labels)
        if joined is None:
            return None
        frame, notes = joined, list(labels.notes)
    return _with_split_of_ids(Table(folder, folder, frame, notes))


def _main_modality(folder: Path) -> str | None:
    kinds = [modality_of_file(name) for name in _media(folder)[:LOOKED_AT]]
    best = max(set(kinds), key=kinds.count, default=None)
    return best if best is not None and kinds.count(best) > 0.9 * len(kinds) else None


def _by_stem(folder: Path, sub: str, kind: str) -> dict[str, str]:
    """Path without suffix, inside the sub-folder, to the path from the folder."""
    return {name.rpartition(".")[0] or name: f"{sub}/{name}" for name in _media(folder / sub)
            if modality_of_file(name) == kind}


def _joined_by_name(files: pl.DataFrame, labels: Table) -> pl.DataFrame | None:
    """The files beside the table's rows; rows and files that have no partner are kept."""
    keys = files["id"]
    best: tuple[float, str, pl.Series] = (0.5, "", keys)
    for name in labels.columns:
        cells = labels.column(name)
        stems = cells.str.replace(r"\.[A-Za-z0-9]{1,5}$", "")
        for found in (cells, stems, stems.str.split("/").list.last()):
            share = float(found.is_in(keys.implode()).sum()) / max(1, found.count())
            if share > best[0]:
                best = (share, name, found)
    if not best[1]:
        return None
    frame = labels.frame.rename({c: f"{c} in the table" for c in labels.columns
                                 if c in files.columns})
    # many rows may share a file; the order of the table is kept, files without a row follow
    frame = frame.with_columns(best[2].alias("\0key"))
    joined = frame.join(files.rename({"id": "\0key"}), on="\0key", how="left",
                        maintain_order="left")
    rest = files.filter(~pl.col("id").is_in(best[2].drop_nulls().implode()))
    joined = pl.concat([joined, rest.rename({"id": "\0key"})], how="diagonal")
    order = ["\0key", *(c for c in files.columns if c != "id"),
             *(c for c in frame.columns if c not in ("\0key", best[1], f"{best[1]} in the table"))]
    return joined.select(order).rename({"\0key": "id"})


def _with_split_of_ids(table: Table) -> Table:
    first = table.column("id").str.split("/").list.first().str.to_lowercase()
    kinds = first.drop_nulls().unique().to_list()
    told = all(k in SPELLINGS for k in kinds) and "train" in [SPELLINGS[k] for k in kinds]
    if told and "split" not in table.columns:
        frame = table.frame.with_columns(first.replace(SPELLINGS).alias("split"))
        return Table(table.path, table.folder, frame, table.notes)
    return table


# One folder per class -----------------------------------------------------------------------


def _by_class(folder: Path) -> Table:
    rows: list[tuple[str, str, str, str]] = []
    for sub in _folders(folder):
        rows += [(sub, name.rpartition(".")[0] or name, modality_of_file(name) or "",
                  f"{sub}/{name}") for name in _media(folder / sub)]
    if not rows:
        raise UserError(
            f"{folder} holds neither a metadata.csv nor sub-folders of pictures, sounds or texts.",
            "Choose a table, or a folder with one sub-folder per class.")
    frame = pl.DataFrame(rows, schema=["label", "id", "modality", "file_name"], orient="row")
    counts = Counter(frame["modality"].to_list())
    # README.md among pictures is no sample
    frame, notes = _only(frame, [k for k, n in counts.items() if n > STRAY * max(counts.values())])
    kinds = sorted(set(frame["modality"]), key=lambda kind: (-counts[kind], kind))
    per_sample = frame.group_by("label", "id").agg(pl.len(), pl.col("modality").n_unique())
    # cat/1.png and cat/1.wav are one sample where most files have such a partner
    paired = len(kinds) > 1 and (per_sample["modality"] > 1).mean() > 0.5  # type: ignore[operator]
    if not paired or (per_sample["len"] > per_sample["modality"]).any():
        frame, more = _only(frame, kinds[:1])
        return Table(folder, folder, frame.select("file_name", "label"), notes + more)
    wide = frame.pivot("modality", index=["label", "id"], values="file_name")
    return Table(folder, folder, wide.select(*kinds, "label"), notes)


def _only(frame: pl.DataFrame, kinds: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """The files of these modalities, and a note about the others."""
    stays = frame["modality"].is_in(kinds)
    others = frame.filter(~stays)["file_name"].to_list()
    if not others:
        return frame, []
    titles = " or ".join(MODALITIES.get(kind).title.lower() for kind in sorted(kinds))
    shown = others[0] if len(others) == 1 else f"{others[0]} and {len(others) - 1:,} more"
    are = "is" if len(others) == 1 else "are"
    return frame.filter(stays), [
        f"{len(others):,} of {len(frame):,} files {are} left out, being no {titles}: {shown}."]


# Looking into folders -----------------------------------------------------------------------


def _folders(folder: Path) -> list[str]:
    return [e for e in _entries(folder, True) if e.lower() not in NOT_DATA]


def _files(folder: Path) -> list[str]:
    return _entries(folder, False)


def _entries(folder: Path, folders: bool) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return sorted(e.name for e in found
                          if not e.name.startswith(".") and e.is_dir() == folders)
    except OSError as error:
        raise UserError(f"The folder {folder} can't be read: {error.strerror}.",
                        "Check its rights.") from None


def _media(folder: Path) -> list[str]:
    """The media below a folder, as paths inside it; links to folders are not followed."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        inside = os.path.relpath(place, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        found += [prefix + name for name in names
                  if not name.startswith(".") and modality_of_file(name) is not None]
    return sorted(found)
