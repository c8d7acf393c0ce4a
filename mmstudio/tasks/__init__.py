"""Tasks: from the shared representation to an answer, its loss and its figures."""

from __future__ import annotations

from mmstudio.tasks.base import TASKS, Task

__all__ = ["TASKS", "Task"]
