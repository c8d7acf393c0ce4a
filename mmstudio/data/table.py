"""Files to rows: CSV, TSV, JSONL, Parquet, or a folder with one sub-folder per class."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmstudio.errors import UserError
from mmstudio.modalities import modality_of_file

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")
METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""The names that Hugging Face's image and audio folders give their table."""


class Table:
    """Rows of text cells, in the order of the file; None is an empty cell.

    Attributes:
        path: The table's file, or the folder.
        folder: What paths in cells are relative to.
        frame: All columns as polars strings.
    """

    def __init__(self, path: Path, folder: Path, frame: pl.DataFrame) -> None:
        self.path = path
        self.folder = folder
        self.frame = frame

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
        return None if cell is None else self.folder / cell


def read_table(path: Path) -> Table:
    """Read a table.

    Args:
        path: A CSV, TSV, JSONL or Parquet file; a folder that holds ``metadata.csv`` (``.jsonl``,
            ``.parquet``); or a folder with one sub-folder of files per class, which gives the
            columns ``file_name`` and ``label``.

    Raises:
        UserError: Not found, not readable, without a row, or of no known kind.
    """
    path = Path(path)
    if path.is_dir():
        for name in METADATA_NAMES:
            if (path / name).is_file():
                return read_table(path / name)
        return _class_folders(path)
    if not path.exists():
        raise UserError(f"There is no table {path}.",
                        "Check data.table; it is relative to the experiment file.")
    try:
        frame = _as_cells(_frame(path))
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} can't be read as a table: {reason}",
                        "Save it as CSV with a header line, in UTF-8.") from None
    if frame.height == 0:
        raise UserError(f"{path} holds no rows.", "It needs a header and one row per sample.")
    return Table(path, path.parent, frame)


def _frame(path: Path) -> pl.DataFrame:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return pl.read_parquet(path)
    if suffix in (".jsonl", ".ndjson"):
        return pl.read_ndjson(path, infer_schema_length=None)
    if suffix in (".csv", ".tsv", ".txt"):
        with path.open("rb") as file:
            header = file.readline()
        separator = max("\t;,|" if suffix != ".tsv" else "\t",
                        key=lambda c: header.count(c.encode()))
        if not header.strip():
            raise ValueError("the first line, which names the columns, is empty")
        return pl.read_csv(path, separator=separator, infer_schema=False)
    raise UserError(f"{path} is no table that can be read.",
                    f"Known: {', '.join(TABLE_SUFFIXES)}, or a folder.")


def _as_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns as stripped strings, None where nothing stands; whole floats lose their .0."""
    columns = []
    stripped = [name.strip() for name in frame.columns]
    if len(set(stripped)) == len(stripped):
        frame = frame.rename(dict(zip(frame.columns, stripped, strict=True)))
    for name in frame.columns:
        series = frame.get_column(name)
        if series.dtype.is_nested():
            series = pl.Series(name, [None if v is None else _joined(v) for v in series])
        elif series.dtype == pl.Binary:
            series = pl.Series(name, [None] * len(series), dtype=pl.String)  # no text, no path
        elif series.dtype.is_float():
            series = series.fill_nan(None)
            whole = series.drop_nulls()
            if len(whole) and whole.is_finite().all() and (whole == whole.round()).all():
                series = series.cast(pl.Int64)
        text = series.cast(pl.String).str.strip_chars()
        columns.append(pl.select(
            pl.when(text.str.len_bytes() > 0).then(text).otherwise(None).alias(name)
        ).to_series())
    return pl.DataFrame(columns)


def _joined(value: object) -> str:
    if isinstance(value, dict):
        # Hugging Face's Image and Audio features: {"bytes": …, "path": …}
        return str(value.get("path") or "")
    return "|".join(str(v) for v in value) if isinstance(value, list | pl.Series) else str(value)


def _class_folders(folder: Path) -> Table:
    files = []
    for sub in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        if sub.name == "runs":
            continue
        for file in sorted(sub.rglob("*")):
            if file.is_file() and modality_of_file(file) is not None:
                files.append((file.relative_to(folder).as_posix(), sub.name))
    if not files:
        raise UserError(
            f"{folder} holds neither a metadata.csv nor sub-folders of pictures, sounds or texts.",
            "Choose a table, or a folder with one sub-folder per class.")
    frame = pl.DataFrame(files, schema=["file_name", "label"], orient="row")
    return Table(folder, folder, frame)
