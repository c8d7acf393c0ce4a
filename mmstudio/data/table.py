"""Files to rows: CSV, TSV, JSONL, JSON, Parquet, a workbook's sheet, or a folder of media."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from mmstudio.data.embedded import read_parquet, with_written_files
from mmstudio.data.formulas import unguarded
from mmstudio.data.json_records import read_records
from mmstudio.data.lists_in_cells import lists_read
from mmstudio.data.parquet_bounds import MOST_VALUES, check_parquet
from mmstudio.data.places import Places, learnt
from mmstudio.data.split_words import split_words
from mmstudio.data.text_file import Layout, Text, layout_of, open_text, ragged_row
from mmstudio.data.walking import Parts, media_parts
from mmstudio.data.workbooks import OLD_SUFFIXES, SHEET_SUFFIXES, read_sheet
from mmstudio.errors import UserError
from mmstudio.quiet import quiet
from mmstudio.reading import kind_of, reading, reason_of

MOST_BYTES = 4 * 10**9
TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, ".jsonl", ".ndjson", ".json", ".parquet", *SHEET_SUFFIXES,
                  *OLD_SUFFIXES)


class Table:
    """Rows of text cells, in the order of the file; None is an empty cell.

    Attributes:
        path: The table's file, or the folder.
        folder: What paths in cells are relative to.
        frame: All columns as polars strings.
        notes: What was odd about it and how it was read, in words.
        told: Per column, or under "" for all, where its files are, relative to ``folder``; where
            nothing is said, they are found.
    """

    def __init__(
        self, path: Path, folder: Path, frame: pl.DataFrame, notes: Sequence[str] = (),
        told: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.folder = folder
        self.frame = frame
        self.notes = tuple(notes)
        self.told = dict(told or {})
        self._places: dict[tuple[str, str], Places] = {}
        self._listed: dict[tuple[Path, int], list[Parts]] = {}

    def with_frame(self, frame: pl.DataFrame, notes: Sequence[str] | None = None) -> Table:
        """The same table with other cells; files are where they were."""
        table = Table(self.path, self.folder, frame, self.notes if notes is None else notes,
                      self.told)
        table._places = self._places  # the rules hold for any of its rows
        return table

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return self.frame.columns

    def __len__(self) -> int:
        """The number of rows."""
        return self.frame.height

    def column(self, name: str) -> pl.Series:
        """One column as strings, None where a cell is empty.

        Raises:
            UserError: There is no such column.
        """
        if name not in self.frame.columns:
            from mmstudio.errors import nearest

            raise UserError(f"{self.path.name} has no column '{name}'.",
                            nearest(name, self.frame.columns))
        return self.frame.get_column(name)

    def cell(self, row: int, column: str) -> str | None:
        """One cell's text, or None."""
        value: str | None = self.column(column)[row]
        return value

    def path_of(self, row: int, column: str) -> Path | None:
        """The file that a cell names, or None where the cell is empty."""
        cell = self.cell(row, column)
        return None if cell is None else self.places(column).path(cell)

    def places(self, column: str, told: str | None = None) -> Places:
        """Where the files of a column lie; found out once.

        Args:
            column: Its name.
            told: Where they are, relative to ``folder``; None takes what ``told`` says.
        """
        if told is None:
            told = self.told.get(column, self.told.get("", ""))
        if (column, told) not in self._places:
            split = split_words([self.path.stem])
            self._places[column, told] = learnt(
                self.column(column), self.folder, told=self.folder / told if told else None,
                split=next(iter(split)) if len(split) == 1 else "", listed=self._media_below)
        return self._places[column, told]

    def _media_below(self, folder: Path, most: int) -> list[Parts]:
        if (folder, most) not in self._listed:
            self._listed[folder, most] = media_parts(folder, most)
        return self._listed[folder, most]


def read_table(path: Path) -> Table:
    """Read a table.

    Args:
        path: A CSV, TSV, JSONL, JSON or Parquet file, in any usual encoding; or a folder of media,
            with or without a table in it (see ``data.folders``).

    Raises:
        UserError: Not found, not readable, without a row, or of no known kind.
    """
    path = _tidy(Path(path))
    try:
        state = path.stat()
    except FileNotFoundError:
        raise UserError(f"There is no table {path}.",
                        "Check data.table; it is relative to the experiment file.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read: {error}.",
                        "Check its name and permissions.") from None
    if stat.S_ISDIR(state.st_mode):
        from mmstudio.data.folders import read_folder

        with reading(path, "Check its files' names and permissions."):
            return read_folder(path)
    if not stat.S_ISREG(state.st_mode):
        raise UserError(f"{path} is {kind_of(state.st_mode)}, not a table.",
                        "Give a file or a folder.")
    if path.suffix.lower() == ".zip":
        with reading(path, "Unpack it by hand."):
            return _archive(path)
    if state.st_size > MOST_BYTES:
        raise UserError(f"{path} has {state.st_size / 1e9:,.0f} GB; a table may have "
                        f"{MOST_BYTES / 1e9:,.0f}.", "Keep large texts in files of their own.")
    try:
        with quiet():  # polars prints where in itself it gave up
            frame, told, notes = _frame(path)
        frame, written, done = with_written_files(path, frame)
        frame, more = lists_read(frame)
    except UserError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:  # whatever its readers run into
        raise UserError(f"{path} can't be read as a table: {reason_of(error)}",
                        "Save it as CSV with a header line, in UTF-8.") from None
    if frame.height == 0:
        raise UserError(f"{path} holds no rows.", "It needs a header and one row per sample.")
    return Table(path, path.parent, frame, (*notes, *done, *more), told | written)


