"""Sheets of workbooks, by polars' own reader; how large one would become is known before."""

from __future__ import annotations

import importlib.util
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

import polars as pl

from mmstudio.data.unpacking import check_archive
from mmstudio.errors import UserError

SHEET_SUFFIXES = (".xlsx", ".xlsm", ".ods")
OLD_SUFFIXES = (".xls",)
MOST_BYTES = 4 * 10**9
MOST_CELLS = 30_000_000
"""Of a sheet, empty ones within it included: the reader holds all of them."""
CHUNK_BYTES = 1 << 20
MARKS = {".ods": "table-row"}
"""What a sheet's file holds, by the workbook's suffix; else ``sheetData``."""


def read_sheet(path: Path) -> pl.DataFrame:
    """The first sheet of a workbook.

    Raises:
        UserError: The reader is not installed, or the workbook is damaged, too large or too old.
    """
    if importlib.util.find_spec("fastexcel") is None:
        raise UserError(f"{path} is a workbook, for which a reader is missing.",
                        "Save it as CSV, or install the package fastexcel.")
    if path.suffix.lower() in OLD_SUFFIXES:
        raise UserError(f"{path} is a workbook of the oldest kind, which is not read.",
                        "Save it as .xlsx or CSV.")
    check_sheets(path)
    return pl.read_excel(path, engine="calamine", infer_schema_length=None)


def check_sheets(path: Path) -> None:
    """Refuse a workbook one sheet of which the reader could not hold.

    A cell in the last corner of an empty sheet makes it one of 17 thousand million cells.

    Raises:
        UserError: It is damaged, or would become too large.
    """
    suffix = path.suffix.lower()
    try:
        with zipfile.ZipFile(path) as archive:
            needed = check_archive(path, archive)
            if needed > MOST_BYTES:
                raise UserError(f"{path} has {needed / 1e9:,.0f} GB when unpacked; a workbook may "
                                f"have {MOST_BYTES / 1e9:,.0f}.", "Save it as CSV.")
            for member in archive.infolist():
                if _holds(archive, member, MARKS.get(suffix, "sheetData")):
                    _check_sheet(path, archive, member, suffix)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error,
            expat.ExpatError, ValueError) as error:
        raise UserError(f"{path} can't be read as a workbook: {str(error).rstrip('.')}.",
                        "Save it again, or as CSV.") from None


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _holds(archive: zipfile.ZipFile, member: zipfile.ZipInfo, mark: str) -> bool:
    """Whether the mark stands in a file, which any name may have, in bytes of one or of two."""
    marks = (mark.encode(), mark.encode("utf-16-le")[:-1])
    before = b""
    for chunk in _chunks(archive, member):
        if any(m in before + chunk for m in marks):
            return True
        before = chunk[-2 * len(mark):]
    return False


def _check_sheet(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, suffix: str
) -> None:
    sheet = _OpenDocument() if suffix == ".ods" else _Grid()
    parser = expat.ParserCreate()
    parser.StartElementHandler = sheet.start
    for chunk in _chunks(archive, member):
        parser.Parse(chunk, False)
        if sheet.rows * sheet.columns > MOST_CELLS:
            raise UserError(
                f"A sheet of {path} has {sheet.rows:,} rows and {sheet.columns:,} columns, more "
                f"than {MOST_CELLS:,} cells.",
                "Delete what stands far off in it, or save it as CSV.")
    parser.Parse(b"", True)


class _Grid:
    """How far the cells of a sheet reach that say where they stand, as ``B7``."""

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self._row = self._column = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take notice of an element."""
        name = tag.rpartition(":")[2]
        if name == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif name == "c":
            place = re.fullmatch(r"([A-Za-z]+)(\d+)", attributes.get("r", ""))
            if place is None:
                self._column += 1
            else:
                self._column, self._row = _number(place[1]), int(place[2])
            self.rows = max(self.rows, self._row)
            self.columns = max(self.columns, self._column)


class _OpenDocument:
    """How far the cells reach that hold something; they and rows may say how often they stand."""

    def __init__(self) -> None:
        self.rows = self.columns = 0
        self._row = self._column = self._row_times = self._cell_times = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take notice of an element."""
        name = tag.rpartition(":")[2]
        if name == "table":
            self._row = self._row_times = 0
        elif name == "table-row":
            self._row += self._row_times
            self._row_times = _times(attributes, "number-rows-repeated")
            self._column = self._cell_times = 0
        elif name in ("table-cell", "covered-table-cell"):
            self._column += self._cell_times
            self._cell_times = _times(attributes, "number-columns-repeated")
            if any(key.endswith(("value-type", "formula")) for key in attributes):
                self._filled()
        elif name == "p":
            self._filled()

    def _filled(self) -> None:
        self.rows = max(self.rows, self._row + self._row_times)
        self.columns = max(self.columns, self._column + self._cell_times)


def _number(letters: str) -> int:
    """A column's number, from 1: A, B, …, Z, AA."""
    number = 0
    for letter in letters[:8].upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _times(attributes: dict[str, str], key: str) -> int:
    return next((int(v) for k, v in attributes.items() if k.rpartition(":")[2] == key), 1)
