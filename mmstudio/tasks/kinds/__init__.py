"""Kinds of targets: what their cells hold, and how that is read, proposed and worded.

No kind imports PyTorch: tables are read and columns proposed before it is loaded. A task names its
kind; several tasks may share one.
"""

from __future__ import annotations

from mmstudio.errors import UserError, nearest
from mmstudio.registry import load_installed
from mmstudio.tasks.kinds.base import Cells, Labels, Metric, Proposed, TargetKind
from mmstudio.tasks.kinds.label_set import LABEL_SET
from mmstudio.tasks.kinds.number import NUMBER
from mmstudio.tasks.kinds.one_label import ONE_LABEL
from mmstudio.tasks.registry import TASKS

__all__ = ["LABEL_SET", "NUMBER", "ONE_LABEL", "Cells", "Labels", "Metric", "Proposed",
           "TargetKind", "find_kind", "kind_of", "kinds", "known_tasks", "metric_named"]

BUILT_IN: tuple[TargetKind, ...] = (LABEL_SET, NUMBER, ONE_LABEL)
"""In the order in which a column is looked at: every number could be a label too."""


def kinds() -> list[TargetKind]:
    """All kinds, each once: those of own tasks first, as they are the more special ones."""
    own = [kind for kind in _own().values() if kind not in BUILT_IN]
    return [*dict.fromkeys(own), *BUILT_IN]


def known_tasks() -> dict[str, TargetKind]:
    """Per task its kind; the task that a kind proposes stands for it first."""
    return {kind.task: kind for kind in reversed(BUILT_IN)} | _own()


def find_kind(task: str | None) -> TargetKind | None:
    """The kind of a task; None where no such task is known."""
    return None if task is None else known_tasks().get(task)


def kind_of(task: str, key: str = "") -> TargetKind:
    """The kind of a task.

    Args:
        task: The task's name.
        key: The path of the key that holds it, for messages.

    Raises:
        UserError: There is no such task; names the nearest.
    """
    found = find_kind(task)
    if found is None:
        where = f"{key} = " if key else ""
        raise UserError(f"{where}'{task}' is not a known task.", nearest(task, known_tasks()))
    return found


def metric_named(name: str) -> Metric:
    """How a figure is shown; one that no task describes is a plain number."""
    for kind in kinds():
        for metric in kind.metrics:
            if metric.name == name:
                return metric
    return next((metric for cls in TASKS.own().values() for metric in cls.metrics_of_its_own
                 if metric.name == name), Metric(name, share=False))


def _own() -> dict[str, TargetKind]:
    """Per task that a project or a package brings its kind."""
    load_installed()
    return {name: cls.kind for name, cls in TASKS.own().items()}
