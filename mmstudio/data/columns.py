"""What one column seems to be, from its name and its cells alone."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mmstudio.data.places import LEAST, Places, is_address
from mmstudio.data.sniff import modality_of_content
from mmstudio.data.split_words import SPELLINGS
from mmstudio.data.table import Table
from mmstudio.modalities import MODALITIES, modality_of_file
from mmstudio.modalities.base import modality_that
from mmstudio.numbers import read_numbers

LOOKED_AT = 2000
"""Different cells per column that the guess rests on."""
SUFFIXES_LOOKED_AT = 200
FILES_OPENED = 8

ID_NAMES = {"id", "ids", "index", "idx", "uid", "uuid", "guid", "row", "key", "hash", "unnamed"}
GROUP_NAMES = {
    "speaker", "person", "patient", "subject", "family", "author", "user", "participant",
    "client", "customer", "session", "recording", "writer", "singer", "actor", "artist",
    "household", "donor", "volunteer", "student", "animal", "individual", "scene", "site",
    "hospital", "case", "visit", "conversation", "dialogue", "dialog", "video", "slide",
}
ORIGIN_NAMES = {"src", "source", "origin", "original", "parent"}
"""Of what a sample was cut: two cuts of one recording should not be in two splits."""
TEXT_NAMES = {
    "text", "texts", "caption", "captions", "sentence", "description", "comment", "review",
    "transcript", "transcription", "title", "question", "utterance", "message", "note", "notes",
    "report", "words", "tweet", "abstract", "summary", "prompt",
}
TARGET_NAMES = {
    "label", "labels", "class", "classes", "target", "targets", "category", "categories", "y",
    "tag", "tags", "genre", "genres", "topic", "topics", "emotion", "sentiment", "diagnosis",
}
NUMBER_NAMES = {"score", "rating", "age", "price", "value", "year", "weight", "height", "count"}
SELDOM_NAMES = {
    "votes", "vote", "upvotes", "downvotes", "likes", "dislikes", "views", "shares", "clicks",
    "downloads", "start", "end", "begin", "offset", "onset", "duration", "length", "time", "times",
    "timestamp", "seconds", "sec", "secs", "ms", "created", "updated", "modified", "elapsed",
    "bytes", "filesize", "size", "width", "channels", "samplerate", "fps", "bitrate", "latitude",
    "longitude", "lat", "lon", "lng", "take", "version", "page", "line", "position", "rank",
    "order",
}
"""Words for times, places, sizes and counts of votes: measured with a sample, and seldom asked."""
SWITCHES = ({"0", "1"}, {"-1", "1"}, {"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
"""The two values of a column that says whether something is so."""
LIST_SEPARATORS = ("|", ";", ", ", ",", "/", " ")


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
        options: Of a target's task: ``separator`` of ``multilabel``. Of an input: ``folder``, where
            its files are, relative to the table; ``input``, its name where it reads several.
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


@dataclass(frozen=True)
class Cells:
    """A column's cells, and what is asked of them more than once."""

    name: str
    known: pl.Series
    distinct: int
    some: list[str]
    """The first different values, at most ``LOOKED_AT``."""

    @property
    def repeated(self) -> float:
        """Rows per different value."""
        return len(self.known) / max(1, self.distinct)

    @property
    def is_switch(self) -> bool:
        """Whether there are two values, as yes and no."""
        return {v.lower() for v in self.some} in SWITCHES

    @property
    def words(self) -> float:
        """Words per different value."""
        return sum(len(v.split()) for v in self.some) / max(1, len(self.some))

    def named(self, names: set[str]) -> bool:
        """Whether a word of the column's name is among these."""
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name)
        return any(w in names for w in re.split(r"[^a-z]+", spaced.lower()) if w)


def guess_column(table: Table, name: str) -> tuple[Cells, Guess]:
    """What a column seems to be, without a look at the others."""
    known = table.column(name).drop_nulls()
    unique = known.unique(maintain_order=True)
    cells = Cells(name, known, len(unique), unique.head(LOOKED_AT).to_list())
    if not cells.some:
        return cells, Guess("ignore", "Every cell is empty.")
    for look in (_as_files, _as_split, _as_constant, _as_id, _as_group, _as_labels, _as_number,
                 _as_class, _as_text):
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
        return Guess("ignore", "An id of the row tells nothing that can be learnt.", sure=True)
    if unlike and cells.words < 1.5 and _is_counting(cells):
        return Guess("ignore", "Counts the rows: an id tells nothing that can be learnt.")
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


