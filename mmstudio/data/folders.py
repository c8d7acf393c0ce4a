"""Folders of media to rows: with tables, by split, by modality, by class, or flat.

What is tried, in this order:

1. folders per modality whose file names match a table of labels, or each other;
2. tables that name the files, wherever below the folder these lie: several that are named like
   splits are the split, else the one that names most (see ``tables_in_folder``);
3. sub-folders ``train``, ``validation``, ``test``: each is read by these rules, and the column
   ``split`` says which one a row came from;
4. folders per modality without a table;
5. one sub-folder per class, of any depth, with lists of the files of a split beside them;
6. files without a folder of their own: an unlabelled set (see ``flat_folder``).

Tables win over the names of folders, and every table that is left aside is named.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import polars as pl

from mmstudio.data.flat_folder import by_count, paired, read_flat
from mmstudio.data.places import IDS, LEAST, MEDIA_WORDS, are_words
from mmstudio.data.split_words import SPELLINGS, split_words
from mmstudio.data.table import Table
from mmstudio.data.tables_in_folder import (
    Found,
    aside_note,
    read_tables,
    says_paths,
    split_lists,
    table_of,
)
from mmstudio.data.walking import files_in, folders_in, media_below
from mmstudio.modalities import MODALITIES, modality_of_file, names_medium

LOOKED_AT = 200
"""Cells or files that a decision rests on."""
STRAY = 0.1
"""Files of a modality are strays where there are no more than this share of the commonest one's."""
LISTED = 0.05
"""Lists of files are a split where they name so many of those that are there."""


def read_folder(folder: Path) -> Table:
    """Read a folder of media.

    Raises:
        UserError: It can't be read, or holds nothing that is known.
    """
    table, aside = _by_tables(folder)
    if table is not None:
        return table
    parts = _split_folders(folder)
    if parts:
        nested = any(_are_nested(folder / part) for part in parts)
        table = _stacked(folder, {part: _unsplit(folder / part, nested) for part in parts})
    else:
        table = _by_modality(folder, None) or _by_class(folder)
    return table.with_frame(table.frame, (*table.notes, *aside))


def _unsplit(folder: Path, nested: bool) -> Table:
    table, aside = _by_tables(folder)
    if table is not None:
        return table
    table = _by_modality(folder, None) or _by_class(folder, nested)
    return table.with_frame(table.frame, (*table.notes, *aside))


def _by_tables(folder: Path) -> tuple[Table | None, list[str]]:
    """What the folder's tables tell, and notes about those that are left aside."""
    tables, notes = read_tables(folder)
    own = [t for t in tables if t.table.folder == folder]
    if len(own) == 1 and not _names_all(own[0], folder):
        joined = _by_modality(folder, own[0].table)
        if joined is not None:
            return joined, []
    table = table_of(folder, tables)
    if table is not None:
        table = _with_split_of_paths(table)
        return table.with_frame(table.frame, (*table.notes, *notes)), []
    return None, [*notes, *aside_note(folder, tables)]


def _names_all(found: Found, folder: Path) -> bool:
    """Whether a table names its files itself, rather than ids of files of several modalities."""
    table = found.table
    if table.path.stem == "metadata" and found.named:
        return True
    places = [p for c in found.named if (p := table.places(c)).share >= LEAST and p.level < IDS]
    kinds = {_main_modality(folder / sub) for sub in folders_in(folder)} - {None}
    return any(not p.moved or len(kinds) < 2 for p in places)


def _split_folders(folder: Path) -> list[str]:
    """The sub-folders that are splits; none where they do not tell a training split."""
    names = folders_in(folder)
    found = [name for name in names if name.lower() in SPELLINGS]
    kinds = {SPELLINGS[name.lower()] for name in found}
    others = len(names) - len(found)
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
            for c in frame.columns if says_paths(table, c))
        split = pl.lit(SPELLINGS[part.lower()]).alias("split")
        frames.append(frame.with_columns(split))
        notes += [f"{part}: {note}" for note in table.notes]
    frame = pl.concat(frames, how="diagonal")
    frame = frame.select([c for c in frame.columns if c != "split"] + ["split"])
    return Table(folder, folder, frame, notes)


def _with_split_of_paths(table: Table) -> Table:
    """Add ``split`` where all paths begin with a split's folder."""
    if any(name.lower() == "split" for name in table.columns):
        return table
    for name in table.columns:
        first = table.column(name).str.split("/").list.first().str.to_lowercase()
        kinds = first.drop_nulls().unique().to_list()
        if "train" in [SPELLINGS.get(k) for k in kinds] and all(k in SPELLINGS for k in kinds):
            if says_paths(table, name):
                return table.with_frame(
                    table.frame.with_columns(first.replace(SPELLINGS).alias("split")))
    return table


# Folders per modality -----------------------------------------------------------------------


def _by_modality(folder: Path, labels: Table | None) -> Table | None:
    """One column per sub-folder, one row per file name; None where the folders tell otherwise."""
    kinds = {sub: _main_modality(folder / sub) for sub in folders_in(folder)}
    kinds = {sub: kind for sub, kind in kinds.items() if kind is not None}
    if len(set(kinds.values())) < (1 if labels is not None else 2):
        return None
    if len(kinds) > 1 and all(split_words([sub]) for sub in kinds):
        return None  # train_images beside test_images: not two inputs of one sample
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
        frame = joined
        notes = [f"The rows of {labels.path.name} stand beside the files of their names.",
                 *labels.notes]
    return _with_split_of_ids(Table(folder, folder, frame, notes))


