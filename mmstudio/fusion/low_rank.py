"""Low-rank tensor fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.base import FUSIONS, Dropout, Fusion, Hidden, Normed
from mmstudio.registry import Range


@FUSIONS.register(
    "low_rank", title="Low-rank tensor",
    summary="Products of all inputs as in tensor fusion, with few weights: for inputs that only "
            "make sense together, also when there are many.",
    source="Liu et al. 2018 (LMF), eq. 6",
)
class LowRank(Fusion):
    """``y = Σ_r ∘ᵢ (Fᵢᵣ [xᵢ; 1]) + b``: per rank r the elementwise product over the inputs i.

    Differs from the paper by a layer norm of each input and by how it begins: each 1 is worth 1
    in its factor, and b takes the sum of the ranks off again, so that y begins close to a sum of
    the inputs and products of many inputs neither vanish nor explode. An absent input is
    ``[0; 1]``.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: Hidden = 128,
        dropout: Dropout = 0.3,
        rank: Annotated[int, Range(1, 64, "products that are added up per feature")] = 4,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.factors = nn.ParameterList()
        for width in widths:
            factor = torch.randn(rank, width + 1, hidden) / (width * len(widths) * rank) ** 0.5
            factor[:, -1] = 1
            self.factors.append(nn.Parameter(factor))
        self.bias = nn.Parameter(torch.full((hidden,), -float(rank)))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        product: torch.Tensor | None = None
        for x, factor in zip(
            self.norms.of_present(features, present), self.factors, strict=True
        ):
            part = nn.functional.pad(x, (0, 1), value=1.0) @ factor  # (rank, B, hidden)
            product = part if product is None else product * part
        if product is None:
            raise ValueError("a fusion needs at least one input")
        return Fused.joint(self.dropout(product.sum(dim=0) + self.bias))
