"""What every fusion gives, and the registry of fusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.registry import Range, Registry

Hidden = Annotated[int, Range(8, 2048, "width of the shared representation")]
Dropout = Annotated[float, Range(0.0, 0.9, "share of it hidden in training")]


class Fusion(nn.Module):
    """From the features of all inputs to the shared representation.

    ``__init__`` takes the ``widths`` of the inputs' tokens, in order, and the options as
    keyword-only arguments. ``width`` is the D of its views.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    rate: ClassVar[float] = 1.0
    """Learning rate of its parameters as a share of the others'."""
    width: int

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Fuse a batch.

        Args:
            features: Per input its features; where an input is absent, its learned absent token.
            present: ``(B, M)`` bool, False = absent.
        """
        raise NotImplementedError

    @classmethod
    def caution(cls, inputs: int, options: dict[str, Any]) -> str | None:
        """What to know before training with so many inputs, and what to take instead."""
        return None


FUSIONS: Registry[Fusion] = Registry("fusion", "mmstudio.fusion")


class Normed(nn.ModuleList):
    """Per input the mean of its real tokens, layer-normed: unequal scales count alike."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(nn.LayerNorm(width) for width in widths)

    def forward(self, features: Sequence[Features]) -> list[torch.Tensor]:
        """Per input ``(B, T, D_i)`` to ``(B, D_i)``."""
        return [norm(f.pooled()) for norm, f in zip(self, features, strict=True)]

    def of_present(
        self, features: Sequence[Features], present: torch.Tensor
    ) -> list[torch.Tensor]:
        """The same, with zeros where ``present (B, M)`` is False."""
        return [x.masked_fill(~there.unsqueeze(-1), 0)
                for x, there in zip(self(features), present.unbind(dim=1), strict=True)]


def side_by_side(linears: nn.ModuleList, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Each input ``(B, D_i)`` through its own layer: ``(B, M, D)``."""
    return torch.stack([f(x) for f, x in zip(linears, inputs, strict=True)], dim=1)


def only_present(parts: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """``(B, M, D)`` with zeros where ``present (B, M)`` is False, whatever stood there."""
    return parts.masked_fill(~present.unsqueeze(-1), 0)


def mean_of_present(parts: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """``(B, M, D)`` to ``(B, D)``: the mean over the present inputs; 0 where there is none."""
    count = present.sum(dim=1, keepdim=True).clamp(min=1)
    return only_present(parts, present).sum(dim=1) / count


def shares_of_present(scores: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Softmax of the scores ``(M,)`` over the present inputs of each row: ``(B, M)``.

    They add up to 1; an absent input has 0. Where none is present all have a share.
    """
    counted = present | ~present.any(dim=1, keepdim=True)
    return scores.expand(present.shape).masked_fill(~counted, -torch.inf).softmax(dim=1)
