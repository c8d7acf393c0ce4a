"""The figures of a cross-validation, as they are shown: of all rows, and how the folds differ."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmstudio.evaluation.cross_validation.folder import FoldsFolder


@dataclass(frozen=True)
class FoldsFigure:
    """A figure of a target.

    Attributes:
        target: Whose.
        name: Such as ``accuracy``.
        value: Of all rows together.
        interval: The ends of its 95 % interval; None where that isn't known.
        folds: The least and the largest of the folds; None where no fold has it.
    """

    target: str
    name: str
    value: float
    interval: tuple[float, float] | None
    folds: tuple[float, float] | None


@dataclass(frozen=True)
class FoldsShown:
    """A cross-validation as the screen shows it.

    Attributes:
        name: Of its folder.
        folds: How many there are.
        rows: How many rows were answered; 0 before all folds are trained.
        figures: Of all rows; none before.
    """

    name: str
    folds: int
    rows: int = 0
    figures: tuple[FoldsFigure, ...] = ()


def folds_of_run(run: Path) -> FoldsFolder | None:
    """The cross-validation that a run is a fold of, by its name; None where it is none."""
    found = re.fullmatch(r"(.+)\.fold\d+", run.name)
    files = None if found is None else FoldsFolder(run.with_name(found[1]))
    return files if files is not None and files.exists else None


def read_folds(files: FoldsFolder) -> FoldsShown:
    """What a cross-validation has found so far.

    Raises:
        UserError: Its files are links, or damaged.
    """
    count, result = files.folds(), files.result()
    if result is None:
        return FoldsShown(files.name, count)
    return FoldsShown(files.name, count, int(result["samples"]),
                      tuple(figures_in(result["tasks"], result["each"])))


def figures_in(
    tasks: Mapping[str, Mapping[str, Any]], each: list[dict[str, Any]]
) -> list[FoldsFigure]:
    """The figures of all rows with what the folds say of them.

    Args:
        tasks: Per target its figures, with ``interval``.
        each: Per fold its ``tasks``.
    """
    found = []
    for target, figures in tasks.items():
        for name, value in figures.items():
            if not isinstance(value, float):
                continue
            ends = [end for end in figures.get("interval", {}).get(name) or ()
                    if isinstance(end, float) and math.isfinite(end)]
            of_folds = [one["tasks"][target][name] for one in each
                        if one.get("tasks", {}).get(target, {}).get(name) is not None]
            found.append(FoldsFigure(
                target, name, value, (ends[0], ends[1]) if len(ends) == 2 else None,
                (min(of_folds), max(of_folds)) if of_folds else None))
    return found
