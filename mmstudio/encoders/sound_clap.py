"""Sounds as CLAP's audio tower takes them: log-mel bands of ten seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

AT_ONCE = 4
"""Sounds whose spectra are held at the same time."""


class ClapMel(nn.Module):
    """Log-mel bands in decibel of a window that a short sound fills by being repeated.

    What ``ClapFeatureExtractor`` computes (Wu et al. 2023, 3.3) for sounds that fit the window.
    Where it would draw a part of a longer sound at random, the first ten seconds are taken.

    Args:
        settings: The model's ``preprocessor_config.json``.
    """

    bank: torch.Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        self.sample_rate_hz = int(settings.get("sampling_rate", 48_000))
        self.bins = int(settings.get("fft_window_size", 1024))
        self.hop = int(settings.get("hop_length", 480))
        self.most_samples = int(settings.get("max_length_s", 10) * self.sample_rate_hz)
        self.padding = str(settings.get("padding", "repeatpad"))
        # the fused models take four views of the sound; of a short one all are the same
        fused = settings.get("truncation", "fusion") == "fusion"
        self.views = 4 if fused else 1
        self.range_db = settings.get("top_db")
        bank = mel_filter_bank(
            num_frequency_bins=self.bins // 2 + 1,
            num_mel_filters=int(settings.get("feature_size", 64)),
            min_frequency=settings.get("frequency_min", 0),
            max_frequency=settings.get("frequency_max", 14_000),
            sampling_rate=self.sample_rate_hz,
            norm=None if fused else "slaney", mel_scale="htk" if fused else "slaney")
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)

    def filled(self, samples: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(B, L)`` samples and mask to windows ``(B, N)``, filled as the model was trained."""
        counts = mask[:, : self.most_samples].sum(dim=1).clamp(min=1)
        windows = samples.new_zeros(len(samples), self.most_samples, dtype=torch.float32)
        # row by row: an index for each sample of each window would be twice the windows' memory
        for window, sound, count in zip(windows, samples.float(), counts.tolist(), strict=True):
            times = self.most_samples // count if self.padding == "repeatpad" else 1
            times = -(-self.most_samples // count) if self.padding == "repeat" else times
            repeated = sound[:count].repeat(times)[: self.most_samples]
            window[: len(repeated)] = repeated
        return windows

    def forward(self, samples: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(B, L)`` samples and mask to ``(B, views, T, bands)``."""
        with torch.autocast(samples.device.type, enabled=False):
            windows = self.filled(samples.masked_fill(~mask, 0), mask)
            # a few at a time: the spectra of ten seconds are large, and quicker in the cache
            decibel = torch.cat([self._decibel(some) for some in torch.split(windows, AT_ONCE)])
            if self.range_db is not None:
                peak = decibel.amax(dim=(1, 2), keepdim=True)
                decibel = torch.maximum(decibel, peak - self.range_db)
        return decibel.unsqueeze(1).expand(-1, self.views, -1, -1)

    def _decibel(self, windows: torch.Tensor) -> torch.Tensor:
        """``(B, N)`` to the power per band ``(B, T, bands)``, in decibel."""
        # in float32 the silence between sounds would show the rounding of the loud bands
        precise = torch.float32 if windows.device.type == "mps" else torch.float64
        window = torch.hann_window(self.bins, dtype=precise, device=windows.device)
        spectrum = torch.stft(windows.to(precise), self.bins, self.hop, window=window,
                              return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()  # (B, F, T)
        mel = power.transpose(1, 2) @ self.bank.to(precise)
        return 10 * torch.clamp(mel, min=1e-10).log10().float()
