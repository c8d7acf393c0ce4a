"""Sounds as SoundNet takes them, and the statistics of what it finds in them."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mmstudio.pretrained.soundnet import LEAST_SAMPLES, LOUDEST, SAMPLE_RATE_HZ

LEAST_VARIANCE = 1e-12
"""The root of nothing has no slope."""


class Repeated(nn.Module):
    """Samples on the net's scale, where short sounds are repeated."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def forward(
        self, samples: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, L)`` samples and mask to samples ``(B, L')`` and how many are real ``(B,)``.

        L' is L or more, and at least what the net takes.
        """
        counts = mask.sum(dim=1)
        samples = samples.float().masked_fill(~mask, 0) * LOUDEST
        at = torch.arange(LEAST_SAMPLES, device=samples.device)
        begun = samples.gather(1, at % counts.clamp(min=1).unsqueeze(1))
        return torch.cat([begun, self.rest(samples)], dim=1), counts.clamp(min=LEAST_SAMPLES)

    def rest(self, samples: torch.Tensor) -> torch.Tensor:
        """``(B, L)`` to what lies behind the least that the net takes."""
        return samples[:, LEAST_SAMPLES:]


def statistics(steps: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean, greatest and deviation of features over time, of each step and of all real ones.

    Args:
        steps: ``(B, T, D)``, none below 0.
        real: ``(B, T)`` bool, at least one per row.

    Returns:
        ``(B, T, 3 D)`` of each step alone, whose deviation is 0, and ``(B, 3 D)`` of all.
    """
    there = real.unsqueeze(2)
    counts = real.sum(dim=1, keepdim=True)
    steps = steps.masked_fill(~there, 0)
    mean = steps.sum(dim=1) / counts
    apart = (steps - mean.unsqueeze(1)).masked_fill(~there, 0)
    variance = apart.square().sum(dim=1) / counts
    deviation = variance.clamp(min=LEAST_VARIANCE).sqrt()
    each = functional.pad(torch.cat([steps, steps], dim=2), (0, steps.shape[2]))
    return each, torch.cat([mean, steps.amax(dim=1), deviation], dim=1)
