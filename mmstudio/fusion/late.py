"""Fusion at the decision level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

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
from mmstudio.registry import Help


@FUSIONS.register(
    "late", title="Late (votes)",
    summary="Every input answers on its own and the answers are averaged: sturdy when inputs are "
            "missing, blind to what they only say together.",
    source="Kittler et al. 1998: product rule (geometric), sum rule (arithmetic)",
)
class Late(Fusion):
    """One view per input, ``vᵢ = f(Wᵢ norm(xᵢ) + bᵢ)`` with f = GELU; a task answers from each.

    With the answer's probabilities ``pᵢ`` from ``vᵢ`` alone, the answer is ``p ∝ Πᵢ pᵢ^aᵢ``
    (geometric) or ``p = Σᵢ aᵢ pᵢ`` (arithmetic); numbers are averaged plainly. Differs from the
    paper's equal votes: ``a = softmax(s)`` over the present inputs, with one learned score per
    input, the same for every sample. With nothing at all, every input votes from a view of zeros.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: Hidden = 128,
        dropout: Dropout = 0.3,
        mean: Annotated[
            Literal["geometric", "arithmetic"],
            Help("how votes are averaged; in a geometric mean one input can veto an answer"),
        ] = "geometric",
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.mean: Literal["geometric", "arithmetic"] = mean
        self.norms = Normed(widths)
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)
        # a single input has nothing to be weighed against
        self.scores = nn.Parameter(torch.zeros(len(widths))) if len(widths) > 1 else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to a view each ``(B, M, hidden)``."""
        views = nn.functional.gelu(side_by_side(self.linears, self.norms(features)))
        views = self.dropout(only_present(views, present))
        scores = views.new_zeros(1) if self.scores is None else self.scores
        return Fused(views, shares_of_present(scores, present), self.mean)
