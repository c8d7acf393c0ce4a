"""Cells that hold one label out of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmstudio.column_cells import TARGET_NAMES, TEXT_NAMES
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


class OneLabel(TargetKind):
    """One class per row. Its entry in the schema: ``classes`` with their ``counts``."""

    task = "classification"
    use_title = "Predict a label"
    needs = ("classes",)
    metrics = (Metric("accuracy"), Metric("macro_f1"))

    def proposed(self, cells: ColumnCells) -> Proposed | None:
        """Values that repeat often enough."""
        by_name = cells.named(TARGET_NAMES)
        if cells.named(TEXT_NAMES) and cells.words >= 1.5 and cells.distinct >= 30:
            return None
        often = (cells.repeated >= 4 and cells.words < 4) or (
            cells.distinct < 30 and cells.repeated > 20) or (by_name and cells.repeated >= 2)
        if cells.distinct < 2 or not often:
            return None
        return Proposed(f"{cells.distinct:,} different values that repeat: one label per row.",
                        sure=by_name)

    def fit(
        self, options: Mapping[str, Any], cells: Cells, rows: list[int], target: str
    ) -> dict[str, Any]:
        """The classes of the training rows and how often each occurs."""
        counts = Counter(str(cells[r]) for r in rows)
        classes = sorted_labels(list(counts))
        if len(classes) < 2:
            raise UserError(f"Target '{target}' has one class only, '{classes[0]}'.",
                            "A classification needs two or more.")
        check_repeating(classes, len(rows), target, "Choose a column whose values repeat.")
        return {"classes": classes, "counts": [counts[c] for c in classes]}

    def read(self, spec: Mapping[str, Any], cells: Cells, target: str) -> Labels:
        """A class that training never saw is unknown."""
        number = {label: i for i, label in enumerate(spec["classes"])}
        found = np.array([-1 if c is None else number.get(c, -1) for c in cells], dtype=np.int64)
        return Labels(found.clip(min=0), found >= 0)


ONE_LABEL = OneLabel()