def _archive(path: Path) -> Table:
    """The rows of a zipped folder, which is unpacked into the cache."""
    from mmstudio.data.folders import read_folder
    from mmstudio.data.unpacking import unpacked_archive

    folder, left_out = unpacked_archive(path)
    inside = read_folder(folder)
    notes = [f"The archive was unpacked to {folder}."]
    if left_out:
        notes.append(f"{left_out:,} of its entries were left out: they are links, or would lie "
                     "outside of it.")
    return Table(path, inside.folder, inside.frame, (*inside.notes, *notes), inside.told)


def _tidy(path: Path) -> Path:
    """Without ``a/../b``, where that names the same file: a link may stand in between."""
    tidy = Path(os.path.normpath(path))
    try:
        return tidy if tidy == path or os.path.samefile(path, tidy) else path
    except OSError:
        return tidy if not path.exists() and tidy.is_absolute() else path


def _frame(path: Path) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    """The cells, per column of files where these are, and notes."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        check_parquet(path)
        frame, told, notes = read_parquet(path)
        return as_cells(frame), told, notes
    if suffix in (".jsonl", ".ndjson"):
        frame, notes = _json_lines(path)
        return frame, {}, notes
    if suffix in (*SHEET_SUFFIXES, *OLD_SUFFIXES):
        return as_cells(read_sheet(path)), {}, ()
    if suffix == ".json":
        return as_cells(read_records(path, MOST_VALUES)), {}, ()
    if suffix in TEXT_SUFFIXES:
        frame, notes = _separated(path, suffix)
        return frame, {}, notes
    raise UserError(f"{path} is not a table that can be read.",
                    f"Known: {', '.join(TABLE_SUFFIXES)}, a ZIP file or a folder.")


def _json_lines(path: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    text = open_text(path)
    try:
        frame = pl.read_ndjson(text.source, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        content = text.source if isinstance(text.source, bytes) else path.read_bytes()
        for number, line in enumerate(content.splitlines(), start=1):
            try:
                fits = not line.strip() or isinstance(json.loads(line), dict)
            except ValueError:
                fits = False
            if not fits:
                raise UserError(f"Line {number} of {path} is not a JSON object.",
                                'Each line must look like {"file_name": "a.png", "label": "cat"}.'
                                ) from None
        raise
    return as_cells(frame), _encoding_note(text)


def _separated(path: Path, suffix: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    text = open_text(path)
    layout = layout_of(text.head, suffix)
    schema = dict.fromkeys(layout.names, pl.String)

    def read(quote: str | None) -> pl.DataFrame:
        # the header was read already: its names may be blank or stand twice
        return pl.read_csv(text.source, separator=layout.separator, has_header=False,
                           skip_rows=layout.skipped, schema=schema, quote_char=quote, glob=False)

    notes = (*_encoding_note(text), *layout.notes)
    try:
        frame = read('"')
    except pl.exceptions.PolarsError:
        ragged = ragged_row(text, layout)
        if ragged is not None:
            raise UserError(
                f"Row {ragged[0]} of {path} has {ragged[1]} cells, but the header names "
                f"{len(layout.names)} columns.",
                "Put the cell that holds the separator in quotes, or name the missing column."
            ) from None
        # inch marks and the like, not quotes around cells
        frame = read(None)
        notes = (*notes, "Its quotation marks do not come in pairs; they are read as they stand.")
    notes = (*notes, *_short_rows_note(text, layout, frame))
    cells, told = _without_blank_lines(unguarded(as_cells(frame)), text, layout)
    return _mended(cells, (*notes, *told), layout.separator)


def _short_rows_note(text: Text, layout: Layout, frame: pl.DataFrame) -> tuple[str, ...]:
    """Which rows have too few cells: the reader fills them with empty ones without a word."""
    if frame.width < 2 or frame.to_series(-1).null_count() == 0:
        return ()
    lines = _lines(text, layout)
    if len(lines) != frame.height:
        return ()  # cells of several lines: what belongs to which row is the reader's secret
    separators = lines.str.count_matches(layout.separator, literal=True)
    # within quotes a separator separates nothing
    short = ((separators < frame.width - 1) & ~lines.str.contains('"', literal=True)).arg_true()
    if not len(short):
        return ()
    others = f" and {len(short) - 1:,} others" if len(short) > 1 else ""
    return (f"Row {short[0] + 1}{others} have fewer cells than the header; the missing ones "
            "are taken as empty.",)


def _lines(text: Text, layout: Layout) -> pl.Series:
    """The lines below the header as they stand, None where one is empty."""
    return pl.read_csv(text.source, separator="\x1e", has_header=False, quote_char=None,
                       skip_rows=layout.skipped, schema={"line": pl.String}, glob=False,
                       truncate_ragged_lines=True)["line"]


def _without_blank_lines(
    frame: pl.DataFrame, text: Text, layout: Layout
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Leave out lines that hold nothing, and rows of empty cells at the end of the table.

    A row of empty cells between others stays: it is a sample of which nothing is known. So does an
    empty cell in quotes where there is but one column, at the end too.
    """
    empty = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not empty.any():
        return frame, ()
    lines = _lines(text, layout)
    left_out = empty.clone()
    if len(lines) == frame.height:
        left_out &= lines.fill_null("").str.strip_chars() == ""
        if frame.width == 1:
            empty = left_out
    filled = (~empty).arg_true()
    last = filled[-1] + 1 if len(filled) else 0
    kept = frame.head(last).filter(~left_out.head(last))
    count = frame.height - kept.height
    return kept, ((f"{count:,} blank lines were left out.",) if count else ())


