"""Sounds in moments and ranges of pitch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmstudio.modalities.pieces import Pieces, Shown, Spot
from mmstudio.modalities.pointing.grids import laid_over, smooth, summed

MOMENTS, RANGES = 12, 6
LEAST_MOMENT_S = 0.05
LOWEST_HZ = 20.0
WINDOW_S = 0.032
DRAWN = (600, 200)
"""Width and height of the picture."""
DRAWN_BANDS = 64
RANGE_DB = 70.0
MOST_TOLD = (40, 16)
"""Moments and ranges of the map that is told."""


def mel_edges_hz(sample_rate_hz: int, count: int) -> np.ndarray:
    """``(count + 1,)`` the edges of even ranges on the mel scale (O'Shaughnessy 1987)."""
    lowest = min(LOWEST_HZ, sample_rate_hz / 40)
    ends = 2595 * np.log10(1 + np.array([lowest, sample_rate_hz / 2]) / 700)
    edges: np.ndarray = 700 * (10 ** (np.linspace(ends[0], ends[1], count + 1) / 2595) - 1)
    edges[0] = 0.0
    return edges


@dataclass(frozen=True)
class SoundMap(Shown):
    """Which moments and pitches.

    Attributes:
        weights: ``(T, F)``, time from the beginning to the end of the sound, pitch upward in even
            steps on the mel scale.
        spots: The moments with their ranges, each with ``begin_s``, ``end_s``, ``low_hz`` and
            ``high_hz``.
        samples: ``(L,)`` from -1 to 1.
        sample_rate_hz: Theirs.
    """

    weights: np.ndarray
    spots: tuple[Spot, ...]
    samples: np.ndarray
    sample_rate_hz: int

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return len(self.samples) / self.sample_rate_hz

    def to_json(self) -> dict[str, Any]:
        """Time × frequency, and where its steps lie."""
        steps, ranges = (min(most, side) for most, side in
                         zip(MOST_TOLD, self.weights.shape, strict=True))
        return {"seconds": self.seconds,
                "edges_hz": mel_edges_hz(self.sample_rate_hz, ranges).round(1).tolist(),
                "time_frequency": summed(self.weights, (steps, ranges)).tolist()}

    def upright(self) -> np.ndarray:
        """``(F, T)`` as pictures have it: the highest pitch first."""
        return self.weights.T[::-1]

    def picture(self) -> Image.Image:
        """The sound's spectrogram in grey, the map in colours."""
        levels = _spectrogram(self.samples, self.sample_rate_hz)
        under = Image.fromarray(smooth(levels, DRAWN[::-1]).clip(0, 255).astype(np.uint8))
        return laid_over(under, self.upright())


class SoundPieces(Pieces):
    """Up to twelve moments by six ranges of pitch; what is hidden is filtered out.

    Args:
        array: ``(L,)`` 16-bit samples, as decoded.
        sample_rate_hz: Theirs.
    """

    def __init__(self, array: np.ndarray, sample_rate_hz: int) -> None:
        self.array, self.rate_hz = array, sample_rate_hz
        moments = int(len(array) / sample_rate_hz / LEAST_MOMENT_S + 1e-6)
        self.shape = (max(1, min(MOMENTS, moments)), RANGES)
        self.edges_hz = mel_edges_hz(sample_rate_hz, RANGES)

    def hidden(
        self, values: torch.Tensor, mask: torch.Tensor | None, gone: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Samples without the hidden moments' ranges."""
        count = len(self.array)
        bins = 2 ** max(4, round(np.log2(WINDOW_S * self.rate_hz)))
        window = torch.hann_window(bins, device=values.device)
        spectrum = torch.stft(values[:, :count], bins, bins // 4, window=window,
                              pad_mode="constant", return_complex=True)  # (1, F, T)
        times = np.arange(spectrum.shape[2]) * (bins // 4) / max(1, count)
        moment = np.clip((times * self.shape[0]).astype(int), 0, self.shape[0] - 1)
        hertz = np.arange(spectrum.shape[1]) * self.rate_hz / bins
        pitch = np.clip(np.searchsorted(self.edges_hz, hertz, side="right") - 1, 0, RANGES - 1)
        kept = torch.from_numpy(~gone[:, moment[None], pitch[:, None]]).to(values.device)
        left = torch.istft(spectrum * kept, bins, bins // 4, window=window, length=count)
        found = values.new_zeros(len(gone), values.shape[1])
        found[:, :count] = left
        # to the sample where nothing is hidden: the way there and back rounds
        found[torch.from_numpy(~gone.any(axis=(1, 2))).to(values.device)] = values
        return found, None if mask is None else mask.expand(len(gone), -1)

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """``(T', F')`` over the sound, pitch in even steps on the mel scale."""
        return summed(weights, (self.shape[0], self.shape[1]))

    def names(self) -> list[str]:
        """From when to when, and from which to which pitch."""
        return [f"{b:.2f} to {e:.2f} s, {low:.0f} to {high:.0f} Hz"
                for b, e, low, high in self._places()]

    def _places(self) -> list[tuple[float, float, float, float]]:
        step = len(self.array) / self.rate_hz / self.shape[0]
        return [(at * step, (at + 1) * step, float(low), float(high))
                for at in range(self.shape[0])
                for low, high in pairwise(self.edges_hz)]

    def shown(self, weights: np.ndarray, *, whole: bool) -> SoundMap:
        """The map over the sound, without padding."""
        pieces = (weights if whole else self.gathered(weights)).ravel()
        spots = tuple(
            Spot(name, float(weight), {"begin_s": b, "end_s": e, "low_hz": low, "high_hz": high})
            for name, weight, (b, e, low, high) in
            zip(self.names(), pieces, self._places(), strict=True))
        return SoundMap(weights, spots, self.array.astype(np.float32) / 32768, self.rate_hz)


def _spectrogram(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """``(bands, T)`` levels from 0 to 255, the highest band first."""
    bins = 2 ** max(5, round(np.log2(2 * WINDOW_S * rate_hz)))
    padded = np.pad(samples, (bins // 2, bins // 2 + bins))
    count = max(2, min(DRAWN[0], len(samples) // (bins // 8)))
    starts = np.linspace(0, max(0, len(samples) - 1), count).astype(int)
    pieces = padded[starts[:, None] + np.arange(bins)] * np.hanning(bins)
    power = np.abs(np.fft.rfft(pieces)) ** 2  # (T, F)
    edges = mel_edges_hz(rate_hz, DRAWN_BANDS) * bins / rate_hz
    bands = np.stack([power[:, int(low) : max(int(low) + 1, int(high) + 1)].mean(axis=1)
                      for low, high in pairwise(edges)])
    level = 10 * np.log10(bands + 1e-10)
    share: np.ndarray = (level - level.max() + RANGE_DB) / RANGE_DB
    return 255 * share.clip(0, 1)[::-1]
