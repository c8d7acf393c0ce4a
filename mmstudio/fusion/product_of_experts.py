"""Product of Gaussian experts."""

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

LARGEST_LOG_PRECISION = 6.0
"""An expert is at most e⁶ times as sure as the prior, or as unsure: sums stay exact."""


@FUSIONS.register(
    "product_of_experts", title="Product of experts",
    summary="Every input says what it believes and how sure it is, feature by feature; sure ones "
            "count more: made for missing inputs.",
    source="Wu and Goodman 2018 (MVAE), section 2.2; Cao and Fleet 2014",
)
class ProductOfExperts(Fusion):
    """``y = f(W μ + b)`` with ``μ = Σᵢ Tᵢ ∘ μᵢ / (1 + Σᵢ Tᵢ)`` over the present inputs, f = GELU.

    Input i's expert is a Gaussian with mean ``μᵢ`` and precision ``Tᵢ = exp(tᵢ)``, both linear in
    its layer-normed features; the 1 is the precision of the prior expert, whose mean is 0.
    Differs from the paper, which draws from the product to generate its inputs: here its mean is
    the representation that answers are given from, and ``tᵢ`` is held within ±6.
    """

    def __init__(
        self, widths: Sequence[int], *, hidden: Hidden = 128, dropout: Dropout = 0.3
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.experts = nn.ModuleList(nn.Linear(width, 2 * hidden) for width in widths)
        self.linear = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        experts = only_present(side_by_side(self.experts, self.norms(features)), present)
        mean, log_precision = experts.chunk(2, dim=-1)  # (B, M, hidden)
        sure = log_precision.clamp(-LARGEST_LOG_PRECISION, LARGEST_LOG_PRECISION).exp()
        sure = only_present(sure, present)
        product = (sure * mean).sum(dim=1) / (1 + sure.sum(dim=1))
        return Fused.joint(self.dropout(nn.functional.gelu(self.linear(product))))
