"""Fusion by sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.base import FUSIONS, Fusion
from mmstudio.registry import Range


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
        hidden: Annotated[int, Range(8, 2048, "width of the shared representation")] = 128,
        dropout: Annotated[float, Range(0.0, 0.9, "share of it hidden in training")] = 0.3,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        parts = torch.stack([
            linear(norm(f.pooled()))
            for norm, linear, f in zip(self.norms, self.linears, features, strict=True)
        ], dim=1)  # (B, M, hidden)
        there = present.unsqueeze(-1).to(parts.dtype)
        scale = (present.shape[1] / there.sum(dim=1).clamp(min=1)).sqrt()
        shared = nn.functional.gelu((parts * there).sum(dim=1) * scale)
        return Fused.joint(self.dropout(shared))
