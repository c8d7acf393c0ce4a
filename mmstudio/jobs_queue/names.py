"""Where a job writes, and names that nothing has yet."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from mmstudio.experiment import Experiment
from mmstudio.training.run_names import next_run_name

PLACES = {"train": "runs", "compare": "comparisons", "folds": "runs"}
"""The project's folder that a kind of job writes into."""


def free_name(project: Path, kind: str, experiment: Experiment, taken: Set[str]) -> str:
    """A name for a run, a comparison or a cross-validation.

    Args:
        project: Its folder.
        kind: ``train``, ``compare`` or ``folds``.
        experiment: What is trained.
        taken: Names that wait in the queue.
    """
    if kind == "train":
        return next_run_name(project, experiment, taken)
    number = 1
    if kind == "folds":
        # the folds are runs beside it, of its name
        while f"folds-{number}" in taken or any((project / PLACES[kind]).glob(f"folds-{number}*")):
            number += 1
        return f"folds-{number}"
    while (name := f"comparison-{number}") in taken or (project / PLACES[kind] / name).exists():
        number += 1
    return name
