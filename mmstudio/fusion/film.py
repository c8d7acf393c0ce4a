"""Feature-wise linear modulation."""

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
    "film", title="FiLM",
    summary="Lets each input turn the features of the others up or down: good when one input "
            "says what to look for in another.",
    source="Perez et al. 2018 (FiLM), eq. 1 and 2",
)
class Film(Fusion):
    """``y = 1/n Σᵢ f((1 + γᵢ) ∘ (Wᵢ xᵢ + bᵢ) + βᵢ)`` with ``[γᵢ; βᵢ] = Aᵢ [xⱼ, j ≠ i] + aᵢ``.

    f = GELU; the mean is over the n present inputs. Differs from the paper, where a question
    modulates the feature maps of a picture: here every input is modulated by all others, pooled
    and layer-normed; one layer ``Aᵢ`` makes scale and shift, and the scale is counted from 1, as
    in the authors' code. An absent input counts as zeros where it would modulate. A single input
    is not modulated.
    """

    def __init__(
        self, widths: Sequence[int], *, hidden: Hidden = 128, dropout: Dropout = 0.3
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        others = [sum(widths) - width for width in widths] if len(widths) > 1 else []
        self.modulations = nn.ModuleList(nn.Linear(width, 2 * hidden) for width in others)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        inputs = self.norms.of_present(features, present)
        parts = side_by_side(self.linears, inputs)  # (B, M, hidden)
        if self.modulations:
            others = [torch.cat(inputs[:i] + inputs[i + 1 :], dim=-1) for i in range(len(inputs))]
            scale, shift = side_by_side(self.modulations, others).chunk(2, dim=-1)
            parts = (1 + scale) * parts + shift
        shared = mean_of_present(nn.functional.gelu(parts), present)
        return Fused.joint(self.dropout(shared))
