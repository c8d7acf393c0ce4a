"""What one column seems to be, from its name and its cells alone."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from mmstudio.column_cells import (
    GROUP_NAMES,
    ID_NAMES,
    LOOKED_AT,
    ORIGIN_NAMES,
    SELDOM_NAMES,
    TARGET_NAMES,
    TEXT_NAMES,
    Cells,
)
from mmstudio.data.places import LEAST, Places, is_address
from mmstudio.data.sniff import modality_of_content
from mmstudio.data.split_words import SPELLINGS
from mmstudio.data.table import Table
from mmstudio.modalities import MODALITIES, modality_of_file
from mmstudio.modalities.base import modality_that
from mmstudio.numbers import read_numbers
from mmstudio.tasks.kinds import kinds

SUFFIXES_LOOKED_AT = 200
FILES_OPENED = 8
FILMS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclass(frozen=True)
class Column:
    """What a column is taken for.

    Attributes:
        name: Its name.
        role: ``input``, ``target``, ``split``, ``group`` or ``ignore``.
        modality: Of an input.
        task: Of a target.
        distinct: Different values among the rows.
        missing: Empty cells.
        examples: Some values.
        options: Of a target's task, such as the ``separator`` of its labels. Of an input:
            ``folder``, where its files are, relative to the table; ``input``, its name where it
            reads several.
        reason: Why it is taken for that, as a sentence.
    """

    name: str
    role: str
    modality: str | None
    task: str | None
    distinct: int
    missing: int
    examples: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Guess:
    """A role with its reason.

    ``sure`` where the name says the same as the cells; ``seldom`` where it could be predicted, and
    its name says that nobody asks for it.
    """

    role: str
    reason: str
    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sure: bool = False
    seldom: bool = False


def guess_column(table: Table, name: str) -> tuple[Cells, Guess]:
    """What a column seems to be, without a look at the others."""
    column = table.column(name)
    known = column.drop_nulls()
    unique = known.unique(maintain_order=True)
    cells = Cells(name, column, known, len(unique), unique.head(LOOKED_AT).to_list())
    if not cells.some:
        return cells, Guess("ignore", "Every cell is empty.")
    for look in (_as_files, _as_split, _as_constant, _as_id, _as_group, _as_comma_numbers,
                 _as_target, _as_text):
        guess = look(cells, table)
        if guess is not None:
            if guess.role == "target" and not guess.sure and cells.named(SELDOM_NAMES) and (
                    read_numbers(cells.some).usual or all(len(v) < 3 for v in cells.some)):
                guess = replace(guess, seldom=True)
            return cells, guess
    if cells.distinct >= 0.9 * len(known):
        return cells, Guess("ignore", "Nearly every row has another value: taken for an id.")
    return cells, Guess("ignore", "Neither a text nor a label that repeats often enough.")


def _as_files(cells: Cells, table: Table) -> Guess | None:
    """Paths of pictures, sounds or texts; what a file holds counts more than its suffix."""
    from mmstudio.data.tables_in_folder import names_files

    some = [v for v in cells.some[:SUFFIXES_LOOKED_AT] if len(v) < 500 and "\n" not in v]
    if len(some) < 0.8 * min(len(cells.some), SUFFIXES_LOOKED_AT):
        return None
    addresses = sum(is_address(v) for v in some) > 0.8 * len(some)
    if not addresses and not _like_names(some):
        return None
    places = table.places(cells.name)
    if addresses and places.share < LEAST:
        return Guess("ignore", "Addresses on the web: save the files on this computer first.")
    if sum(v.lower().endswith(FILMS) for v in some) > 0.8 * len(some):
        return Guess("ignore", "Names films, which can't be read: save pictures of them, or their "
                               "sound, as files.")
    firsts = [places.path(v) for v in some]
    content = Counter(k for path in firsts[:FILES_OPENED]
                      if (k := modality_of_content(path)) is not None)
    held = content.most_common(1)[0][0] if content else None
    if not (addresses or names_files(table, cells.name)) and (
            held is None or places.moved or content.total() < min(len(some), FILES_OPENED) / 2):
        return None
    suffixes = Counter(k for path in firsts if (k := modality_of_file(path.name)) is not None)
    told = suffixes.most_common(1)[0][0] if suffixes else None
    kind = held or told
    if kind is None:
        return None
    missing = sum(not _is_there(path) for path in firsts)
    return Guess("input", _about_files(places, kind, held, told, missing, firsts), kind,
                 _folder_option(table, places), sure=True)


def _like_names(some: Sequence[str]) -> bool:
    """Whether cells may name files: most are short, and of few words."""
    return sum(len(v) < 260 and (modality_of_file(v) is not None or len(v.split()) < 4)
               for v in some) > 0.8 * len(some)


def _folder_option(table: Table, places: Places) -> dict[str, Any]:
    """Where the files are, as the experiment file says it of an input; unpacked ones move."""
    if places.place == table.folder or table.told.get(places.column):
        return {}
    return {"folder": os.path.relpath(places.place, table.folder).replace(os.sep, "/")}


def _about_files(
    places: Places, kind: str, held: str | None, told: str | None, missing: int,
    firsts: Sequence[Path],
) -> str:
    title = MODALITIES.get(kind).title.lower()
    reason = f"Names {title} files"
    if told is not None and held is not None and held != told:
        reason += f", by their content; their names end like {MODALITIES.get(told).title.lower()}"
    if places.separator:
        reason += (f"; several in a cell, up to {places.most}, with “{places.separator}” between "
                   "them: the first one is used")
    if places.told():
        reason += f"; {places.told()}"
    if missing:
        example = next(p for p in firsts if not _is_there(p))
        if is_address(str(example)) or re.match(r"[a-z]{2,}:/", str(example)):
            reason += f"; {missing} of the first {len(firsts)} are addresses, not fetched"
        else:
            reason += f"; {missing} of the first {len(firsts)} are missing"
    return f"{reason}."


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _as_split(cells: Cells, table: Table) -> Guess | None:
    kinds = {SPELLINGS.get(v.lower(), "") for v in cells.some[:10]}
    by_name = cells.named({"split", "set", "subset", "partition", "fold", "usage"})
    if cells.distinct <= 6 and "train" in kinds and "" not in kinds and (
            len(kinds) > 1 or by_name):
        return Guess("split", "Says of each row whether it is for training, validation or test.",
                     sure=by_name)
    if cells.named({"fold", "folds"}) and cells.distinct <= 20:
        return Guess("ignore", "Numbers of folds: a split needs the words train, validation, test.")
    return None


def _as_constant(cells: Cells, table: Table) -> Guess | None:
    if cells.distinct == 1 and len(table) > 1:
        return Guess("ignore", "Holds the same in every row.")
    return None


def _as_id(cells: Cells, table: Table) -> Guess | None:
    unlike = cells.distinct > 0.98 * len(cells.known) and len(cells.known) > 1
    if cells.named(ID_NAMES) and (unlike or cells.name.lower() in ID_NAMES):
        return Guess("ignore", "A row id holds nothing that can be learned.", sure=True)
    if unlike and cells.words < 1.5 and _is_counting(cells):
        return Guess("ignore", "Counts the rows: an id holds nothing that can be learned.")
    dates = sum(bool(re.match(r"\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{2,4}\b", v))
                for v in cells.some)
    if dates > 0.9 * len(cells.some):
        return Guess("ignore", "Dates are neither input nor label.")
    return None


def _is_counting(cells: Cells) -> bool:
    numbers = cells.known.cast(pl.Int64, strict=False)
    if numbers.null_count():
        return False
    low, high = numbers.to_numpy().min(), numbers.to_numpy().max()
    return bool(high - low < 1.1 * len(numbers) and (numbers.is_sorted() or low in (0, 1)))


def _as_group(cells: Cells, table: Table) -> Guess | None:
    if not cells.named(GROUP_NAMES | TARGET_NAMES) and cells.words < 1.5 and (
            1.3 <= cells.repeated <= 200):
        if cells.named({"id"} | ORIGIN_NAMES):
            return Guess("group", "An id that repeats: its rows are of one origin and should be "
                                  "in one split.")
        codes = sum(bool(re.fullmatch(r"[A-Za-z]{1,10}[-_]?\d{1,6}", v)) for v in cells.some)
        if codes > 0.95 * len(cells.some) and cells.distinct >= 20:
            return Guess("group", f"Codes like '{cells.some[0]}' that repeat: taken for who or "
                                  "what a row is of, which should be in one split.")
    if not cells.named(GROUP_NAMES) or cells.words >= 4:
        return None
    if cells.distinct > 0.98 * len(cells.known):
        return Guess("ignore", "Has another value in each row, so there is nothing to keep "
                               "together.")
    return Guess("group", "Rows of one value are of one origin: they should be in one split, or "
                          "the model is tested on what it knows.", sure=True)


def _as_comma_numbers(cells: Cells, table: Table) -> Guess | None:
    if all(re.fullmatch(r"[-+]?\d+,\d+", v) for v in cells.known.head(20_000).unique()):
        return Guess("ignore", "Numbers with a comma in them: save them with a point to use them.")
    return None


def _as_target(cells: Cells, table: Table) -> Guess | None:
    """What the first kind of target that knows such cells proposes."""
    for kind in kinds():
        found = kind.proposed(cells)
        if found is not None:
            return Guess("target", found.reason, kind.task, found.options, found.sure)
    return None


def _as_text(cells: Cells, table: Table) -> Guess | None:
    if cells.words >= 1.5 or (cells.named(TEXT_NAMES) and cells.distinct > 20):
        return Guess("input", f"Words, {cells.words:.0f} per cell.", modality_that("holds_words"),
                     sure=cells.named(TEXT_NAMES))
    return None
