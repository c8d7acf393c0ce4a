"""Log-mel spectrogram of a batch of sounds, computed on their device."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WINDOW_S = 0.025
HOP_S = 0.010


def triangles(lines_hz: np.ndarray, edges_hz: np.ndarray) -> np.ndarray:
    """How much each line of a spectrum counts in each band: ``(lines, bands)``.

    A band rises in a line from its lower edge to 1 at the next one and falls to 0 at the one after.
    It is what ``mel_filter_bank`` of transformers gives, whose import takes a second.

    Args:
        lines_hz: Where the lines lie, ``(lines,)``.
        edges_hz: Where the bands lie, ``(bands + 2,)``, ascending.
    """
    rise = (lines_hz[:, None] - edges_hz[:-2]) / np.diff(edges_hz)[:-1]
    fall = (edges_hz[2:] - lines_hz[:, None]) / np.diff(edges_hz)[1:]
    found: np.ndarray = np.maximum(0.0, np.minimum(rise, fall))
    return found


class LogMel(nn.Module):
    """Waveforms to log-mel frames, counted from each sound's own silence.

    ``log(1 + power / (peak · 10^(-range/10))) / 3``: 0 is silence, or what lies more than
    ``range_db`` below the sound's peak, and about 3 is the peak. So padding is silence, a quiet
    recording looks like a loud one, and how long or how deep the silence around a sound is
    changes nothing in its frames.

    Args:
        sample_rate_hz: Rate of the sounds.
        bands: Mel bands, up to half the rate.
        range_db: What lies further below the peak is silence.
        hop_s: From one frame to the next.
        window_s: Length of a frame.
    """

    window: torch.Tensor
    bank: torch.Tensor

    def __init__(
        self, sample_rate_hz: int, bands: int, range_db: float, *, hop_s: float = HOP_S,
        window_s: float = WINDOW_S,
    ) -> None:
        super().__init__()
        self.rate_hz, self.range_db = sample_rate_hz, range_db
        self.hop = max(1, round(hop_s * sample_rate_hz))
        self.length = max(16, round(window_s * sample_rate_hz))
        lowest_hz = min(20.0, sample_rate_hz / 40)
        ends = 2595 * np.log10(1 + np.array([lowest_hz, sample_rate_hz / 2]) / 700)
        mels = np.linspace(ends[0], ends[1], bands + 2)
        edges_hz = 700 * (10 ** (mels / 2595) - 1)
        narrowest_hz = (edges_hz[2:] - edges_hz[:-2]).min()
        self.bins = 2 ** int(np.ceil(np.log2(self.length)))
        # a band that lies between two lines of the spectrum would stay empty
        while sample_rate_hz / self.bins >= narrowest_hz:
            self.bins *= 2
        bank = triangles(np.linspace(0, sample_rate_hz // 2, self.bins // 2 + 1), edges_hz)
        window = torch.hann_window(self.length, device="cpu")
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("bank", torch.from_numpy(bank).float(), persistent=False)

    @property
    def facts(self) -> list[float]:
        """All that the frames depend on, besides the sounds."""
        return [self.rate_hz, self.bank.shape[1], self.range_db, self.hop, self.length, self.bins]

    def coloured(self, frames: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        """What ``forward`` gives with a gain ``(B, bands)``, from its frames without one."""
        reach = 10 ** (-self.range_db / 10)
        power = torch.expm1(frames * 3)  # as a multiple of what was silence
        # of a sound that is next to nothing, silence is not counted from its peak
        least = (power.amax(dim=(1, 2), keepdim=True) * reach < 0.999).to(power.dtype)
        power = power * gain.unsqueeze(1)
        silence = torch.maximum(power.amax(dim=(1, 2), keepdim=True) * reach, least)
        return torch.log1p(power / silence.clamp(min=1e-10)) / 3

    def forward(
        self, samples: torch.Tensor, mask: torch.Tensor, gain: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, L)`` samples and mask to ``(B, T, bands)`` frames and ``(B, T)`` mask.

        Frames of padding are zero, whatever stands there. ``gain`` ``(B, bands)`` multiplies the
        power of each band.
        """
        with torch.autocast(samples.device.type, enabled=False):
            # zeros before and behind, and not stft's own mirroring: a sound's frames are then
            # the same however long the batch is
            padded = functional.pad(
                torch.where(mask, samples.float(), 0.0), (self.bins // 2, self.bins // 2))
            spectrum = torch.stft(
                padded, self.bins, self.hop, self.length, self.window,
                center=False, return_complex=True)
            power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)  # (B, F, T)
            mel = power.transpose(1, 2) @ self.bank  # (B, T, bands)
            if gain is not None:
                mel = mel * gain.unsqueeze(1)
        lengths = mask.sum(dim=1, keepdim=True)
        starts = torch.arange(mel.shape[1], device=mel.device) * self.hop
        real = starts < lengths.clamp(min=1)  # (B, T), at least one frame
        mel = mel * real.unsqueeze(-1)
        silence = mel.amax(dim=(1, 2), keepdim=True) * 10 ** (-self.range_db / 10)
        return torch.log1p(mel / silence.clamp(min=1e-10)) / 3, real
