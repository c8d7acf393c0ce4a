"""Which rows belong together, such as those of one speaker."""

from __future__ import annotations

import numpy as np

from mmstudio.data.table import Table
from mmstudio.experiment import Experiment


def groups_of(experiment: Experiment, table: Table, rows: np.ndarray) -> np.ndarray | None:
    """Which rows belong together: ``(N,)`` whole numbers, or None where no column says so.

    A row whose cell is empty belongs to no other.
    """
    column = experiment.data.group_column
    if column is None or column not in table.columns:
        return None
    cells = table.column(column).to_list()
    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(int(r) if cells[r] is None else cells[r], len(numbers))
                     for r in rows], dtype=np.int64)
