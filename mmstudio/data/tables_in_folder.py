"""The tables in a folder: which of them the rows come from, and which are left aside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mmstudio.data.places import ENOUGH, IDS, LEAST, Places
from mmstudio.data.split_words import SPLITS, split_words
from mmstudio.data.table import MOST_BYTES as TABLE_BYTES
from mmstudio.data.table import TABLE_SUFFIXES, Table, read_table
from mmstudio.data.walking import files_in, folders_in, media_below
from mmstudio.errors import UserError
from mmstudio.modalities import names_medium
from mmstudio.reading import opened, read_bytes, read_json

STEMS = ("metadata", "table", "data", "labels", "annotations", "index")
"""Names that a folder's own table has, the likeliest first."""
NO_SAMPLES = {"submission", "license", "licence", "readme", "requirements", "citation"}
"""Words in the names of tables and texts that are about the data."""
MOST_TABLES = 40
MOST_LIST_BYTES = 50_000_000
HEAD_BYTES = 65_536
_COCO = re.compile(rb'"(images|annotations)"\s*:\s*\[\s*\{')


@dataclass(frozen=True)
class Found:
    """A table, and the columns of it that name files."""

    table: Table
    named: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.table.path.name


def table_files(folder: Path) -> list[Path]:
    """The tables in a folder, then those in sub-folders that hold nothing else, likeliest first."""
    found = [folder / n for n in files_in(folder) if _is_table(folder / n)]
    for sub in folders_in(folder):
        inside = files_in(folder / sub)
        tables = [folder / sub / n for n in inside if _is_table(folder / sub / n)]
        if tables and not any(map(names_medium, inside)):
            found += tables
    return sorted(found, key=lambda p: (len(p.parts), _rank(p), p.name))[:MOST_TABLES]


def _rank(path: Path) -> int:
    stem = path.stem.lower()
    return STEMS.index(stem) if stem in STEMS else len(STEMS)


def _is_table(path: Path) -> bool:
    suffix, words = path.suffix.lower(), set(re.split(r"[^a-z]+", path.stem.lower()))
    if suffix not in TABLE_SUFFIXES or words & NO_SAMPLES:
        return False
    if suffix == ".txt":
        return path.stem.lower() in STEMS
    return suffix != ".json" or _holds_records(path)


