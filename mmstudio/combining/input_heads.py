"""A head of its own for each input and target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from mmstudio.data.schema import Schema
from mmstudio.encoders.base import Fused
from mmstudio.experiment import Experiment
from mmstudio.rng import DrawnAside
from mmstudio.tasks import TASKS, Task


class InputHeads(nn.Module):
    """Per input and target a head of its own, on the layer norm of the input's pooled features.

    Args:
        experiment: A completed experiment.
        schema: What was learnt from its training rows.
        widths: Per input the D of its tokens.
    """

    def __init__(self, experiment: Experiment, schema: Schema, widths: Sequence[int]) -> None:
        super().__init__()
        self.targets = list(experiment.active_targets)
        # drawn aside: a model and its training are the same with and without these heads
        with DrawnAside(experiment.training.seed):
            self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
            self.heads = nn.ModuleList(
                TASKS.get(t.task)(width, schema.targets[n], **t.options)
                for width in widths for n, t in experiment.active_targets.items())

    def forward(self, pooled: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
        """Per input ``(B, D_i)`` to the outputs of its heads, one per target."""
        found = []
        for i, (norm, features) in enumerate(zip(self.norms, pooled, strict=True)):
            view = Fused.joint(norm(features))
            found.append([head(view) for head in self.tasks(i)])
        return found

    def tasks(self, i: int) -> list[Task]:
        """The heads of one input, in the targets' order."""
        count = len(self.targets)
        return cast("list[Task]", list(self.heads)[i * count:(i + 1) * count])