def _as_labels(cells: Cells, table: Table) -> Guess | None:
    """Several labels per cell: parts between separators that occur again and again."""
    by_name = cells.named(TARGET_NAMES)
    counts = Counter(cells.known.head(20_000).to_list())
    rows = counts.total()
    if all(re.fullmatch(r"[-+]?\d+,\d+", v) for v in counts):
        return Guess("ignore", "Numbers with a comma in them: save them with a point to use them.")
    for separator in LIST_SEPARATORS:
        if separator in ("/", " ") and not cells.named({"labels", "tags", "genres", "classes"}):
            continue
        holding = sum(n for v, n in counts.items() if separator in v)
        if holding < 0.05 * rows or holding == 0:
            continue
        parts: Counter[str] = Counter()
        for value, n in counts.items():
            parts.update({p: n for p in {p.strip() for p in value.split(separator)} if p})
        words = sum(len(p.split()) for p in parts) / max(1, len(parts))
        again = parts.total() / max(1, len(parts))
        if (2 <= len(parts) <= (2000 if by_name else 300) and words <= 3
                and _shared(counts, separator) and again >= (3 if by_name else 8)):
            told = {", ": "a comma", " ": "a blank"}.get(separator, f"“{separator}”")
            return Guess("target", f"Several labels in one cell, with {told} between them; "
                                   f"{len(parts)} different ones.",
                         "multilabel", {"separator": separator}, by_name)
    return None


def _shared(counts: Mapping[str, int], separator: str) -> bool:
    """Whether most cells with several parts share one with another cell; else they are names."""
    values = [{p.strip() for p in value.split(separator)} for value in counts]
    cells_with = Counter(part for parts in values for part in parts if part)
    several = [parts for parts in values if len(parts) > 1]
    return sum(any(cells_with[p] > 1 for p in v) for v in several) > 0.5 * len(several)


def _as_number(cells: Cells, table: Table) -> Guess | None:
    """Numbers, as far as most cells are; the others are told."""
    if not read_numbers(cells.some).usual:
        return None
    column = table.column(cells.name)
    numbers = read_numbers(column)
    if not numbers.usual:
        return None
    values = numbers.values[~np.isnan(numbers.values)]
    distinct = len(np.unique(values))
    whole = bool((values == values.round()).all())
    few = distinct <= (20 if whole else 10)
    coded = whole and distinct <= 100 and cells.repeated >= 20 and cells.named(TARGET_NAMES)
    if few or coded:
        return _as_class(cells, table)
    reason = f"Numbers{f' of {numbers.unit}' if numbers.unit else ''}, {distinct:,} different ones"
    if len(numbers.odd):
        not_one = "not a number" if len(numbers.odd) == 1 else "not numbers"
        reason += f"; {_some_rows(column, numbers.odd)} {not_one}"
    if len(numbers.far):
        reason += f"; {_some_rows(column, numbers.far)} far from all others"
    return Guess("target", f"{reason}.", "regression",
                 sure=cells.named(TARGET_NAMES | NUMBER_NAMES))


def _some_rows(column: pl.Series, rows: np.ndarray) -> str:
    first = f"row {rows[0] + 1}: '{str(column[int(rows[0])])[:30]}'"
    return f"1 cell ({first}) is" if len(rows) == 1 else f"{len(rows):,} cells ({first}) are"


def _as_class(cells: Cells, table: Table) -> Guess | None:
    by_name = cells.named(TARGET_NAMES)
    if cells.named(TEXT_NAMES) and cells.words >= 1.5 and cells.distinct >= 30:
        return None
    often = (cells.repeated >= 4 and cells.words < 4) or (
        cells.distinct < 30 and cells.repeated > 20) or (by_name and cells.repeated >= 2)
    if cells.distinct < 2 or not often:
        return None
    return Guess("target", f"{cells.distinct:,} different values that repeat: one label per row.",
                 "classification", sure=by_name)


def _as_text(cells: Cells, table: Table) -> Guess | None:
    if cells.words >= 1.5 or (cells.named(TEXT_NAMES) and cells.distinct > 20):
        return Guess("input", f"Words, {cells.words:.0f} per cell.", modality_that("holds_words"),
                     sure=cells.named(TEXT_NAMES))
    return None
