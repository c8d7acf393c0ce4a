"""Fusion by one query over the tokens of all inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.fusion.attending import RATE, Block, Heads, TokenCount, Tokens, TokenWidth
from mmstudio.fusion.base import FUSIONS, Dropout, Fusion


@FUSIONS.register(
    "attention", title="Attention",
    summary="Looks over all parts of all inputs at once and picks out what matters most: good "
            "when little of an input matters.",
    source="Vaswani et al. 2017, section 3.2; one learned query as in Lee et al. 2019 (PMA)",
    rate=RATE,
)
class Attention(Fusion):
    """``y = f(W norm(Block(q, [q; t₁; …; t_M])) + b)``: a learned query q over all inputs' tokens.

    f = GELU; ``tᵢ = Wᵢ norm(xᵢ) + bᵢ`` are the tokens of the present inputs; the query reads itself
    too, so that there is something to read when no input is there. Differs from Lee et al. 2019 by
    the norms before rather than after, and by long inputs, whose tokens are averaged in groups.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: TokenWidth = 128,
        dropout: Dropout = 0.2,
        heads: Heads = 4,
        tokens: TokenCount = 16,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.tokens = Tokens(widths, hidden, tokens)
        # it asks for nothing at first: all tokens count alike
        self.query = nn.Parameter(torch.zeros(1, hidden))
        self.block = Block(hidden, heads, dropout)
        self.norm = nn.LayerNorm(hidden)
        self.linear = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        query = self.query.expand(len(present), 1, -1)
        tokens, masks = [query], [torch.ones_like(present[:, :1])]
        for part, there in zip(self.tokens(features), present.unbind(dim=1), strict=True):
            there = there.unsqueeze(1)
            tokens.append(part.tokens.masked_fill(~there.unsqueeze(-1), 0))
            masks.append(part.mask & there)
        read = self.block(query, torch.cat(tokens, dim=1), torch.cat(masks, dim=1))
        answer = nn.functional.gelu(self.linear(self.norm(read.squeeze(1))))
        return Fused.joint(self.dropout(answer))
