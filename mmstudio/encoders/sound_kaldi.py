"""Sounds as the Audio Spectrogram Transformer takes them: Kaldi's log-mel bands."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

LENGTH = 400
HOP = 160
BINS = 512
AT_ONCE = 8
"""Sounds whose frames are held at the same time: overlapping, they are large."""


class KaldiMel(nn.Module):
    """Log-mel bands per 10 ms, whole frames of 25 ms only, on AudioSet's scale (Gong et al. 2021).

    What ``ASTFeatureExtractor`` computes: each frame without its mean, with its high frequencies
    lifted, under a Hann window. Behind the sound stand zeros, before the scaling, as far as the
    model's positions go.

    Args:
        settings: The model's ``preprocessor_config.json``.
    """

    bank: torch.Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        self.sample_rate_hz = int(settings.get("sampling_rate", 16_000))
        self.most_frames = int(settings.get("max_length", 1024))
        self.most_samples = (self.most_frames - 1) * HOP + LENGTH
        self.normalise = bool(settings.get("do_normalize", True))
        self.mean = float(settings.get("mean", -4.2677393))
        self.deviation = float(settings.get("std", 4.5689974))
        with warnings.catch_warnings():
            # the lowest of 128 bands lies between two lines of the spectrum; it was so in training
            warnings.filterwarnings("ignore", "At least one mel filter")
            bank = mel_filter_bank(
                num_frequency_bins=BINS // 2 + 1,
                num_mel_filters=int(settings.get("num_mel_bins", 128)),
                min_frequency=20, max_frequency=self.sample_rate_hz // 2,
                sampling_rate=self.sample_rate_hz, norm=None, mel_scale="kaldi",
                triangularize_in_mel_space=True)
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)

    def forward(
        self, samples: torch.Tensor, mask: torch.Tensor, frames: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, L)`` samples and mask to ``(B, T, bands)`` and the real frames ``(B,)``.

        Args:
            samples: What is longer than the model's positions is cut.
            mask: True = real.
            frames: T; as many as the model has positions for where not given.
        """
        frames = self.most_frames if frames is None else min(frames, self.most_frames)
        with torch.autocast(samples.device.type, enabled=False):
            samples = samples.float().masked_fill(~mask, 0)[:, : self.most_samples]
            samples = functional.pad(samples, (0, max(0, LENGTH - samples.shape[1])))
            log_mel = torch.cat([self._log_mel(some) for some in torch.split(samples, AT_ONCE)])
        counts = (mask[:, : self.most_samples].sum(dim=1) - LENGTH).clamp(min=0) // HOP + 1
        missing = frames - log_mel.shape[1]
        log_mel = functional.pad(log_mel, (0, 0, 0, max(0, missing)))[:, :frames]
        real = torch.arange(frames, device=samples.device) < counts.unsqueeze(1)
        log_mel = log_mel.masked_fill(~real.unsqueeze(2), 0)
        if self.normalise:
            log_mel = (log_mel - self.mean) / (2 * self.deviation)
        return log_mel, counts.clamp(max=frames)

    def _log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """``(B, L)`` to ``(B, T, bands)``, not scaled."""
        # in float32 the faint bands would show the rounding of the loud ones
        precise = torch.float32 if samples.device.type == "mps" else torch.float64
        pieces = samples.unfold(1, LENGTH, HOP).to(precise)  # (B, T, 400)
        pieces = pieces - pieces.mean(dim=2, keepdim=True)
        before = functional.pad(pieces[..., :-1], (1, 0))
        before[..., 0] = pieces[..., 0]
        window = torch.hann_window(LENGTH, periodic=False, dtype=precise, device=samples.device)
        spectrum = torch.fft.rfft((pieces - 0.97 * before) * window, n=BINS)
        power = (spectrum.real.square() + spectrum.imag.square()).float()
        return torch.clamp(power @ self.bank, min=1.192092955078125e-07).log()
