"""A table beside the old one, with what a review found of each row in columns of its own."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mmstudio.data.table import Table
from mmstudio.data.written_table import write_frame
from mmstudio.errors import UserError
from mmstudio.evaluation.findings import LABEL
from mmstudio.evaluation.label_review import Review
from mmstudio.inference.table_answers import check_place, columns_apart

RANK, KIND, SCORE, INPUTS, OTHERS = (
    "review rank", "review kind", "review score", "review inputs", "review other rows")
SUGGESTED = " suggested"


def reviewed(review: Review, table: Table) -> pl.DataFrame:
    """All rows of the table in their order; the columns of a review are empty where it is silent.

    ``review rank`` is 1 for the first finding; a row with several has that of the first, and all
    of their kinds. ``TARGET suggested`` holds a label as it would stand in the target's column;
    other rows are numbered from 1.

    Args:
        review: What was found.
        table: The rows as they stand in the file.
    """
    targets = list(dict.fromkeys(f.target for f in review.findings if f.kind == LABEL))
    added: dict[str, list[str | int | float | None]] = {
        name: [None] * len(table)
        for name in (RANK, KIND, SCORE, *(t + SUGGESTED for t in targets), INPUTS, OTHERS)}
    for rank, finding in enumerate(review.findings, start=1):
        row = finding.row
        kinds = [str(added[KIND][row])] if added[KIND][row] is not None else []
        if not kinds:
            added[RANK][row], added[SCORE][row] = rank, round(finding.score, 6)
        if finding.kind not in "; ".join(kinds).split("; "):
            added[KIND][row] = "; ".join([*kinds, finding.kind])
        if finding.kind == LABEL:
            added[finding.target + SUGGESTED][row] = finding.suggested
        for name, words in ((INPUTS, finding.inputs), (OTHERS, [r + 1 for r in finding.others])):
            before = str(added[name][row]).split("; ") if added[name][row] else []
            together = dict.fromkeys([*before, *map(str, words)])
            added[name][row] = "; ".join(together) or None
    names = columns_apart(table.columns, set(added))
    own = table.frame.rename(dict(zip(table.columns, names, strict=True)))
    types: dict[str, type[pl.DataType]] = {RANK: pl.Int64, SCORE: pl.Float64}
    return own.hstack([pl.Series(name, cells, dtype=types.get(name, pl.String))
                       for name, cells in added.items()])


def check_output(path: Path, table: Path) -> None:
    """Refuse a place where a reviewed table can't be written, or where the old one stands.

    Raises:
        UserError: The table itself, a folder, or a suffix that no table has.
    """
    check_place(path)
    if path.resolve() == table.resolve() or (path.exists() and table.exists()
                                             and path.samefile(table)):
        raise UserError(f"{path} is the table that was reviewed: it is not written over.",
                        "Choose another --output, such as reviewed.csv beside it.")


def write_reviewed(frame: pl.DataFrame, path: Path) -> None:
    """Write a reviewed table as CSV, TSV, JSONL or Parquet, whole or not at all.

    Raises:
        UserError: It can't be written.
    """
    write_frame(frame, path, "Choose another --output.")
