"""Fusion by a sum with learned weights."""

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
    shares_of_present,
    side_by_side,
)


@FUSIONS.register(
    "weighted_sum", title="Weighted sum",
    summary="Adds the inputs up and learns one weight for each: shows which input counts most "
            "over all samples.",
    source="y = f(Σᵢ aᵢ (Wᵢ xᵢ + bᵢ)), a = softmax(s) over the present inputs",
)
class WeightedSum(Fusion):
    """``y = f(Σᵢ aᵢ (Wᵢ norm(xᵢ) + bᵢ))`` with f = GELU and a = softmax(s) over the present inputs.

    The scores s are learned, one per input, and the same for every sample; all begin alike.
    """

    def __init__(
        self, widths: Sequence[int], *, hidden: Hidden = 128, dropout: Dropout = 0.3
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        # a single input has nothing to be weighed against
        self.scores = nn.Parameter(torch.zeros(len(widths))) if len(widths) > 1 else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        parts = only_present(side_by_side(self.linears, self.norms(features)), present)
        if self.scores is not None:
            parts = parts * shares_of_present(self.scores, present).unsqueeze(-1)
        shared = nn.functional.gelu(parts.sum(dim=1))
        return Fused.joint(self.dropout(shared))
