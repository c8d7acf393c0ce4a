"""Labels: how a target's cells become numbers, and what is learnt from the training rows for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.tasks.kinds import Cells, Labels, kind_of


def fit_labels(
    task: str, options: Mapping[str, Any], cells: Cells, rows: np.ndarray, target: str
) -> dict[str, Any]:
    """Learn a target's spec from the training rows.

    Args:
        task: The task's name.
        options: The task's options.
        cells: Every row's cell, None where it is empty.
        rows: The training rows.
        target: The target's name, for messages.

    Returns:
        Plain data, as the task's kind says.

    Raises:
        UserError: An unknown task, no label, too few or too many classes, or a cell that is not a
            number.
    """
    kind = kind_of(task, f"targets.{target}.task")
    known = [int(r) for r in rows if cells[r] is not None]
    if not known:
        raise UserError(f"Target '{target}' has no label in any training row.",
                        f"Choose another column for targets.{target}.")
    return kind.fit(options, cells, known, target)


def read_labels(
    task: str, spec: Mapping[str, Any], cells: Cells, used: np.ndarray, target: str
) -> Labels:
    """Every row's label.

    Args:
        task: The task's name.
        spec: What ``fit_labels`` gave.
        cells: Every row's cell, None where it is empty.
        used: ``(N,)`` bool; the labels of other rows don't matter and stay unknown.
        target: The target's name, for messages.

    Raises:
        UserError: An unknown task, or a cell that is not a number where one is needed.
    """
    kind = kind_of(task, f"targets.{target}.task")
    return kind.read(spec, [c if u else None for c, u in zip(cells, used, strict=True)], target)
