"""Text files as they occur: which encoding, which separator, which names head the columns."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from mmstudio.modalities import names_medium
from mmstudio.numbers import read_number

HEAD_BYTES = 262_144
"""What the separator and the header are found in."""
HEAD_RECORDS = 100
PIECE_BYTES = 1 << 22
LONGEST_NAME = 40
"""Characters: what is longer is a text, not the name of a column."""
SEPARATORS = ("\t", ";", ",", "|")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


@dataclass(frozen=True)
class Text:
    """A text file that is ready for a reader of UTF-8.

    Attributes:
        source: The file itself where it is plain UTF-8, else its content, decoded and in UTF-8.
        head: The first lines, decoded.
        encoding: What it was taken for, in words.
    """

    source: Path | bytes
    head: str
    encoding: str


def open_text(path: Path) -> Text:
    """Find a file's encoding: by its mark, by its zero bytes, UTF-8, else Western European.

    A plain UTF-8 file is not held in memory. Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    codec, name = _encoding(path, head)
    old_mac = b"\r" in head and b"\n" not in head and not codec.startswith("utf-16")
    if codec == "utf-8" and not old_mac:
        return Text(path, head.decode("utf-8", "replace"), name)
    # a byte that a code page leaves free is shown as such instead of stopping the reader
    text = path.read_bytes().decode(codec, "replace").removeprefix("\ufeff")
    if old_mac or ("\r" in text[:HEAD_BYTES] and "\n" not in text[:HEAD_BYTES]):
        text = text.replace("\r", "\n")
    return Text(text.encode("utf-8", "replace"), text[:HEAD_BYTES], name)


