"""Cheap features of decoded content: enough for a linear model to tell what an input knows.

They are made without labels, so cross-validation over them stays honest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmstudio.modalities import MODALITIES
from mmstudio.modalities.base import Value

COMPONENTS = 48
"""Principal components that are kept of an input."""
AT_ONCE = 128
"""Sounds that are worked on together."""
SOUND_BANDS = 24
MOST_SAMPLES = 48_000
"""Of a longer sound its beginning, middle and end are heard, so many samples in all."""
MOST_NUMBERS = 8192
"""Of one content as they are; of more, what they are like."""


def cheap_features(
    modality: str, arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
) -> np.ndarray:
    """``(N, D)`` features of contents that are all there.

    Args:
        modality: Its name; one that is unknown here is taken as plain numbers.
        arrays: The decoded contents.
        values: The same contents as paths or texts.
        spec: What the modality learnt, from the schema.
    """
    known = MODALITIES.classes().get(modality)
    found = None if known is None else known().cheap_features(arrays, values, spec)
    if found is not None:
        return found
    # the mel bands are the encoders', which modalities know nothing of
    return (_sound_features(arrays, spec) if "sample_rate_hz" in spec
            else _number_features(arrays))


def _sound_features(arrays: Sequence[np.ndarray], spec: Mapping[str, Any]) -> np.ndarray:
    """Log-mel bands: their mean in each quarter of the heard part, and their deviation."""
    import torch

    from mmstudio.encoders.log_mel import LogMel

    log_mel = LogMel(spec["sample_rate_hz"], SOUND_BANDS, 60.0)
    parts = []
    for begin in range(0, len(arrays), AT_ONCE):
        some = [_shortened(array.reshape(-1)) for array in arrays[begin : begin + AT_ONCE]]
        lengths = torch.tensor([len(array) for array in some])
        batch = torch.zeros(len(some), int(lengths.max()))
        for row, array in enumerate(some):
            batch[row, : len(array)] = torch.from_numpy(array.astype(np.float32)) / 32768
        mask = torch.arange(batch.shape[1]) < lengths.unsqueeze(1)
        frames, real = log_mel(batch, mask)
        parts += [_band_figures(f[r].numpy()) for f, r in zip(frames, real, strict=True)]
    return np.stack(parts)


def _shortened(samples: np.ndarray) -> np.ndarray:
    if len(samples) <= MOST_SAMPLES:
        return samples
    piece = MOST_SAMPLES // 3
    middle = (len(samples) - piece) // 2
    return np.concatenate([samples[:piece], samples[middle : middle + piece], samples[-piece:]])


def _band_figures(frames: np.ndarray) -> np.ndarray:
    """``(T, bands)`` of one sound to one row; silence before and after it does not count."""
    heard = np.flatnonzero(frames.mean(axis=1) > 0.1)
    if len(heard) > 4:
        frames = frames[heard[0] : heard[-1] + 1]
    quarters = [part.mean(axis=0) for part in np.array_split(frames, 4) if len(part)]
    quarters += [quarters[-1]] * (4 - len(quarters))
    return np.concatenate([*quarters, frames.std(axis=0)]).astype(np.float32)


def _number_features(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The numbers themselves where all rows have as many, else their mean, spread and ends."""
    flat = [np.nan_to_num(array.reshape(-1).astype(np.float32)) for array in arrays]
    if len({len(row) for row in flat}) == 1 and len(flat[0]) <= MOST_NUMBERS:
        found = np.stack(flat)
    else:
        found = np.array([[r.mean(), r.std(), r.min(), r.max()] for r in flat], dtype=np.float32)
    deviation = found.std(axis=0)
    scaled: np.ndarray = (found - found.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled


def leading_components(features: np.ndarray, most: int = COMPONENTS) -> np.ndarray:
    """``(N, D)`` to at most ``most`` principal components ``(N, k)``, the strongest first.

    By random projection with power iterations (Halko et al. 2011, algorithm 4.4): exact enough,
    and quick for thousands of columns. The seed is fixed: the same data gives the same answer.
    """
    centred = features - features.mean(axis=0)
    wanted = min(most, *centred.shape)
    chance = np.random.default_rng(0)
    drawn = chance.normal(size=(centred.shape[1], min(wanted + 8, centred.shape[1])))
    basis = np.linalg.qr(centred @ drawn.astype(np.float32))[0]
    for _ in range(2):
        basis = np.linalg.qr(centred @ (centred.T @ basis))[0]
    left, sizes, _ = np.linalg.svd(basis.T @ centred, full_matrices=False)
    found = (basis @ left)[:, :wanted] * sizes[:wanted]
    kept = sizes[:wanted] > 1e-4 * max(float(sizes[0]), 1e-6)
    result: np.ndarray = found[:, kept].astype(np.float32)
    return result
