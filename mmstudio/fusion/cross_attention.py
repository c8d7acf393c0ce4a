"""Crossmodal attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.attending import RATE, Block, Heads, TokenCount, Tokens, TokenWidth
from mmstudio.fusion.base import FUSIONS, Dropout, Fusion, mean_of_present


@FUSIONS.register(
    "cross_attention", title="Cross attention",
    summary="Every input reads every other one, part by part: good when parts of one input "
            "belong to parts of another. Slower than most.",
    source="Tsai et al. 2019 (MulT), section 3",
    rate=RATE,
)
class CrossAttention(Fusion):
    """``y = f(W [p₁; …; p_M] + b)``, ``pᵢ = pooled(Sᵢ(1/n Σ_{j≠i} C_{j→i}(tᵢ, tⱼ)))``, f = GELU.

    ``C_{j→i}`` is a transformer layer whose queries are the tokens of input i and whose keys and
    values are those of j, one for each ordered pair; ``Sᵢ`` one in which they read each other.
    Differs from the paper: one layer of each; what i reads from the n present others is averaged
    rather than put side by side, so that the cost of ``Sᵢ`` does not grow with them; the mean in
    place of the last token; no positions but those that encoders put in their tokens; long inputs
    are averaged in groups. An absent input is read by none, and its ``pᵢ`` is 0.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: TokenWidth = 64,
        dropout: Dropout = 0.2,
        heads: Heads = 4,
        tokens: TokenCount = 16,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        many = range(len(widths))
        self.tokens = Tokens(widths, hidden, tokens)
        self.pairs = [(i, j) for i in many for j in many if i != j]
        self.crossings = nn.ModuleList(Block(hidden, heads, dropout) for _ in self.pairs)
        self.selves = nn.ModuleList(Block(hidden, heads, dropout) for _ in many)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in many)
        self.linear = nn.Linear(len(widths) * hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        tokens = self.tokens(features)
        pooled = []
        for i, own in enumerate(tokens):
            states = self._read(i, tokens, present)
            states = self.selves[i](states, states, own.mask)
            mean = self.norms[i](Features(states, own.mask).pooled())
            pooled.append(mean.masked_fill(~present[:, i : i + 1], 0))
        shared = nn.functional.gelu(self.linear(torch.cat(pooled, dim=-1)))
        return Fused.joint(self.dropout(shared))

    def _read(
        self, i: int, tokens: Sequence[Features], present: torch.Tensor
    ) -> torch.Tensor:
        """What input i has read from the present others; its own tokens where there is none."""
        own = tokens[i].tokens
        read = [crossing(own, tokens[j].tokens, tokens[j].mask)
                for crossing, (to, j) in zip(self.crossings, self.pairs, strict=True) if to == i]
        if not read:
            return own
        there = present[:, [j for to, j in self.pairs if to == i]]
        mean = mean_of_present(torch.stack(read, dim=1).flatten(2), there).view_as(own)
        return torch.where(there.any(dim=1)[:, None, None], mean, own)