def _encoding(path: Path, head: bytes) -> tuple[str, str]:
    for mark, codec, name in MARKS:
        if head.startswith(mark):
            return codec, name
    if b"\0" in head:
        # Latin letters in UTF-16 have a zero in every second byte
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if odd > 5 * even and odd > 0.2 * len(head) / 2:
            return "utf-16-le", "UTF-16"
        if even > 5 * odd and even > 0.2 * len(head) / 2:
            return "utf-16-be", "UTF-16"
    if _is_utf8(path):
        return "utf-8", "UTF-8"
    # these five bytes stand for nothing in Windows' code page
    free = any(byte in head for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return ("latin-1", "Latin-1") if free else ("cp1252", "Windows-1252")


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                if not piece.isascii() or decoder.getstate()[0]:
                    decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class Layout:
    """How the text of a table is laid out.

    Attributes:
        separator: Between cells.
        names: The columns' names, none blank, none twice.
        skipped: Lines or records before the first row of cells, the header included.
        notes: What is odd about it, in words.
    """

    separator: str
    names: tuple[str, ...]
    skipped: int
    notes: tuple[str, ...]


def layout_of(head: str, suffix: str) -> Layout:
    """Find the separator and the header in a table's first lines.

    Raises:
        ValueError: There is nothing but blank lines.
    """
    blank = len(head) - len(head.lstrip("\r\n \t\ufeff"))
    skipped = head[:blank].count("\n")
    body = head[:blank].rpartition("\n")[2] + head[blank:]
    if not body.strip():
        raise ValueError("the first line, which names the columns, is empty")
    told = re.match(r"sep=(.)\r?\n", body)
    if told:
        body, skipped = body[told.end():], skipped + 1
    separator = told.group(1) if told else _separator(body, suffix)
    records = _records(body, separator)
    header = [_clean(cell) for cell in records[0]]
    repeated = _repeated(header, records[1:])
    if _names_media(header, records[1:]) or _is_row(header, repeated):
        names = tuple(f"column {i}" for i in range(1, len(header) + 1))
        return Layout(separator, names, skipped,
                      ("It has no line that names the columns; they are numbered.",))
    notes = [f"The first line was taken for the columns' names, but '{header[place]}' is also a "
             "value of that column. If it is a row, put a line with names above it."
             for place in repeated[:1]]
    widths = {len(record) for record in records[1:]}
    if widths == {len(header) + 1}:
        header = ["row", *header]  # as R writes its row names
        notes.append("Its first column has no name; it is called 'row'.")
    return Layout(separator, _named(header, notes), skipped + 1, tuple(notes))


def _names_media(header: list[str], records: list[list[str]]) -> bool:
    """Whether a first line is a row already: it names a picture or a sound, as those below do.

    A column may be called "model.fit", and ".fit" is a picture of astronomers.
    """
    def is_media(cell: str) -> bool:
        return names_medium(cell)

    return any(
        is_media(cell) and (not records or any(
            place < len(record) and is_media(record[place].strip()) for record in records))
        for place, cell in enumerate(header))


def _repeated(header: list[str], records: list[list[str]]) -> list[int]:
    """The columns whose name is one of several values in them, as where a row was taken for names.

    A line of names that stands in the middle too, as in files put together, tells nothing.
    """
    others = [[_clean(cell) for cell in record] for record in records]
    others = [record for record in others if record != header]
    found = []
    for place, cell in enumerate(header):
        values = [record[place] for record in others if place < len(record) and record[place]]
        if cell and values.count(cell) > 1 and len(set(values)) > 1:
            found.append(place)
    return found


def _is_row(header: list[str], repeated: list[int]) -> bool:
    """Whether a first line is certainly a row: it holds a label, and nothing that is a name.

    Rising numbers, as years, may be names.
    """
    numbers = [read_number(cell, "", False) for cell in header]
    known = [number for number in numbers if number is not None]
    if len(known) == len(header) > 1:
        return known != sorted(set(known))
    return bool(repeated) and len(header) > 1 and all(
        place in repeated or numbers[place] is not None or len(cell) > LONGEST_NAME
        for place, cell in enumerate(header))


def _separator(body: str, suffix: str) -> str:
    """The one by which most lines have as many cells as the first, then the one with most."""
    if suffix == ".tsv" and "\t" in body.partition("\n")[0]:
        return "\t"
    best, found = (0.0, 0), ","
    for separator in SEPARATORS:
        widths = [len(record) for record in _records(body, separator)]
        if widths[0] > 1:
            alike = sum(w == widths[0] for w in widths) / len(widths)
            if (round(alike, 1), widths[0]) > best:
                best, found = (round(alike, 1), widths[0]), separator
    return found


def _records(body: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    records: list[list[str]] = []
    try:
        for record in reader:
            if record:
                records.append(record)
            if len(records) > HEAD_RECORDS:
                break
    except csv.Error:
        pass  # a huge cell; what came before it tells enough
    if len(records) > 2 and len(records) <= HEAD_RECORDS and len(body) >= HEAD_BYTES // 2:
        records.pop()  # may be cut in the middle
    return records or [[body.partition("\n")[0]]]


def _clean(cell: str) -> str:
    return " ".join(re.sub(r"[\ufeff\u200b\xa0\0]", " ", cell).split())


def _named(header: list[str], notes: list[str]) -> tuple[str, ...]:
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = base = cell or f"column {place}"
        number = 1
        while name in names or (number > 1 and name in header):
            number += 1
            name = f"{base} {number}"
        if name != base:
            notes.append(f"Column {place} is called '{base}' like another; it is read as '{name}'.")
        names.append(name)
    return tuple(names)


def ragged_row(text: Text, layout: Layout) -> tuple[int, int] | None:
    """The first row with too many cells, counted from 1, and how many it has; None if none has."""
    content = text.source if isinstance(text.source, bytes) else text.source.read_bytes()
    lines = io.StringIO(content.decode("utf-8", "replace"), newline="")
    for _ in range(layout.skipped):
        next(csv.reader(lines, delimiter=layout.separator), None)
    row = 0
    try:
        for record in csv.reader(lines, delimiter=layout.separator):
            row += bool(record)
            if len(record) > len(layout.names):
                return row, len(record)
    except csv.Error:
        return None
    return None
