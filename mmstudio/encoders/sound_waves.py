"""Sounds as Wav2Vec2, HuBERT and their relatives take them: the samples themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class Waves(nn.Module):
    """Samples, brought to mean 0 and variance 1 over each sound where its model asks for it.

    What ``Wav2Vec2FeatureExtractor`` computes for each sound alone (Baevski et al. 2020); what
    stands in the padding changes nothing.

    Args:
        settings: The model's ``preprocessor_config.json``.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.sample_rate_hz = int(settings.get("sampling_rate", 16_000))
        self.normalise = bool(settings.get("do_normalize", True))
        self.padding = float(settings.get("padding_value", 0.0))

    def forward(
        self, samples: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, L)`` samples and mask to samples ``(B, L)`` and how many are real ``(B,)``."""
        counts = mask.sum(dim=1)
        samples = samples.float().masked_fill(~mask, 0)
        if self.normalise:
            real = counts.clamp(min=1).unsqueeze(1)
            samples = samples - samples.sum(dim=1, keepdim=True) / real
            square = samples.square().masked_fill(~mask, 0)
            samples = samples / torch.sqrt(square.sum(dim=1, keepdim=True) / real + 1e-7)
        return samples.masked_fill(~mask, self.padding), counts
