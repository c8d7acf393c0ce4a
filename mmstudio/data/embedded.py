"""Tables with the files inside: unpacked once into the cache.

In Parquet, as the Hugging Face hub writes it, a picture or sound is a record of its ``bytes`` and
its ``path``, or a column of bytes alone; the names of the classes stand in the file's own
description. In other tables it is the text of its bytes in base64, or a ``data:`` address.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from mmstudio.data.sniff import modality_of_content
from mmstudio.data.unpacking import check_room, unpacked
from mmstudio.modalities import MODALITIES, modality_of_file

ROWS_AT_ONCE = 256
LOOKED_AT = 50
_WRITTEN = re.compile(
    r"(data:(image|audio)/[\w.+-]+;base64,)|(?=.{64})"
    # how PNG, JPEG, GIF, RIFF (WAV, WebP), Ogg, FLAC, MP3 and TIFF begin
    r"(iVBORw0KGgo|/9j/|R0lGOD|UklGR|T2dnU|ZkxhQ|SUQz|SUkqA|TU0AK)")
NAMES = "names.json"


def embedded_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """The columns that hold files: records with ``bytes``, and bytes alone."""
    return [name for name, kind in schema.items() if isinstance(kind, pl.Binary) or (
        isinstance(kind, pl.Struct)
        and any(f.name == "bytes" and f.dtype == pl.Binary for f in kind.fields))]


def read_parquet(path: Path) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    """A Parquet file's rows, where its embedded files were unpacked to, and notes.

    Returns:
        The frame, in which a column of files has their names; per such column the folder that
        these are relative to; what was done, in words.

    Raises:
        UserError: The disk does not hold what is unpacked.
    """
    lazy = pl.scan_parquet(path, glob=False)
    schema = dict(lazy.collect_schema())
    columns = embedded_columns(schema)
    frame = lazy.select(pl.all().exclude(columns)).collect() if columns else lazy.collect()
    frame = _with_class_names(path, frame)
    if not columns:
        return frame, {}, ()
    series, places, notes = _as_files(path, lazy, columns)
    frame = frame.with_columns(series) if frame.width else pl.DataFrame(series)
    return frame.select(list(schema)), places, notes


def with_written_files(
    path: Path, frame: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, str], tuple[str, ...]]:
    """A table's rows with the files that are written in cells in base64; else as it is.

    Args:
        path: The table's file.
        frame: Its cells, texts.

    Returns:
        As ``read_parquet``.

    Raises:
        UserError: As there.
    """
    columns = [name for name, kind in frame.schema.items()
               if kind == pl.String and _holds_files(frame[name])]
    if not columns:
        return frame, {}, ()
    series, places, notes = _as_files(path, frame.lazy(), columns)
    return frame.with_columns(series), places, notes


def _holds_files(cells: pl.Series) -> bool:
    some = cells.drop_nulls().head(LOOKED_AT)
    return len(some) > 0 and all(_WRITTEN.match(cell) for cell in some.str.head(200))


def _as_files(
    path: Path, lazy: pl.LazyFrame, columns: list[str]
) -> tuple[list[pl.Series], dict[str, str], tuple[str, ...]]:
    """The names of the files that columns hold, the folders these are in, and what was done."""
    folder = unpacked(path, f"columns {columns}", lambda into: _unpack_all(lazy, columns, into))
    names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
    series = [pl.Series(c, names[c], dtype=pl.String) for c in columns]
    places = {c: folder / _place(i) for i, c in enumerate(columns)}
    held = [c for c in columns if any(places[c].iterdir())]
    return series, {c: str(places[c]) for c in held}, (
        f"{', '.join(held)}: the files lie in the table itself; they were unpacked to {folder}.",
    ) if held else ()


def _unpack_all(lazy: pl.LazyFrame, columns: list[str], folder: Path) -> None:
    names = {c: _unpack(lazy, c, folder / _place(i)) for i, c in enumerate(columns)}
    (folder / NAMES).write_text(json.dumps(names), encoding="utf-8")


def _place(number: int) -> str:
    """The folder of a column: its name may be anything, a path among others."""
    return f"column {number + 1}"


def _unpack(lazy: pl.LazyFrame, column: str, folder: Path) -> list[str | None]:
    """Write a column's files; their names by row, None where a cell is empty or no medium."""
    folder.mkdir(parents=True)
    names: list[str | None] = []
    while True:
        rows = lazy.select(column).slice(len(names), ROWS_AT_ONCE).collect()[column]
        for place in range(len(rows)):  # one at a time: many rows may share one large value
            content, told = _content(rows[place])
            if content is None:
                names.append(told)
                continue
            check_room(folder, len(content), f"'{column}'")
            known = modality_of_file(told or "") is not None
            name = f"{len(names):07d}{Path(told or '').suffix.lower() if known else ''}"
            file = folder / name
            file.write_bytes(content)
            kind = modality_of_content(file)
            if kind is not None and modality_of_file(name) != kind:
                file = file.rename(file.with_suffix(MODALITIES.get(kind).own_suffix))
            if kind is None and modality_of_file(name) is None:
                file.unlink()
                names.append(None)
                continue
            names.append(file.name)
        if len(rows) < ROWS_AT_ONCE:
            return names


def _content(cell: Any) -> tuple[bytes | None, str | None]:
    if isinstance(cell, dict):
        return cell.get("bytes"), cell.get("path")
    if isinstance(cell, str):
        try:
            text = cell.partition(",")[2] if cell.startswith("data:") else cell
            return base64.b64decode(re.sub(r"\s+", "", text), validate=True), None
        except binascii.Error:
            return None, None
    return cell, None


def _with_class_names(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers of classes by their names, where the file tells these."""
    try:
        told = json.loads(pl.read_parquet_metadata(path).get("huggingface", "{}"))
        features = told.get("info", {}).get("features", {})
    except (pl.exceptions.PolarsError, OSError, ValueError, AttributeError):
        return frame
    for name in frame.columns:
        feature = features.get(name) if isinstance(features, dict) else None
        names = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(names, list) and frame.schema[name].is_integer():
            words = {i: str(word) for i, word in enumerate(names)}
            frame = frame.with_columns(pl.col(name).replace_strict(
                words, default=pl.col(name).cast(pl.String), return_dtype=pl.String))
    return frame
