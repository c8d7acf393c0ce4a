"""What a task is, and the registry of tasks."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from mmstudio.encoders.base import Fused
from mmstudio.registry import Registry


class Task(nn.Module):
    """One target's head, loss, answer and figures.

    ``__init__`` takes the ``width`` of the shared representation, the target's ``spec`` from the
    schema, and the options as keyword-only arguments.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    main_metric: ClassVar[str]
    """The figure that the app plots."""

    def __init__(self, width: int, spec: dict[str, Any]) -> None:
        super().__init__()

    def forward(self, fused: Fused) -> torch.Tensor:
        """``(B, K, D)`` views to outputs ``(B, …)``."""
        raise NotImplementedError

    def loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """The mean loss of the rows whose label is known; 0 where there is none.

        Args:
            outputs: As ``forward`` gives them.
            targets: ``(B,)``.
            known: ``(B,)`` bool.
        """
        raise NotImplementedError

    def metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Figures over rows whose label is known, ``loss`` among them."""
        raise NotImplementedError

    def scores(self, outputs: torch.Tensor) -> list[dict[str, float]]:
        """Per row the answer as scores by label."""
        raise NotImplementedError


TASKS: Registry[Task] = Registry("task", "mmstudio.tasks")
