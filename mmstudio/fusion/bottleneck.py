"""Attention bottlenecks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.attending import RATE, Block, Heads, TokenCount, Tokens, TokenWidth
from mmstudio.fusion.base import FUSIONS, Dropout, Fusion, mean_of_present
from mmstudio.registry import Range


@FUSIONS.register(
    "bottleneck", title="Attention bottleneck",
    summary="Inputs tell each other only what fits into a few shared tokens: attention that "
            "stays cheap, and keeps to what matters.",
    source="Nagrani et al. 2021 (MBT), eq. 8 and 9",
    rate=RATE,
)
class Bottleneck(Fusion):
    """``[tᵢ; zᵢ] ← Bᵢ([tᵢ; z])``, ``z ← 1/n Σᵢ zᵢ``, layer by layer; ``y = f(W norm(z) + b)``.

    z are learned tokens, the only way from one input to another; ``Bᵢ`` is a transformer layer of
    input i; the mean is over the n present inputs; f = GELU. Differs from the paper: the answer
    is read from z at the end rather than from a class token per input, so the last layer updates
    z alone; every layer exchanges; long inputs are averaged in groups.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: TokenWidth = 64,
        dropout: Dropout = 0.1,
        heads: Heads = 4,
        tokens: TokenCount = 16,
        bottlenecks: Annotated[int, Range(1, 16, "tokens that all inputs share")] = 4,
        layers: Annotated[int, Range(1, 4, "how often they are exchanged")] = 2,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.tokens = Tokens(widths, hidden, tokens)
        self.shared = nn.Parameter(torch.randn(bottlenecks, hidden) * 0.02)
        self.layers = nn.ModuleList(
            nn.ModuleList(Block(hidden, heads, dropout) for _ in widths) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.linear = nn.Linear(bottlenecks * hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        parts = self.tokens(features)
        states = [part.tokens for part in parts]
        shared = self.shared.expand(len(present), -1, -1)  # (B, N, hidden)
        real = torch.ones(shared.shape[:2], dtype=torch.bool, device=shared.device)
        count = shared.shape[1]
        for number, layer in enumerate(self.layers, start=1):
            told = []
            for i, block in enumerate(layer):  # type: ignore[arg-type, var-annotated]
                both = torch.cat([states[i], shared], dim=1)
                mask = torch.cat([parts[i].mask, real], dim=1)
                read = block(shared if number == len(self.layers) else both, both, mask)
                states[i] = read[:, :-count]
                told.append(read[:, -count:].flatten(1))
            mean = mean_of_present(torch.stack(told, dim=1), present).view_as(shared)
            shared = torch.where(present.any(dim=1)[:, None, None], mean, shared)
        answer = nn.functional.gelu(self.linear(self.norm(shared).flatten(1)))
        return Fused.joint(self.dropout(answer))
