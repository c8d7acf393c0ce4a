"""Multiplicative interactions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.base import FUSIONS, Dropout, Fusion, Hidden, Normed, side_by_side
from mmstudio.registry import Range


@FUSIONS.register(
    "multiplicative", title="Multiplicative",
    summary="Learns what two inputs mean together, pair by pair: good when one input changes "
            "the meaning of another.",
    source="Jayakumar et al. 2020, eq. 1",
)
class Multiplicative(Fusion):
    """``y = Σᵢ Vᵢ xᵢ + Σ_{i<j} (Pᵢ xᵢ)ᵀ W_ij (Pⱼ xⱼ) + b``, a bilinear form per pair of inputs.

    Differs from the paper, whose ``zᵀ W x + Uᵀ z + V x + b`` has two inputs: the forms of all
    pairs are added; the inputs are layer-normed, and brought to a small width by ``Pᵢ`` before
    they are multiplied, for ``W_ij`` grows with its square. Dropout hides some of what is
    multiplied too. An absent input counts as zeros: its terms vanish.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: Hidden = 128,
        dropout: Dropout = 0.3,
        input_width: Annotated[int, Range(2, 64, "width of each input in the products")] = 16,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden, bias=False) for width in widths)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.pairs = list(combinations(range(len(widths)), 2))
        if self.pairs:
            self.squeezes = nn.ModuleList(
                nn.Linear(width, input_width, bias=False) for width in widths)
            # so that the products begin at about the size of the linear terms
            self.products = nn.Parameter(
                torch.randn(len(self.pairs), input_width, input_width, hidden)
                / (input_width * len(self.pairs) ** 0.5))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        inputs = self.norms.of_present(features, present)
        shared = side_by_side(self.linears, inputs).sum(dim=1) + self.bias
        if self.pairs:
            small = self.dropout(side_by_side(self.squeezes, inputs))  # (B, M, r)
            left, right = (small[:, list(side)] for side in zip(*self.pairs, strict=True))
            outer = left.unsqueeze(-1) * right.unsqueeze(-2)  # (B, pairs, r, r)
            shared = shared + outer.flatten(1) @ self.products.flatten(0, 2)
        return Fused.joint(self.dropout(shared))
