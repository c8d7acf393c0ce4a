"""Sounds as Whisper takes them: log-mel bands on a scale from the sound's own peak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

AT_ONCE = 8
"""Sounds whose spectra are held at the same time."""


class WhisperMel(nn.Module):
    """``(log10 mel, at most 8 below its peak, + 4) / 4`` per 10 ms (Radford et al. 2023, 2.2).

    What ``WhisperFeatureExtractor`` computes. It pads each sound with silence to 30 s and looks
    at all of it; here the spectrum is computed as far as the batch's longest sound goes, and the
    rest is filled with the value that silence has, which is the same.

    Args:
        settings: The model's ``preprocessor_config.json``.
    """

    window: torch.Tensor
    bank: torch.Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        self.sample_rate_hz = int(settings.get("sampling_rate", 16_000))
        self.bins = int(settings.get("n_fft", 400))
        self.hop = int(settings.get("hop_length", 160))
        bands = int(settings.get("feature_size", 80))
        self.most_samples = int(settings.get("chunk_length", 30)) * self.sample_rate_hz
        self.most_frames = self.most_samples // self.hop
        bank = mel_filter_bank(
            num_frequency_bins=1 + self.bins // 2, num_mel_filters=bands,
            min_frequency=0.0, max_frequency=8000.0, sampling_rate=self.sample_rate_hz,
            norm="slaney", mel_scale="slaney")
        window = torch.hann_window(self.bins, device="cpu")
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)

    def forward(
        self, samples: torch.Tensor, mask: torch.Tensor, frames: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, L)`` samples and mask to ``(B, bands, T)`` and the real frames ``(B,)``.

        Args:
            samples: What is longer than the window of 30 s is cut.
            mask: True = real.
            frames: T; the whole window where not given.
        """
        frames = self.most_frames if frames is None else min(frames, self.most_frames)
        with torch.autocast(samples.device.type, enabled=False):
            samples = samples.float().masked_fill(~mask, 0)[:, : self.most_samples]
            # one window of silence behind the sound is as far as it can be heard in the spectrum
            heard = min(self.most_samples, samples.shape[1] + 2 * self.bins)
            heard = min(self.most_samples, -(-heard // self.hop) * self.hop)
            samples = functional.pad(samples, (0, heard - samples.shape[1]))
            log_mel = torch.cat([self._log_mel(some) for some in torch.split(samples, AT_ONCE)])
            least = log_mel.amax(dim=(1, 2), keepdim=True) - 8
            missing = frames - log_mel.shape[2]
            # of a whole window of silence the log is -10
            log_mel = functional.pad(log_mel, (0, max(0, missing)), value=-10.0)[..., :frames]
            counts = -(-mask[:, : self.most_samples].sum(dim=1) // self.hop)
            return (torch.maximum(log_mel, least) + 4) / 4, counts.clamp(1, frames)

    def _log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        """``(B, L)`` to the logarithm of the power per band ``(B, bands, T)``."""
        spectrum = torch.stft(samples, self.bins, self.hop, window=self.window,
                              return_complex=True)[..., :-1]
        power = spectrum.real.square() + spectrum.imag.square()  # (B, F, T)
        return torch.clamp(self.bank.t() @ power, min=1e-10).log10()
