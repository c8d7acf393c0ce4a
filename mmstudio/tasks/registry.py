"""The registry of tasks; it loads PyTorch when a task is first looked up, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmstudio.registry import Registry

if TYPE_CHECKING:
    from mmstudio.tasks.base import Task

TASKS: Registry[Task] = Registry("task", "mmstudio.tasks")
