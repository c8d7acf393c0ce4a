"""Fusion by mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.base import (
    FUSIONS,
    Dropout,
    Fusion,
    Hidden,
    Normed,
    mean_of_present,
    side_by_side,
)


@FUSIONS.register(
    "mean", title="Mean",
    summary="Brings every input to one common width and takes the average of those that are "
            "there: few weights, steady when inputs are often missing.",
    source="y = f(1/n Σᵢ (Wᵢ xᵢ + bᵢ)) over the n present inputs",
)
class Mean(Fusion):
    """``y = f(1/n Σᵢ (Wᵢ norm(xᵢ) + bᵢ))`` over the n present inputs, with f = GELU.

    f stands after the mean: before it, inputs could not act on each other.
    """

    def __init__(
        self, widths: Sequence[int], *, hidden: Hidden = 128, dropout: Dropout = 0.3
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        parts = side_by_side(self.linears, self.norms(features))  # (B, M, hidden)
        shared = nn.functional.gelu(mean_of_present(parts, present))
        return Fused.joint(self.dropout(shared))
