"""Cells that hold any number of labels with a separator between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mmstudio.column_cells import TARGET_NAMES
from mmstudio.column_cells import Cells as ColumnCells
from mmstudio.errors import UserError
from mmstudio.tasks.kinds.base import (
    Cells,
    Labels,
    Metric,
    Proposed,
    TargetKind,
    check_repeating,
    sorted_labels,
)

if TYPE_CHECKING:
    import polars as pl

SEPARATOR = ";"
"""The separator between the labels of one cell, where the experiment names nothing else."""
MOST_LABEL_BYTES = 2 * 2**30
SEPARATORS = ("|", ";", ", ", ",", "/", " ")
"""What may be found between labels, the likeliest first."""
LOOKED_AT = 20_000


def split_cell(cell: str, separator: str) -> list[str]:
    """The labels in a cell, each once; none in a cell that holds only the separator."""
    parts = (part.strip() for part in cell.split(separator))
    return list(dict.fromkeys(part for part in parts if part))


class LabelSet(TargetKind):
    """A set of labels per row.

    Its entry in the schema: ``classes`` with their ``counts``, the ``separator``, and the number of
    training ``rows``. The separator alone says that no label applies.
    """

    task = "multilabel"
    use_title = "Predict labels"
    several = True
    needs = ("classes", "separator")
    metrics = (Metric("macro_average_precision", short="macro AP"), Metric("micro_f1"),
               Metric("macro_f1"), Metric("samples_f1", title="row F1"))

    def proposed(self, cells: ColumnCells) -> Proposed | None:
        """Parts between separators that occur again and again."""
        by_name = cells.named(TARGET_NAMES)
        counts = Counter(cells.known.head(LOOKED_AT).to_list())
        rows = counts.total()
        for separator in SEPARATORS:
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
                return Proposed(f"Several labels in one cell, with {told} between them; "
                                f"{len(parts)} different ones.", {"separator": separator}, by_name)
        return None

    def fit(
        self, options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
    ) -> dict[str, Any]:
        """The labels of the training rows and how often each occurs."""
        separator = options.get("separator", SEPARATOR)
        if not separator:
            raise UserError(f"targets.{target}.separator is empty.",
                            f"Give what stands between the labels, such as \"{SEPARATOR}\".")
        counts = Counter(label for r in rows for label in split_cell(str(cells[r]), separator))
        if not counts:
            raise UserError(f"Target '{target}' has no label in any training row.",
                            f"Choose another column for targets.{target}.")
        classes = sorted_labels(list(counts))
        check_repeating(
            classes, max(len(rows), counts.total()), target,
            f"Choose a column whose labels repeat, or set targets.{target}.separator; "
            f"now it is \"{separator}\".")
        if len(cells) * len(classes) > MOST_LABEL_BYTES:
            raise UserError(
                f"Target '{target}' has {len(classes)} classes in {len(cells)} rows: too many to "
                "hold.",
                f"Leave out rare labels; {MOST_LABEL_BYTES // len(cells)} classes are possible.")
        return {"classes": classes, "counts": [counts[c] for c in classes], "rows": len(rows),
                "separator": separator}

    def read(self, spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
        """A label that training never saw is skipped: the others of its cell are known."""
        number = {label: i for i, label in enumerate(spec["classes"])}
        values = np.zeros((len(cells), len(number)), dtype=np.uint8)
        for row, cell in enumerate(cells):
            if cell is not None:
                places = [number.get(label) for label in split_cell(cell, spec["separator"])]
                values[row, [p for p in places if p is not None]] = 1
        return Labels(values, np.array([c is not None for c in cells], dtype=bool))

    def labels_in(self, cell: str, options: Mapping[str, Any]) -> list[str]:
        """The labels in a filled cell, each once."""
        return split_cell(cell, options.get("separator") or SEPARATOR)

    def merged(
        self, cells: pl.Series, merge: Mapping[str, str], options: Mapping[str, Any]
    ) -> pl.Series:
        """The cells with labels under their other name, each once."""
        import polars as pl

        separator = options.get("separator", SEPARATOR)
        parts = (
            None if cell is None else [p.strip() for p in cell.split(separator)] for cell in cells)
        return pl.Series(cells.name, [
            None if found is None
            else separator.join(dict.fromkeys(merge.get(p, p) for p in found))
            for found in parts
        ], dtype=pl.String)


def _shared(counts: Mapping[str, int], separator: str) -> bool:
    """Whether most cells with several parts share one with another cell; else they are names."""
    values = [{p.strip() for p in value.split(separator)} for value in counts]
    cells_with = Counter(part for parts in values for part in parts if part)
    several = [parts for parts in values if len(parts) > 1]
    return sum(any(cells_with[p] > 1 for p in v) for v in several) > 0.5 * len(several)


LABEL_SET = LabelSet()
