"""Tasks: from the shared representation to an answer, its loss and its figures."""

from __future__ import annotations

from mmstudio.tasks.base import TASKS, Task

__all__ = ["TASKS", "Task", "get", "names", "register"]

register = TASKS.register
"""Decorator that files a task under a name, as ``@mmstudio.tasks.register("name", …)``."""
get = TASKS.get
names = TASKS.names
