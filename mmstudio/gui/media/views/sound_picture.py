"""What a sound looks like: its outline and its log-mel spectrogram, by numpy alone.

Computed in a background job; the widget that shows it only paints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MEL_BANDS = 72
_MAX_FRAMES = 1000
_OUTLINE_COLUMNS = 900
_RANGE_DB = 70.0
# Seventeen steps of the perceptually even map "magma" (van der Walt and Smith 2015).
_MAGMA = (
    "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 "
    "cf4070 e55064 f4695c fb8761 fea571 fec287 fde0a1 fcfdbf"
)


@dataclass(frozen=True)
class SoundPicture:
    """A sound made visible.

    Attributes:
        outline: (columns, 2) float32, lowest and highest sample of each column.
        spectrogram: (bands, frames, 3) uint8 RGB, the highest band first.
        samples: (samples,) float32 mono, as the model hears it.
        sample_rate_hz: rate of `samples`.
    """

    outline: np.ndarray
    spectrogram: np.ndarray
    samples: np.ndarray
    sample_rate_hz: int

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.samples) / max(1, self.sample_rate_hz)


def sound_picture(samples: np.ndarray, sample_rate_hz: int) -> SoundPicture:
    """Compute outline and spectrogram of a mono sound.

    Args:
        samples: (samples,) float, mono.
        sample_rate_hz: its rate.
    """
    samples = np.ascontiguousarray(np.nan_to_num(samples), dtype=np.float32)
    return SoundPicture(
        outline=outline(samples, _OUTLINE_COLUMNS),
        spectrogram=colours(log_mel_db(samples, sample_rate_hz)),
        samples=samples,
        sample_rate_hz=sample_rate_hz,
    )


def outline(samples: np.ndarray, columns: int) -> np.ndarray:
    """Lowest and highest sample in each of at most `columns` equal stretches: (columns, 2)."""
    if len(samples) == 0:
        return np.zeros((1, 2), dtype=np.float32)
    starts = np.linspace(0, len(samples), min(columns, len(samples)), endpoint=False).astype(int)
    lowest = np.minimum.reduceat(samples, starts)
    highest = np.maximum.reduceat(samples, starts)
    return np.stack([lowest, highest], axis=1)


def log_mel_db(samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Log-mel power in decibel below the loudest spot: (frames, MEL_BANDS), from -70 to 0."""
    window_size = 2 ** int(np.clip(np.round(np.log2(0.032 * sample_rate_hz)), 6, 11))
    padded = np.pad(samples, window_size // 2)
    if len(padded) < window_size:
        padded = np.pad(padded, (0, window_size - len(padded)))
    hop = max(int(0.008 * sample_rate_hz), -(-len(padded) // _MAX_FRAMES), 1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_size)[::hop]
    window = np.hanning(window_size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32) ** 2
    mel = power @ mel_filters(sample_rate_hz, window_size).T
    decibel = 10.0 * np.log10(mel + 1e-10)
    clipped: np.ndarray = np.clip(decibel - decibel.max(), -_RANGE_DB, 0.0)
    return clipped


def mel_filters(sample_rate_hz: int, window_size: int) -> np.ndarray:
    """Triangular filters evenly spaced in mel (HTK's formula): (MEL_BANDS, bins)."""
    top_mel = 2595.0 * np.log10(1.0 + sample_rate_hz / 2 / 700.0)
    edges_hz = 700.0 * (10.0 ** (np.linspace(0.0, top_mel, MEL_BANDS + 2) / 2595.0) - 1.0)
    bins_hz = np.fft.rfftfreq(window_size, 1.0 / sample_rate_hz)
    # A triangle narrower than a bin would catch none and leave a black line across the picture.
    bin_hz = sample_rate_hz / window_size
    low = np.minimum(edges_hz[:-2], edges_hz[1:-1] - bin_hz)[:, None]
    high = np.maximum(edges_hz[2:], edges_hz[1:-1] + bin_hz)[:, None]
    middle = edges_hz[1:-1, None]
    rising = (bins_hz - low) / (middle - low)
    falling = (high - bins_hz) / (high - middle)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    shares: np.ndarray = filters / filters.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def colours(decibel: np.ndarray) -> np.ndarray:
    """(frames, bands) decibel -> (bands, frames, 3) uint8 RGB, the highest band first."""
    level = ((decibel / _RANGE_DB + 1.0) * 255.0).astype(np.uint8)
    return np.ascontiguousarray(_magma_table()[level.T[::-1]])


def _magma_table() -> np.ndarray:
    anchors = np.array([list(bytes.fromhex(code)) for code in _MAGMA.split()], dtype=np.float64)
    positions = np.linspace(0, 255, len(anchors))
    return np.stack(
        [np.interp(np.arange(256), positions, anchors[:, channel]) for channel in range(3)], axis=1
    ).astype(np.uint8)
