"""Where the files lie that a column names.

Tables are moved, and so are the folders beside them: paths begin with another machine's folders,
lack the folder or the suffix, have backslashes or other capitals. One rule holds for nearly all
cells of a column. It is learnt from some of them and then applied to all: how many parts of a path
are left out, below which folder the rest is looked for, and how exactly names must agree. A cell
that the rule does not fit names a missing file; none is guessed for it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import polars as pl

from mmstudio.data.split_words import split_words
from mmstudio.data.walking import Parts, folders_in, media_parts
from mmstudio.errors import UserError
from mmstudio.modalities import modality_of_file

LOOKED_AT = 200
"""Cells that the rule is learnt from, spread over the column."""
AS_WRITTEN = 0.5
"""Where so many files lie as the cells say, the others are missing, not elsewhere."""
ENOUGH = 0.9
LEAST = 0.5
"""A rule is taken where it finds so many; a better one is sought below ``ENOUGH``."""
MOST_ENTRIES = 3_000_000
MOST_ENTRIES_FOR_IDS = 200_000
"""Entries of folders that are looked through; an id may name a file, and mostly does not."""
LONGEST_CELL = 500
LONGEST_ID = 100
ID_WORDS = {"id", "ids", "image", "img", "picture", "photo", "audio", "sound", "file", "filename",
            "name", "path", "clip", "sample", "item", "slice", "recording"}
SEPARATORS = ("|", ";", ",", " ")
"""Between several files in one cell."""
MEDIA_WORDS = {
    "audio", "audios", "sound", "sounds", "wav", "wavs", "clips", "clip", "image", "images", "img",
    "imgs", "picture", "pictures", "photo", "photos", "jpg", "jpeg", "jpegs", "png", "media",
    "data", "dataset", "files", "text", "texts", "txt", "train", "test", "val", "valid",
    "validation", "dev", "raw", "recordings", "speech", "frames", "original", "resized",
}
TABLE_WORDS = {
    "metadata", "meta", "labels", "label", "annotations", "annotation", "csv", "tsv", "tables",
    "table", "lists", "splits", "info", "docs", "doc", "jsonl", "parquet", "index",
}

_ADDRESS = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://?", re.IGNORECASE)


@dataclass(frozen=True)
class Places:
    """The rule of one column.

    Attributes:
        column: Its name.
        folder: The table's folder, or the one that the experiment names.
        place: Below which the names are looked for; ``folder`` where cells are taken as written.
        kind: The modality of the files that were found; None where none was.
        share: Of the cells looked at, how many name a file that is there.
        separator: Between several files in a cell, of which the first is taken; "" where each
            cell names one.
        most: The most files in one cell.
        trim: Parts of a path that are left out at its beginning; negative, those kept at its end.
        level: How names must agree, a place in ``LEVELS``; -1 where cells are taken as written.
        files: All files below ``place`` by the key of their last part.
    """

    column: str
    folder: Path
    place: Path
    kind: str | None = None
    share: float = 0.0
    separator: str = ""
    most: int = 1
    trim: int = 0
    level: int = -1
    files: Mapping[str, Sequence[Parts]] = field(default_factory=dict, repr=False)

    def path(self, cell: str) -> Path:
        """The file that a cell names, there or not."""
        first = first_of(cell, self.separator)
        if self.level < 0:
            return as_written(self.folder, first)
        tail = _trimmed(parts_of(first), self.trim)
        found = _matching(tail, self.files, LEVELS[self.level][1])
        if len(found) > 1:
            found = [f for f in found if len(f) == len(tail)]
        return self.place.joinpath(*(found[0] if len(found) == 1 else tail))

    @property
    def moved(self) -> bool:
        """Whether the files lie elsewhere than the table says, or are named otherwise."""
        return self.level >= 0

    def told(self) -> str:
        """What differs from the cells, as the end of a sentence; "" where nothing does."""
        words = []
        if self.place != self.folder:
            words.append(f"they lie in {_from(self.folder, self.place)}/")
        if self.level >= 0 and LEVELS[self.level][0]:
            words.append(LEVELS[self.level][0])
        elif self.level >= 0 and not words:
            words.append(f"they are found by their names below {self.folder.name}/")
        return ", ".join(words)


# Names --------------------------------------------------------------------------------------


def _folded(part: str) -> str:
    return unicodedata.normalize("NFC", part).casefold()


def _uploaded(part: str) -> str:
    """Without the eight digits that Label Studio puts before the name of an uploaded file."""
    return re.sub(r"^[0-9a-f]{8}-(?=.)", "", _folded(part))


def _stem(part: str) -> str:
    name = _folded(part)
    return name.rpartition(".")[0] if modality_of_file(name) is not None else name


def _number(part: str) -> str:
    stem = _stem(part)
    return (stem.lstrip("0") or "0") if stem.isdigit() else stem


LEVELS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", str),
    ("in other capitals or signs", _folded),
    ("with what the labelling program put before them", _uploaded),
    ("the suffix is not in the table", _stem),
    ("neither the suffix nor the zeros before the number are in the table", _number),
)
"""How names are compared, the strictest first: what is told about it, and the key of a part."""
IDS = 3
"""From this level on, what a cell holds need not look like a file's name."""


