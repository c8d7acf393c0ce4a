"""A table written as CSV, TSV, JSONL or Parquet, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmstudio.errors import UserError
from mmstudio.safe_files import written_whole

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
"""What its file may end in."""


def write_frame(frame: pl.DataFrame, path: Path, hint: str) -> None:
    """Write a table in the form that its suffix names.

    Args:
        frame: The rows.
        path: The file; one of ``SUFFIXES``.
        hint: What to do where that fails.

    Raises:
        UserError: It can't be written.
    """
    suffix = path.suffix.lower()
    try:
        with written_whole(path) as beside:
            if suffix == ".parquet":
                frame.write_parquet(beside)
            elif suffix == ".jsonl":
                frame.write_ndjson(beside)
            else:
                frame.write_csv(beside, separator="\t" if suffix == ".tsv" else ",")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error}.", hint) from None
