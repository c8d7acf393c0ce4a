"""Sounds that get worse, as decoded samples of 16 bits at the common rate."""

from __future__ import annotations

import numpy as np

from mmstudio.modalities.corruption import Content, Corruption

FULL = 32767


def _samples(content: Content) -> np.ndarray:
    """``(L,)`` float64."""
    return content.array.reshape(-1).astype(np.float64)


def _words(samples: np.ndarray) -> np.ndarray:
    return np.asarray(np.round(samples).clip(-FULL, FULL), dtype=np.int16)


def noise(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """White noise so many dB above the sound: 0 is as loud, -20 a tenth of its amplitude."""
    samples = _samples(content)
    loudness = float(np.sqrt((samples**2).mean()))
    return _words(samples + chance.normal(0, 1, len(samples)) * loudness * 10 ** (strength / 20))


def gain(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """So many dB more quiet."""
    return _words(_samples(content) * 10 ** (-strength / 20))


def clipping(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Cut off at what is left of its peak below this share."""
    samples = _samples(content)
    peak = float(np.abs(samples).max(initial=0.0)) * (1 - strength)
    return _words(samples.clip(-peak, peak))


def speed(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Faster by this share; the pitch moves along."""
    samples = _samples(content)
    at = np.arange(0, len(samples), 1 + strength)
    return _words(np.interp(at, np.arange(len(samples)), samples))


CORRUPTIONS = (
    Corruption("noise", "dB above the sound", (-20, -10, 0, 10), noise),
    Corruption("gain", "dB more quiet", (10, 20, 30, 40), gain),
    Corruption("clipping", "of the peak", (0.5, 0.75, 0.9, 0.97), clipping),
    Corruption("speed", "faster", (0.1, 0.25, 0.5, 1.0), speed),
)
