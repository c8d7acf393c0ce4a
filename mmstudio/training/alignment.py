"""A shared representation: the inputs of one row lie near each other, those of others apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import Features

WIDTH = 128
"""Of the shared representation."""
TEMPERATURE = 0.07
"""At the start; it is learnt."""
LEAST_TEMPERATURE = 0.01


class Alignment(nn.Module):
    """Contrastive alignment between all pairs of inputs (CLIP, Radford et al. 2021, section 2.3).

    Each input's pooled features are projected to one shared width and brought to length 1. Per
    pair of inputs, a row's cosines to all rows of the batch, over the learnt temperature, are
    taken for a choice of the row that belongs to it: symmetric cross entropy, and the mean over
    the pairs. Rows in which an input is absent are left out of its pairs.

    Differs from the source where rows of a batch hold equal content: a text that stands beside
    several pictures belongs to each of them, and none of these is a wrong choice. All right
    choices share the target alike (UniCL, Yang et al. 2022), and the targets' entropy is
    taken off: 0 is the best loss whatever is equal. Without equal content it is the source's.

    Args:
        widths: Per input the D of its features.
        width: Of the shared representation.
    """

    def __init__(self, widths: Sequence[int], width: int = WIDTH) -> None:
        super().__init__()
        self.width = width
        self.projections = nn.ModuleList(nn.Linear(w, width, bias=False) for w in widths)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    @property
    def temperature(self) -> float:
        """By which cosines are divided."""
        return max(LEAST_TEMPERATURE, math.exp(-self.log_scale.item()))

    def embedded(self, i: int, features: Features) -> torch.Tensor:
        """One input's features in the shared representation: ``(B, width)`` of length 1."""
        # in float32, also where the layers before were not: cosines over 0.01 need its digits
        with torch.autocast(features.tokens.device.type, enabled=False):
            projected: torch.Tensor = self.projections[i](features.pooled().float())
            return functional.normalize(projected, dim=-1)

    def forward(
        self, features: Sequence[Features], present: torch.Tensor, contents: torch.Tensor
    ) -> torch.Tensor:
        """The loss of a batch.

        Args:
            features: Per input.
            present: ``(B, M)`` bool, False = the input is absent in this row.
            contents: ``(B, M)`` numbers; equal ones stand for equal content of an input.
        """
        return self.loss([self.embedded(i, f) for i, f in enumerate(features)], present, contents)

    def loss(
        self, embedded: Sequence[torch.Tensor], present: torch.Tensor, contents: torch.Tensor
    ) -> torch.Tensor:
        """The same from what ``embedded`` gave; 0 where no pair has two rows to choose from."""
        with torch.no_grad():
            self.log_scale.clamp_(max=-math.log(LEAST_TEMPERATURE))
        scale = self.log_scale.exp()
        losses = []
        for i, j in combinations(range(len(embedded)), 2):
            both = present[:, i] & present[:, j]
            if int(both.sum()) < 2:
                continue
            right = same(contents[both, i]) | same(contents[both, j])
            # autocast would round the cosines to the two or three digits of its format
            with torch.autocast(scale.device.type, enabled=False):
                logits = scale * embedded[i][both] @ embedded[j][both].T
                losses.append((choice_loss(logits, right) + choice_loss(logits.T, right)) / 2)
        return torch.stack(losses).mean() if losses else 0 * self.log_scale


def same(contents: torch.Tensor) -> torch.Tensor:
    """``(B, B)`` bool: which rows hold equal content."""
    return contents.unsqueeze(0) == contents.unsqueeze(1)


def choice_loss(logits: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Mean over the rows of the cross entropy to their right choices, less its least value.

    Args:
        logits: ``(B, B)``, each row's for all choices.
        right: ``(B, B)`` bool, at least one per row.
    """
    count = right.sum(dim=1)
    log_shares = functional.log_softmax(logits, dim=1).masked_fill(~right, 0)
    return -(log_shares.sum(dim=1) / count + count.log()).mean()
