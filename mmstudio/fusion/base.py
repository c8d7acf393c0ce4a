"""What every fusion gives, and the registry of fusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.registry import Registry


class Fusion(nn.Module):
    """From the features of all inputs to the shared representation.

    ``__init__`` takes the ``widths`` of the inputs' tokens, in order, and the options as
    keyword-only arguments. ``width`` is the D of its views.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
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


FUSIONS: Registry[Fusion] = Registry("fusion", "mmstudio.fusion")
