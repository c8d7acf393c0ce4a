"""Sounds by statistics of their spectrogram."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS
from mmstudio.encoders.descriptive import Description, DescriptiveEncoder
from mmstudio.encoders.log_mel import LogMel
from mmstudio.registry import Range

BANDS, RANGE_DB = 64, 80.0
HOP_S, WINDOW_S = 0.016, 0.032
CEPSTRA = 20
QUANTILES = (0.1, 0.5, 0.9)
GROUPS, MODULATION_FRAMES = 8, 64
MODULATION_EDGES = (1, 2, 3, 5, 8, 12, 20, 33)
"""Of the modulation spectrum's 33 lines, which lie 1 Hz apart."""
SEGMENTS, SEGMENT_BANDS = 8, 32
HEARD = 0.1
"""Frames whose mean lies above belong to the sound; before and after them is silence."""
_FIXED = 5 * BANDS + 2 * BANDS + 3 * CEPSTRA + GROUPS * (len(MODULATION_EDGES) - 1) + 2


@ENCODERS.register(
    "statistics", modality="audio", title="Spectrum statistics",
    summary="How loud each pitch range is, how that changes, and in which order; needs few sounds.",
    source="Davis and Mermelstein 1980 (cepstra); Hermansky and Morgan 1994 (modulation)",
)
class AudioStatistics(DescriptiveEncoder):
    """Log-mel bands, their changes, cepstra and modulation as statistics over time; their course.

    ``spectrum`` does not know the order of what is heard, ``course`` is the bands' means in eight
    segments of the part that is heard.
    """

    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {"range_db": (35.0, RANGE_DB)}

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        range_db: Annotated[
            float, Range(5.0, 120.0, "what lies further below the sound's peak is silence, dB")
        ] = RANGE_DB,
        width: Annotated[int, Range(8, 1024, "width of its features")] = 128,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.3,
    ) -> None:
        super().__init__(spec, width, dropout)
        self.log_mel = LogMel(spec["sample_rate_hz"], BANDS, range_db, hop_s=HOP_S,
                              window_s=WINDOW_S)
        at = torch.arange(BANDS, device="cpu") + 0.5
        cosines = torch.cos(math.pi * at[:, None] * torch.arange(CEPSTRA, device="cpu") / BANDS)
        self.register_buffer("cosines", cosines * (2 / BANDS) ** 0.5, persistent=False)
        self.register_buffer("window", torch.hann_window(MODULATION_FRAMES, device="cpu"),
                             persistent=False)

        self.range_db = range_db

    def facts(self) -> list[Any]:
        """The range."""
        return [self.range_db]

    cosines: torch.Tensor
    window: torch.Tensor

    @property
    def parts(self) -> tuple[Description, ...]:
        """The spectrum and its course."""
        return (Description("spectrum", _FIXED),
                Description("course", SEGMENTS * SEGMENT_BANDS + 1))

    def describe(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """``(B, L)`` samples to ``(B, D)``."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        frames, real = self.log_mel(values, mask)
        lengths = real.sum(dim=1).tolist()
        level = torch.where(mask, values.float(), 0.0).square().sum(dim=1)
        level = level / mask.sum(dim=1).clamp(min=1)
        level = level.clamp(min=1e-10).log10().unsqueeze(1)
        rows = [torch.cat([self._spectrum(f[:n]), level[i], _course(f[:n])])
                for i, (f, n) in enumerate(zip(frames.float(), lengths, strict=True))]
        return torch.stack(rows)

    def _spectrum(self, frames: torch.Tensor) -> torch.Tensor:
        """``(T, bands)`` of one sound to ``(F,)``, whatever the order of the frames' second."""
        change = frames[2:] - frames[:-2] if len(frames) > 2 else torch.zeros_like(frames[:1])
        cepstra, cepstral_change = frames @ self.cosines, change @ self.cosines
        steps = torch.tensor(QUANTILES, device=frames.device)
        return torch.cat([
            frames.mean(dim=0), frames.std(dim=0, correction=0),
            torch.quantile(frames, steps, dim=0).flatten(),
            change.abs().mean(dim=0), change.std(dim=0, correction=0),
            cepstra.mean(dim=0), cepstra.std(dim=0, correction=0),
            cepstral_change.std(dim=0, correction=0), self._modulation(frames),
            frames.new_tensor([math.log(len(frames))])])

    def _modulation(self, frames: torch.Tensor) -> torch.Tensor:
        """How fast groups of bands grow and fade: log power per range of modulation frequency."""
        groups = frames.reshape(len(frames), GROUPS, -1).mean(dim=2)
        groups = groups - groups.mean(dim=0)
        missing = max(0, MODULATION_FRAMES - len(groups))
        groups = functional.pad(groups, (0, 0, 0, missing)).T
        power = torch.stft(groups, MODULATION_FRAMES, MODULATION_FRAMES // 2, window=self.window,
                           center=False, return_complex=True).abs().mean(dim=2)  # (groups, 33)
        ranges = [power[:, a:b].mean(dim=1) for a, b in pairwise(MODULATION_EDGES)]
        return (torch.stack(ranges, dim=1) + 1e-3).log().flatten()


def _course(frames: torch.Tensor) -> torch.Tensor:
    """``(T, bands)`` of one sound to the means of its segments, and the length of what is heard."""
    heard = (frames.mean(dim=1) > HEARD).nonzero().squeeze(1)
    if len(heard) > 4:
        frames = frames[heard[0] : heard[-1] + 1]
    coarse = frames.reshape(len(frames), SEGMENT_BANDS, -1).mean(dim=2)
    coarse = functional.adaptive_avg_pool1d(coarse.T.unsqueeze(0), SEGMENTS)[0].T
    return torch.cat([coarse.flatten(), frames.new_tensor([math.log(len(frames))])])