def is_address(cell: str) -> bool:
    """Whether a cell is an address such as ``https://…``; those of files are none."""
    return _ADDRESS.match(cell) is not None


def as_written(folder: Path, cell: str) -> Path:
    """The path that a cell means as it stands, relative to a folder.

    A ``file://`` address is a path; backslashes divide, and ``%20`` is a space, where no file has
    them in its name.
    """
    if is_address(cell):
        return Path(cell)
    if cell[:5].lower() == "file:":
        path = unquote(urlsplit(cell).path)
        return Path(path[1:] if re.match(r"/[A-Za-z]:", path) and os.name == "nt" else path)
    path_ = folder / cell
    if "%" in cell and not _is_file(path_) and _is_file(folder / unquote(cell)):
        return folder / unquote(cell)
    if "\\" in cell and os.name != "nt" and not _is_file(path_):
        return folder / cell.replace("\\", "/")
    return path_


def parts_of(cell: str) -> Parts:
    """The parts of a path, whichever machine it is of; of an address those of its file."""
    text = cell.strip()
    if is_address(text) or text[:5].lower() == "file:":
        address = urlsplit(text)
        # Label Studio serves local files as …/local-files/?d=images/1.png
        text = parse_qs(address.query).get("d", [unquote(address.path)])[0]
    elif "/?d=" in text:
        text = unquote(text.partition("/?d=")[2])
    text = re.sub(r"^[A-Za-z]:", "", text.replace("\\", "/"))
    return tuple(part for part in text.split("/") if part not in ("", "."))


def first_of(cell: str, separator: str) -> str:
    """The first of the files in a cell."""
    if not separator:
        return cell
    return next((part.strip() for part in cell.split(separator) if part.strip()), cell)


def _trimmed(parts: Parts, trim: int) -> Parts:
    return (parts[trim:] or parts[-1:]) if trim else parts


def _matching(
    tail: Parts, files: Mapping[str, Sequence[Parts]], key: Callable[[str], str]
) -> list[Parts]:
    """The files whose paths end like this."""
    if not tail:
        return []
    found = files.get(key(tail[-1]), ())
    if len(tail) == 1:
        return list(found)
    above = [_folded(p) if key is not str else p for p in tail[:-1]]
    return [f for f in found if len(f) >= len(tail) and above == [
        _folded(p) if key is not str else p for p in f[-len(tail):-1]]]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _from(folder: Path, place: Path) -> str:
    return os.path.relpath(place, folder).replace(os.sep, "/")