def _main_modality(folder: Path) -> str | None:
    kinds = [modality_of_file(name) for name in media_below(folder)[:LOOKED_AT]]
    best = max(set(kinds), key=kinds.count, default=None)
    return best if best is not None and kinds.count(best) > 0.9 * len(kinds) else None


def _by_stem(folder: Path, sub: str, kind: str) -> dict[str, str]:
    """Path without suffix, inside the sub-folder, to the path from the folder."""
    return {name.rpartition(".")[0] or name: f"{sub}/{name}" for name in media_below(folder / sub)
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


def _by_class(folder: Path, nested: bool | None = None) -> Table:
    """One row per file, its folder the label; ``nested`` where other splits told it."""
    subs = folders_in(folder)
    lists = split_lists(folder)
    media = {sub: media_below(folder / sub) for sub in subs}
    # speech_commands/_background_noise_ is not a class
    noise = [s for s in subs if s.startswith("_") and media[s]]
    subs = [s for s in subs if media[s] and (s not in noise or len(noise) == len(subs))]
    loose = [n for n in files_in(folder) if names_medium(n)]
    if not subs or (len(subs) == 1 and loose and nested is None):
        return read_flat(folder, lists)
    if len(subs) == 1 and not noise and (
            nested is None or are_words(subs[0], MEDIA_WORDS)
            or all("/" in name for name in media[subs[0]])):
        return _below(folder, subs[0], lists)
    nested = _hold_classes([media[sub] for sub in subs]) if nested is None else nested
    rows: list[tuple[str, str, str, str]] = []
    for sub in subs:
        for name in media[sub]:
            path = f"{sub}/{name}"
            label = path.rpartition("/")[0] if nested else sub
            inside = path[len(label) + 1:]
            rows.append((label, inside.rpartition(".")[0] or inside,
                         modality_of_file(name) or "", path))
    table = _of_classes(folder, rows)
    frame, notes = _with_lists(table.frame, lists)
    if nested:
        notes = ["The label is the path of a file's folder.", *notes]
    if loose:
        notes.append(f"{len(loose):,} files lie in no class's folder and are left aside, as "
                     f"{loose[0]}.")
    if noise and len(noise) < len(noise) + len(subs):
        notes.append(f"{', '.join(noise)}: left aside, as the name is not that of a class.")
    return table.with_frame(frame, (*table.notes, *notes))


def _below(folder: Path, sub: str, lists: dict[str, str]) -> Table:
    """All that there is lies in one sub-folder: its rows, as paths from the folder."""
    table = read_folder(folder / sub)
    frame, notes = _with_lists(table.frame, lists)
    prefix = os.path.relpath(table.folder, folder).replace(os.sep, "/")
    frame = frame.with_columns(pl.format(f"{prefix}/{{}}", pl.col(c)).alias(c)
                               for c in table.columns if says_paths(table, c))
    return Table(folder, folder, frame, (*table.notes, *notes))


def _are_nested(folder: Path) -> bool:
    return _hold_classes([files for sub in folders_in(folder)
                          if (files := media_below(folder / sub))])


def _hold_classes(media: list[list[str]]) -> bool:
    """Whether folders are classes all the way down, as in Places365 and in animals/cat.

    No file lies right below the first ones, and they hold several folders.
    """
    below = [{name.rpartition("/")[0] for name in files} for files in media]
    return all("" not in inner for inner in below) and sum(map(len, below)) > len(below)


def _with_lists(frame: pl.DataFrame, lists: dict[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """With ``split``, where lists of files beside the folders tell it; what none names trains."""
    column = next((c for c in ("file_name", "image", "audio", "text") if c in frame.columns), "")
    if not lists or not column or "split" in frame.columns:
        return frame, []
    paths = frame[column]
    told = paths.replace_strict(lists, default=None, return_dtype=pl.String)
    for short in (paths.str.replace(r"\.[^./]*$", ""), paths.str.split("/").list.last(),
                  paths.str.split("/").list.last().str.replace(r"\.[^./]*$", "")):
        more = short.replace_strict(lists, default=None, return_dtype=pl.String)
        told = told if told.null_count() < more.null_count() else more
    if len(told) - told.null_count() < LISTED * len(told):
        return frame, []
    others = None if "train" in lists.values() else "train"
    splits = told.fill_null(others) if others else told
    return frame.with_columns(splits.alias("split")), [
        "Lists beside the folders say which files are for validation and test."]


def _of_classes(folder: Path, rows: list[tuple[str, str, str, str]]) -> Table:
    frame = pl.DataFrame(rows, schema=["label", "id", "modality", "file_name"], orient="row")
    counts = Counter(frame["modality"].to_list())
    # README.md among pictures is not a sample
    frame, notes = _only(frame, [k for k, n in counts.items() if n > STRAY * max(counts.values())])
    wide = paired(frame, ["label", "id"])
    if wide is None:
        frame, more = _only(frame, by_count(counts)[:1])
        return Table(folder, folder, frame.select("file_name", "label"), notes + more)
    return Table(folder, folder, wide.drop("id").select(pl.exclude("label"), "label"), notes)


def _only(frame: pl.DataFrame, kinds: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """The files of these modalities, and a note about the others."""
    stays = frame["modality"].is_in(kinds)
    others = frame.filter(~stays)["file_name"].to_list()
    if not others:
        return frame, []
    wanted = " and ".join(MODALITIES.get(kind).plural for kind in sorted(kinds))
    shown = others[0] if len(others) == 1 else f"{others[0]} and {len(others) - 1:,} more"
    are = "is" if len(others) == 1 else "are"
    return frame.filter(stays), [
        f"{len(others):,} of {len(frame):,} files {are} left out, as only {wanted} are read: "
        f"{shown}."]
