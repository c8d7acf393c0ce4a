"""Gated fusion."""

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
    "gated", title="Gated",
    summary="Learns per sample how much each input counts: good when an input is noisy or "
            "often missing.",
    source="Arevalo et al. 2017 (GMU), section 3.1",
)
class Gated(Fusion):
    """Gated multimodal unit: ``hᵢ = tanh(Wᵢ xᵢ)``, ``zᵢ = σ(Vᵢ [x₁; …; x_M])``, ``y = Σ zᵢ ∘ hᵢ``.

    With two inputs the second gate is ``1 − z₁``, as in the paper. Differs from the paper by a
    layer norm of each input, by biases, and by the gate of an absent input, which is 0; the gates
    of the others read its learned absent token.
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
        self.inputs = len(widths)
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        gates = 1 if self.inputs == 2 else self.inputs
        self.gate = nn.Linear(sum(widths), gates * hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        inputs = self.norms(features)
        states = side_by_side(self.linears, inputs).tanh()  # (B, M, hidden)
        gates = self.gate(torch.cat(inputs, dim=-1)).sigmoid().unflatten(-1, (-1, self.width))
        if self.inputs == 2:
            gates = torch.cat([gates, 1 - gates], dim=1)  # (B, M, hidden)
        return Fused.joint(self.dropout(only_present(gates * states, present).sum(dim=1)))
