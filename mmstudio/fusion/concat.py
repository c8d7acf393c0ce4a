"""Fusion by concatenation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.base import FUSIONS, Dropout, Fusion, Hidden, Normed


@FUSIONS.register(
    "concat", title="Concatenation",
    summary="Puts the features of all inputs side by side and learns one layer over them: "
            "a good first choice.",
    source="Ngiam et al. 2011: y = f(W [x₁; …; x_M] + b)",
)
class Concat(Fusion):
    """``y = f(W [norm(x₁); …; norm(x_M)] + b)`` with f = GELU.

    Differs from the plain equation by a layer norm of each input, which lets inputs of unequal
    scale count alike. Where an input is absent, its learned absent token is read.
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
        self.linear = nn.Linear(sum(widths), hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        shared = nn.functional.gelu(self.linear(torch.cat(self.norms(features), dim=-1)))
        return Fused.joint(self.dropout(shared))