# Learning -----------------------------------------------------------------------------------


def learnt(
    cells: pl.Series, folder: Path, *, told: Path | None = None, split: str = "",
    listed: Callable[[Path, int], Sequence[Parts]] = media_parts, near: bool = True,
) -> Places:
    """The rule of a column.

    Args:
        cells: Its cells.
        folder: The table's folder.
        told: Where the files are, if the experiment says it; elsewhere they are looked for only if
            most are not there, as those of another table than the experiment's.
        split: A word of the table's name, such as ``train``: of files of one name, the one in a
            folder of this name is meant.
        listed: Gives the media below a folder; a table asks it once for all of its columns.
        near: Look beside the folder too, where that is likely.
    """
    some = _some(cells)
    if told is not None:
        told_rule = learnt(cells, told, split=split, listed=listed, near=False)
        if told_rule.share >= LEAST:
            return told_rule
    if not some:
        return Places(cells.name, folder, folder)
    separator, most = _several(some)
    firsts = [first_of(cell, separator) for cell in some]
    there = [c for c in firsts if _is_file(as_written(folder, c))]
    share = len(there) / len(firsts)
    start = folder if told is None else told  # where it is said that they should be
    plain = Places(cells.name, start, start, _kind_of(there, folder) or _told_kind(firsts), share,
                   separator, most)
    if share >= AS_WRITTEN:
        return replace(plain, folder=folder, place=folder)
    named = sum(modality_of_file(c) is not None for c in map(_last, firsts)) >= ENOUGH * len(firsts)
    if not named and not _may_be_ids(cells, firsts):
        return plain
    best = plain
    most_entries = MOST_ENTRIES if named else MOST_ENTRIES_FOR_IDS
    for root, below in _roots(folder, named, near):
        files = listed(root, most_entries) if below is None else [
            (name, *parts) for name in below for parts in listed(root / name, most_entries)]
        found = _learnt_below(root, firsts, files, split)
        if found is not None and found.share > max(best.share, LEAST - 1e-9):
            best = replace(found, column=cells.name, folder=folder, separator=separator, most=most)
        if best.share >= ENOUGH:
            break
    return best


