"""Fusion by sum."""

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
    only_present,
    side_by_side,
)


@FUSIONS.register(
    "sum", title="Sum",
    summary="Brings every input to one common width and adds them up: few weights, "
            "good when data is scarce.",
    source="y = f(Σᵢ Wᵢ xᵢ + b)",
)
class Sum(Fusion):
    """``y = f(Σᵢ Wᵢ norm(xᵢ) + bᵢ)`` with f = GELU; an absent input adds nothing.

    The sum is scaled by ``sqrt(M / number present)``, so that its size does not depend on how
    many inputs are there.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: Hidden = 128,
        dropout: Dropout = 0.3,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        parts = side_by_side(self.linears, self.norms(features))  # (B, M, hidden)
        count = present.sum(dim=1, keepdim=True).clamp(min=1)
        scale = (present.shape[1] / count).sqrt()
        shared = nn.functional.gelu(only_present(parts, present).sum(dim=1) * scale)
        return Fused.joint(self.dropout(shared))
