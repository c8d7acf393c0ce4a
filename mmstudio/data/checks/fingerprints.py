"""What a picture or sound looks like in 256 bytes, and whether two are the same.

A picture's fingerprint is its grey levels on a grid of 16 × 16; a sound's is the level of 16
bands in 16 parts of its time, relative to the loudest. Candidates are near in
their fingerprints; whether they are the same is then decided on the content itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

GRID = 16
FINGERPRINT_BYTES = GRID * GRID
BLANK_LEVELS = 6
"""A picture with no greater difference in any channel, of 255, is blank."""
SILENT_LEVELS = 20
"""A sound that moves no further, of 65,536, is silent: about 70 dB below full scale."""
SAME_PICTURE = 0.993
"""Correlation of two pictures' grids, in colour. JPEG at quality 40 keeps 0.995 or more; the most
alike of different drawings and handwritten digits reached 0.991."""
SAME_SOUND, SAME_WAVE = 0.9, 0.998
"""Peaks of the normalised cross-correlation of two sounds' samples. Other takes of a word by one
voice reach 0.91, MP3 and Ogg files of a recording keep 0.96. Two steady tones of one pitch reach
0.995; so, up to 0.998, the phases of all frequencies must agree too:"""
SAME_PHASES = 0.5
"""the peak of the cross-correlation with all frequencies at equal weight (PHAT; Knapp and Carter
1976). Copies keep 0.65 and more, other takes reach 0.33."""
CANDIDATES = {"image": 0.985, "audio": 0.9}
WINDOW, HOP = 512, 256
DYNAMIC_DB = 50.0


def fingerprints_of(
    modality: str, arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints ``(n, 256)`` uint8 and whether there is nothing in it ``(n,)`` bool."""
    if modality == "image":
        pictures = np.stack([a.reshape(*spec["size"], spec["channels"]) for a in arrays])
        grid = _grid(pictures).mean(axis=3)
        lines = pictures.reshape(len(arrays), -1, pictures.shape[-1])
        spread = (lines.max(axis=1) - lines.min(axis=1)).max(axis=1)
        return grid.round().astype(np.uint8).reshape(len(arrays), -1), spread <= BLANK_LEVELS
    rate_hz = int(spec["sample_rate_hz"])
    return (np.stack([_sound_levels(a.reshape(-1), rate_hz) for a in arrays]),
            np.array([_is_silent(a.reshape(-1), rate_hz) for a in arrays]))


def units(fingerprints: np.ndarray) -> np.ndarray:
    """Fingerprints ``(n, 256)`` without mean and of length 1: products are correlations."""
    values = fingerprints.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    length = np.linalg.norm(values, axis=1, keepdims=True).astype(np.float32)
    # hardly any contrast: what is left is rounding
    length[length < GRID] = np.inf
    values /= length
    return values


def same(modality: str, one: np.ndarray, other: np.ndarray, spec: Mapping[str, Any]) -> bool:
    """Whether two decoded pictures or sounds are the same but for level, noise and format."""
    if modality == "image":
        shape = (2, *spec["size"], spec["channels"])
        grids = _grid(np.stack([one, other]).reshape(shape)).reshape(2, -1)
        grids -= grids.mean(axis=1, keepdims=True)
        length = np.linalg.norm(grids, axis=1)
        return bool(grids[0] @ grids[1] >= SAME_PICTURE * max(length.prod(), 1e-6))
    wave, phases = _correlations(one.reshape(-1), other.reshape(-1))
    return wave >= SAME_WAVE or (wave >= SAME_SOUND and phases >= SAME_PHASES)


def _grid(pictures: np.ndarray) -> np.ndarray:
    """Means over a grid: ``(n, H, W, C)`` to ``(n, 16, 16, C)``."""
    count, height, width, channels = pictures.shape
    lines = pictures.reshape(count, height, width * channels).astype(np.float32)
    rows = np.matmul(_means(height), lines).reshape(count * GRID, width, channels)
    grid: np.ndarray = np.matmul(_means(width), rows).reshape(count, GRID, GRID, channels)
    return grid


@functools.cache
def _means(size: int) -> np.ndarray:
    """``(16, size)``: what makes means of 16 parts, of one line at least each."""
    starts = np.arange(GRID) * size // GRID
    ends = np.maximum(np.append(starts[1:], size), starts + 1)
    at = np.arange(size)
    inside = (at >= starts[:, None]) & (at < ends[:, None])
    means: np.ndarray = (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)
    return means


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