def _holds_records(path: Path) -> bool:
    """Whether a JSON file begins as a list of records or as COCO's do; settings are neither."""
    try:
        with opened(path, TABLE_BYTES) as file:
            head = file.read(HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError:
        return False
    return head.startswith(b"[") or (head.startswith(b"{") and _COCO.search(head) is not None)


def names_files(table: Table, column: str) -> bool:
    """Whether a column's cells name files: they end so, or files of such names are there."""
    places = table.places(column)
    if places.share >= LEAST and places.level < IDS:
        return True
    if places.share >= ENOUGH:
        return True
    cells = table.column(column).drop_nulls().head(200).to_list()
    ending = sum(names_medium(c) for c in cells if len(c) < 500)
    return bool(cells) and ending > 0.8 * len(cells)


def says_paths(table: Table, column: str) -> bool:
    """Whether a column's cells are paths as they stand."""
    return not table.places(column).moved and names_files(table, column)


def read_tables(folder: Path) -> tuple[list[Found], list[str]]:
    """All tables in a folder that can be read, and a note per table that can't."""
    found, notes = [], []
    for path in table_files(folder):
        try:
            table = read_table(path)
        except UserError as error:
            notes.append(f"{_inside(folder, path)} is passed over: {error.message}")
            continue
        found.append(Found(table, tuple(c for c in table.columns if names_files(table, c))))
    return found, notes


def table_of(folder: Path, tables: Sequence[Found]) -> Table | None:
    """The rows that a folder's tables tell; None where they don't tell it alone.

    Raises:
        UserError: There are several tables, no media, and nothing says which one is meant.
    """
    good = [t for t in tables if any(t.table.places(c).share >= LEAST for c in t.named)]
    if not good and not tables:
        return None
    if not good:
        if any(map(names_medium, media_below(folder, 100_000))):
            return _first_of(folder, [t for t in tables if t.table.path.stem == "metadata"
                                      and t.named], tables)
        good = list(tables)
    parts = _by_split(good)
    if "train" in parts and len(parts) > 1:
        return _as_split(folder, parts, tables)
    if len(good) > 1 and not any(t.named for t in good):
        known = [t for t in good if _rank(t.table.path) < len(STEMS) or parts.get("train") == [t]]
        if len({t.table.path.stem for t in good}) == 1:
            known = good  # one table in several formats
        if not known:
            raise UserError(
                f"{folder} holds several tables: {_listed([t.name for t in good])}.",
                "Choose one of them, in the window or with --table NAME.")
        return _first_of(folder, known, tables)
    good = sorted(good, key=lambda t: (
        t not in parts.get("train", []), len(t.table.path.parts), _rank(t.table.path),
        -len(t.table.columns)))
    return _first_of(folder, good, tables)


def _first_of(folder: Path, good: Sequence[Found], tables: Sequence[Found]) -> Table | None:
    if not good:
        return None
    table = good[0].table
    aside = aside_note(folder, [t for t in tables if t is not good[0]], table)
    return table.with_frame(table.frame, (*table.notes, *aside))


def aside_note(folder: Path, tables: Sequence[Found], used: Table | None = None) -> list[str]:
    """Which tables are left aside, and how to use one."""
    if not tables:
        return []
    names = _listed([_inside(folder, t.table.path) for t in tables])
    rows = "" if used is None else f"The rows are those of {_inside(folder, used.path)}. "
    are = "is" if len(tables) == 1 else "are"
    lacking = ""
    if used is not None and len(tables) == 1:
        missing = [c for c in used.columns if c not in tables[0].table.columns]
        lacking = f" (it has no {' and no '.join(map(repr, missing))})" if 0 < len(missing) < 4 \
            else ""
    return [f"{rows}{names} {are} left aside{lacking}; choose that file itself to use it."]


# Several tables that are the split -----------------------------------------------------------


def _by_split(tables: Sequence[Found]) -> dict[str, list[Found]]:
    """Tables whose names tell one split each, the splits in their order."""
    found: dict[str, list[Found]] = {}
    for table in tables:
        words = split_words([table.table.path.stem])
        if len(words) == 1:
            found.setdefault(words.pop(), []).append(table)
    return {split: found[split] for split in SPLITS if split in found}


def _as_split(
    folder: Path, parts: Mapping[str, Sequence[Found]], tables: Sequence[Found]
) -> Table | None:
    from mmstudio.data.columns import guess_column

    train = parts["train"][0].table
    used: dict[str, list[Found]] = {}
    notes: list[str] = []
    labels = {c for c in train.columns if guess_column(train, c)[1].role == "target"}
    for split, found in parts.items():
        for one in found:
            shared = set(train.columns) & set(one.table.columns)
            if len(shared) < 0.5 * len(one.table.columns):
                continue
            empty = [c for c in labels if c not in one.table.columns
                     or one.table.column(c).null_count() == len(one.table)]
            if labels and len(empty) == len(labels) and split == "test" and len(parts) == 2:
                continue  # rows to be predicted: the figures need a test that has labels
            if split != "train" and empty:
                notes.append(f"The {len(one.table):,} rows of {one.name} have no "
                             f"{_listed([repr(c) for c in sorted(empty)])}.")
            used.setdefault(split, []).append(one)
    chosen = [one for found in used.values() for one in found]
    aside = [t for t in tables if t not in chosen]
    if len(used) < 2:
        return _first_of(folder, chosen, tables)
    frame = pl.concat([_with_split(one, split, folder) for split, found in used.items()
                       for one in found], how="diagonal")
    frame = frame.select([c for c in frame.columns if c != "split"] + ["split"])
    told = "; ".join(f"{split}: {_listed([_inside(folder, o.table.path) for o in found])}"
                     for split, found in used.items())
    own = [f"{one.name}: {note}" for one in chosen for note in one.table.notes]
    return Table(folder, folder, frame,
                 [f"Several tables are the split: {told}.", *notes, *own,
                  *aside_note(folder, aside)])


def _with_split(one: Found, split: str, folder: Path) -> pl.DataFrame:
    """A table's rows with their split, paths as from the folder."""
    table, frame = one.table, one.table.frame
    if "split" in frame.columns:
        frame = frame.rename({"split": "split in the table"})
    columns = [_from_folder(table.column(c), table.places(c), folder) for c in one.named
               if (table.places(c).moved or table.folder != folder or c in table.told)
               and table.places(c).level < IDS]  # an id stays what it is
    return frame.with_columns(*columns, pl.lit(split).alias("split"))


def _from_folder(cells: pl.Series, places: Places, folder: Path) -> pl.Series:
    import os

    def moved(cell: str) -> str:
        return os.path.relpath(places.path(cell), folder).replace(os.sep, "/")

    return pl.Series(cells.name, [None if c is None else moved(c) for c in cells.to_list()],
                     dtype=pl.String)


# Lists of the files of a split ---------------------------------------------------------------


def split_lists(folder: Path) -> dict[str, str]:
    """Per file that a list beside the folders names its split: ``testing_list.txt`` and the like.

    Also a JSON file that holds one list per split. Keys are paths from the folder, with and
    without suffix.
    """
    found: dict[str, str] = {}
    for place in (folder, *(folder / s for s in folders_in(folder))):
        for name in files_in(place):
            path = place / name
            words = split_words([path.stem])
            if path.suffix.lower() == ".txt" and len(words) == 1:
                found |= dict.fromkeys(_lines(path), words.pop())
            elif path.stem.lower() in ("split", "splits") and path.suffix.lower() == ".json":
                found |= _json_splits(path)
    return found


def _lines(path: Path) -> list[str]:
    """The lines of a list; none of what is too large for one, or no file."""
    try:
        content = read_bytes(path, MOST_LIST_BYTES)
    except OSError:
        return []
    lines = content.decode("utf-8", "replace").split("\n")
    return [line.strip() for line in lines if line.strip()]


def _json_splits(path: Path) -> dict[str, str]:
    try:
        held = read_json(path, MOST_LIST_BYTES)
    except (OSError, ValueError, RecursionError):
        return {}
    found: dict[str, str] = {}
    for name, listed in held.items():
        words = split_words([str(name)])
        if len(words) == 1 and isinstance(listed, list):
            found |= dict.fromkeys(map(str, listed), words.pop())
    return found


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _listed(names: Sequence[str]) -> str:
    some = list(names[:6]) + ([f"{len(names) - 6} more"] if len(names) > 6 else [])
    return " and ".join([", ".join(some[:-1]), some[-1]] if len(some) > 1 else some)