def _encoding_note(text: Text) -> tuple[str, ...]:
    return () if text.encoding == "UTF-8" else (f"Read as {text.encoding} text.",)


def _mended(
    frame: pl.DataFrame, notes: tuple[str, ...], separator: str
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Leave blank columns out; decimal commas become points."""
    blank = [c for c in frame.columns
             if re.fullmatch(r"column \d+", c) and frame[c].null_count() == frame.height]
    if len(blank) < frame.width:
        frame = frame.drop(blank)
    # between commas, "1,234" in quotes may as well be a thousand
    commas = [c for c in frame.columns if separator != "," and _has_decimal_commas(frame[c])]
    if commas:
        frame = frame.with_columns(pl.col(commas).str.replace_all(".", "", literal=True)
                                 .str.replace(",", ".", literal=True))
        notes = (*notes, f"Decimal commas were read as points: {', '.join(commas)}.")
    return frame, notes


_DECIMAL_COMMA = r"^[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"


def _has_decimal_commas(series: pl.Series) -> bool:
    for cells in (series.head(1000).drop_nulls(), series.drop_nulls()):
        if not cells.str.contains(_DECIMAL_COMMA).all():
            return False
    return bool(series.str.contains(",", literal=True).any())


def as_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns as stripped strings, None where nothing stands; whole floats lose their .0.

    A column called ``*`` or ``^price$`` is put in brackets: polars would take it for a pattern.
    """
    columns = []
    stripped = [name.strip() for name in frame.columns]
    if len(set(stripped)) == len(stripped):
        frame = frame.rename(dict(zip(frame.columns, stripped, strict=True)))
    for name in frame.columns:
        is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
        series = _flat(frame.get_column(name).alias(f"({name})" if is_pattern else name))
        if series.dtype.is_float():
            series = series.fill_nan(None)
            whole = series.drop_nulls()
            if len(whole) and whole.is_finite().all() and (whole == whole.round()).all():
                series = series.cast(pl.Int64, strict=False)
        text = series.cast(pl.String).str.strip_chars()
        columns.append(pl.select(
            pl.when(text.str.len_bytes() > 0).then(text).otherwise(None).alias(series.name)
        ).to_series())
    return pl.DataFrame(columns)


def _flat(series: pl.Series) -> pl.Series:
    """One value per cell: lists are joined by "|", of a file's record its path is taken."""
    if series.dtype == pl.Binary:
        return pl.Series(series.name, [None] * len(series), dtype=pl.String)  # no text, no path
    if isinstance(series.dtype, pl.Array):
        series = series.arr.to_list()
    if isinstance(series.dtype, pl.List):
        if isinstance(series.dtype.inner, pl.List | pl.Array | pl.Struct):
            return pl.Series(series.name, [None if v is None else _joined(v) for v in series])
        return series.cast(pl.List(pl.String)).list.join("|", ignore_nulls=True)
    if isinstance(series.dtype, pl.Struct):
        # Hugging Face's Image and Audio features: {"bytes": …, "path": …}
        if "path" in [field.name for field in series.dtype.fields]:
            return series.struct.field("path").alias(series.name)
        return series.struct.json_encode()
    return series


def _joined(value: object) -> str:
    return "|".join(str(v) for v in value) if isinstance(value, list | pl.Series) else str(value)
