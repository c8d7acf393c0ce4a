"""Tasks: from the shared representation to an answer, its loss and its figures.

What a target's cells hold is described in ``kinds``, without PyTorch; ``Task``, a module, is loaded
when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmstudio.tasks.kinds import LABEL_SET, NUMBER, ONE_LABEL, Metric, TargetKind

if TYPE_CHECKING:
    from mmstudio.registry import Registry
    from mmstudio.tasks.base import Task

    TASKS: Registry[Task]
else:
    from mmstudio.tasks.registry import TASKS

__all__ = ["LABEL_SET", "NUMBER", "ONE_LABEL", "TASKS", "Metric", "TargetKind", "Task", "get",
           "names", "register"]

register = TASKS.register
"""Decorator that files a task under a name, as ``@mmstudio.tasks.register("name", …)``."""
get = TASKS.get
names = TASKS.names


def __getattr__(name: str) -> Any:
    if name == "Task":
        from mmstudio.tasks.base import Task

        return Task
    raise AttributeError(f"module 'mmstudio.tasks' has no attribute {name!r}")
