"""The registry of tasks; it loads PyTorch when a task is first looked up, and not before."""

from __future__ import annotations

from typing import Any

from mmstudio.registry import Registry

TASKS: Registry[Any] = Registry("task", "mmstudio.tasks")
"""Of ``Task`` classes, which ``mmstudio.tasks`` says to type checkers."""