def _some(cells: pl.Series) -> list[str]:
    """Different cells, spread over the column; empty where they are not names of files."""
    known = cells.drop_nulls()
    step = max(1, len(known) // (4 * LOOKED_AT))
    unique = known.gather_every(step).unique(maintain_order=True)
    some = unique.gather_every(max(1, len(unique) // LOOKED_AT)).head(LOOKED_AT).to_list()
    likely = [c for c in some if len(c) < LONGEST_CELL and "\n" not in c and "\0" not in c]
    return likely if len(likely) >= 0.8 * len(some) else []


def _may_be_ids(cells: pl.Series, some: Sequence[str]) -> bool:
    """Whether cells without a suffix may name files.

    They are a word or two, none is a fraction, and as good as all differ, or are called so.
    """
    names = sum(len(c) < LONGEST_ID and len(c.split()) < 4
                and not re.fullmatch(r"[-+]?\d*[.,]\d+", c) for c in some)
    if names < ENOUGH * len(some):
        return False
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", cells.name).lower()
    called = bool(ID_WORDS & set(re.split(r"[^a-z]+", spaced)))
    known = len(cells) - cells.null_count()
    return len(some) >= 2 and cells.n_unique() > (0.05 if called else 0.9) * known


def _several(some: Sequence[str]) -> tuple[str, int]:
    """What stands between several files in a cell, and how many there are at most."""
    for separator in SEPARATORS:
        holding = [c for c in some if separator in c]
        parts = [[p.strip() for p in c.split(separator) if p.strip()] for c in holding]
        if holding and all(len(p) > 0 and all(modality_of_file(x) for x in p) for p in parts):
            most = max(len(p) for p in parts)
            if most > 1:
                return separator, most
    return "", 1


def _last(cell: str) -> str:
    return (parts_of(cell) or ("",))[-1]


def _kind_of(cells: Sequence[str], folder: Path) -> str | None:
    kinds = Counter(k for c in cells if (k := modality_of_file(as_written(folder, c).name)))
    return kinds.most_common(1)[0][0] if kinds else None


def _told_kind(cells: Sequence[str]) -> str | None:
    kinds = Counter(k for c in cells if (k := modality_of_file(_last(c))))
    return kinds.most_common(1)[0][0] if kinds.total() > 0.8 * len(cells) else None


def _roots(
    folder: Path, named: bool, near: bool
) -> Iterator[tuple[Path, Sequence[str] | None]]:
    """Where files may lie: below the table's folder; beside it, where that looks so.

    A table in a folder of downloads has nothing to do with the folders beside it. Gives a folder,
    and which of the folders in it are meant; None where all that lies below it is.
    """
    yield folder, None
    parent = folder.parent
    if not near or parent == folder or parent == Path.home():
        return
    if are_words(folder.name, TABLE_WORDS):
        yield parent, None
        return
    try:
        beside = [f for f in folders_in(parent) if f != folder.name and are_words(f, MEDIA_WORDS)]
    except UserError:
        return
    if named and beside:
        yield parent, beside


def are_words(name: str, known: set[str]) -> bool:
    """Whether a name consists of such words only, numbers aside."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    words = [w for w in re.split(r"[^a-z]+", spaced) if w]
    return bool(words) and all(w in known for w in words)


def _learnt_below(
    root: Path, cells: Sequence[str], files: Sequence[Parts], split: str
) -> Places | None:
    """The best rule for files below a folder; None where none finds a file."""
    by_kind: dict[str, list[Parts]] = defaultdict(list)
    for parts in files:
        by_kind[str(modality_of_file(parts[-1]))].append(parts)
    given = [parts_of(cell) for cell in cells]
    if (kind := _told_kind(cells)) is not None:  # 1.jpg is never 1.wav, whatever lies there
        by_kind = {kind: by_kind[kind]} if kind in by_kind else {}
    trims = [*range(max(map(len, given), default=0)), -1, -2]
    best: Places | None = None
    for level, (_, key) in enumerate(LEVELS):
        for one in sorted(by_kind, key=lambda k: (-len(by_kind[k]), k)):
            index = _index(by_kind[one], key)
            for trim in trims:
                bases = _bases(given, trim, index, key, split)
                share = len(bases) / len(given)
                if bases and (best is None or share > best.share + 1e-9):
                    base = _common(bases)
                    below = _index([f[len(base):] for f in by_kind[one]
                                    if f[: len(base)] == base], key)
                    best = Places("", root, root.joinpath(*base), one, share, trim=trim,
                                  level=level, files=below)
                if share >= ENOUGH:
                    return best
    return best


def _index(files: Sequence[Parts], key: Callable[[str], str]) -> dict[str, list[Parts]]:
    index: dict[str, list[Parts]] = defaultdict(list)
    for parts in files:
        index[key(parts[-1])].append(parts)
    return dict(index)


def _bases(
    cells: Sequence[Parts], trim: int, index: Mapping[str, Sequence[Parts]],
    key: Callable[[str], str], split: str,
) -> list[Parts]:
    """Per cell that means exactly one file, the folders above what the cell says."""
    bases = []
    for parts in cells:
        tail = _trimmed(parts, trim)
        found = _matching(tail, index, key)
        if len(found) > 1 and split:
            found = [f for f in found if split in split_words(f[:-1])]
        if len(found) == 1:
            bases.append(found[0][: len(found[0]) - len(tail)])
    return bases


def _common(bases: Sequence[Parts]) -> Parts:
    """The folders that all lie below."""
    first, last = min(bases), max(bases)
    count = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
                 min(len(first), len(last)))
    return first[:count]
