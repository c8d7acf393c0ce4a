"""Sounds at a glance: the level of 16 bands in 16 parts of their time, against the loudest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities.audio import LARGEST_AUTO_SECONDS
from mmstudio.modalities.base import Value
from mmstudio.modalities.content_limit import ContentLimit
from mmstudio.modalities.glance.fingerprints import GRID
from mmstudio.modalities.sound_files import sound_seconds

SILENT_LEVELS = 20
"""A sound that moves no further, of 65,536, is silent: about 70 dB below full scale."""
SAME_SOUND, SAME_WAVE = 0.9, 0.998
"""Peaks of the normalised cross-correlation of two sounds' samples. Other takes of a word by one
voice reach 0.91, MP3 and Ogg files of a recording keep 0.96. Two steady tones of one pitch reach
0.995; so, up to 0.998, the phases of all frequencies must agree too:"""
SAME_PHASES = 0.5
"""the peak of the cross-correlation with all frequencies at equal weight (PHAT; Knapp and Carter
1976). Copies keep 0.65 and more, other takes reach 0.33."""
WINDOW, HOP = 512, 256
DYNAMIC_DB = 50.0


def fingerprints(
    arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints ``(n, 256)`` uint8 and whether there is nothing in it ``(n,)`` bool."""
    rate_hz = int(spec["sample_rate_hz"])
    return (np.stack([_sound_levels(a.reshape(-1), rate_hz) for a in arrays]),
            np.array([_is_silent(a.reshape(-1), rate_hz) for a in arrays]))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two decoded sounds are the same but for level, noise and format."""
    wave, phases = _correlations(one.reshape(-1), other.reshape(-1))
    return wave >= SAME_WAVE or (wave >= SAME_SOUND and phases >= SAME_PHASES)


def _is_silent(sound: np.ndarray, rate_hz: int) -> bool:
    # resampling leaves a ripple at both ends of a constant
    edge = min(len(sound) // 4, rate_hz // 100)
    middle = sound[edge : len(sound) - edge]
    return bool(int(middle.max()) - int(middle.min()) <= SILENT_LEVELS)


def _sound_levels(sound: np.ndarray, rate_hz: int) -> np.ndarray:
    """``(256,)`` uint8: 16 times × 16 bands, 50 dB below the loudest is 0."""
    samples = sound.astype(np.float32)
    count = max(GRID, 1 + (max(len(samples), WINDOW) - WINDOW) // HOP)
    padded = np.zeros((count - 1) * HOP + WINDOW, dtype=np.float32)
    padded[: min(len(samples), len(padded))] = samples[: len(padded)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2
    bins = WINDOW // 2
    low = max(1.0, 100.0 * WINDOW / rate_hz)
    edges = np.unique(np.geomspace(low, bins, GRID + 1).round().astype(int))
    edges = np.arange(1, GRID + 2) if len(edges) < GRID + 1 else edges
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    parts = np.add.reduceat(bands, np.arange(GRID) * count // GRID, axis=0)
    level_db = 10 * np.log10(parts / max(float(parts.max()), 1e-6) + 1e-12)
    scaled = (level_db + DYNAMIC_DB).clip(0, DYNAMIC_DB) * (255 / DYNAMIC_DB)
    levels: np.ndarray = scaled.round().astype(np.uint8).reshape(-1)
    return levels


def _correlations(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Greatest cross-correlation over all shifts, at either sign: of the samples, of the phases."""
    a, b = (x.astype(np.float32) - x.mean(dtype=np.float32) for x in (one, other))
    length = 1 << (len(a) + len(b) - 1).bit_length()
    cross = np.fft.rfft(a, length) * np.conj(np.fft.rfft(b, length))
    wave = np.abs(np.fft.irfft(cross, length)).max()
    phases = np.abs(np.fft.irfft(cross / np.maximum(np.abs(cross), 1e-9), length)).max()
    return float(wave / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-6)), float(phases)


class SoundLimit(ContentLimit):
    """In seconds, from the files' headers."""

    option = limited_by = "max_seconds"
    least, cap, largest = 1.0, LARGEST_AUTO_SECONDS, 600

    def limit_words(self, spec: Mapping[str, Any]) -> str:
        """So many seconds."""
        return f"{spec['max_seconds']:g} s"

    def taken(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """An array is a sound's samples."""
        return np.asarray(lengths / spec["sample_rate_hz"])

    def at_limit(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """Those that are as long as can be, but for a sample that rounding takes."""
        return np.asarray(self.taken(lengths, spec)
                          >= spec["max_seconds"] - 1.5 / spec["sample_rate_hz"])

    def measured(self, values: Sequence[Value], spec: Mapping[str, Any]) -> np.ndarray:
        """As the headers say."""
        whole = np.array([_seconds(value) for value in values])
        return np.stack([whole, np.minimum(whole, spec["max_seconds"]), whole], axis=1)


def _seconds(path: Value) -> float:
    try:
        return sound_seconds(path)
    except UserError:
        return 0.0
