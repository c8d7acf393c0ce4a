"""Cheap features of decoded content: enough for a linear model to tell what an input knows.

They are made without labels, so cross-validation over them stays honest.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities.base import Value

COMPONENTS = 48
"""Principal components that are kept of an input."""
AT_ONCE = 128
"""Pictures or sounds that are worked on together."""
SIDE = 32
"""Pictures are looked at in so many pixels each way."""
SOUND_BANDS = 24
MOST_SAMPLES = 48_000
"""Of a longer sound its beginning, middle and end are heard, so many samples in all."""
MOST_CHARACTERS = 600_000
"""Of all texts together; a longer text is cut at its share, though not below 200 characters."""
BUCKETS = 8192
"""Words and character sequences are counted in so many buckets."""

Make = Callable[[Sequence[np.ndarray], Sequence[Value], Mapping[str, Any]], np.ndarray]


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
    return _MAKERS.get(modality, _number_features)(arrays, values, spec)


def _image_features(
    arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
) -> np.ndarray:
    """A small picture, directions of edges by place (Dalal & Triggs 2005), shares of colours."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    parts = []
    for begin in range(0, len(arrays), AT_ONCE):
        pixels = torch.from_numpy(np.stack(arrays[begin : begin + AT_ONCE])).float() / 255
        small = adaptive_avg_pool2d(pixels.permute(0, 3, 1, 2), SIDE)  # (n, C, side, side)
        thumbnail = adaptive_avg_pool2d(small, 10).flatten(1).numpy()
        grey = small.mean(dim=1).numpy()
        down, across = np.gradient(grey, axis=1), np.gradient(grey, axis=2)
        size = np.sqrt(down**2 + across**2)
        direction = (np.arctan2(down, across) % np.pi) / np.pi * 8
        bins = np.stack([size * (direction.astype(int) % 8 == b) for b in range(8)], axis=1)
        edges = np.sqrt(adaptive_avg_pool2d(torch.from_numpy(bins), 5).flatten(1).numpy())
        parts.append(np.hstack([thumbnail, 2 * edges, _colour_shares(small.numpy())]))
    return np.concatenate(parts).astype(np.float32)


def _colour_shares(small: np.ndarray) -> np.ndarray:
    """``(n, C, H, W)`` from 0 to 1: the share of pixels in each of four steps per channel."""
    steps = (small * 3.999).astype(int)
    weights = 4 ** np.arange(small.shape[1])[:, None, None]
    colours = (steps * weights).sum(axis=1).reshape(len(small), -1)
    count = 4 ** small.shape[1]
    shares = np.stack([np.bincount(row, minlength=count) for row in colours])
    result: np.ndarray = np.sqrt(shares / colours.shape[1])
    return result


def _sound_features(
    arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
) -> np.ndarray:
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


def _text_features(
    arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
) -> np.ndarray:
    """TF-IDF (Salton & Buckley 1988) of words and of two to four characters in a row, hashed."""
    from mmstudio.modalities.text import read_text

    most = max(200, MOST_CHARACTERS // max(1, len(values)))
    counts = np.zeros((len(values), BUCKETS), dtype=np.float32)
    for row, value in enumerate(values):
        try:
            text = read_text(value)[:most].lower()
        except UserError:
            continue  # it was readable when it was decoded; now it counts as empty
        words = re.findall(r"\w+", text)
        pairs = [f"{a} {b}" for a, b in pairwise(words)]
        hashed = [zlib.crc32(w.encode("utf-8", "replace")) % BUCKETS for w in [*words, *pairs]]
        counts[row] = np.bincount(np.array(hashed, dtype=np.int64), minlength=BUCKETS)
        counts[row] += 0.3 * np.bincount(_character_buckets(text), minlength=BUCKETS)
    known = (counts > 0).sum(axis=0)
    np.log1p(counts, out=counts)
    counts *= (np.log((1 + len(values)) / (1 + known)) + 1).astype(np.float32)
    lengths = np.linalg.norm(counts, axis=1, keepdims=True)
    counts /= np.maximum(lengths, 1e-6)
    return counts


def _character_buckets(text: str) -> np.ndarray:
    if not text:
        return np.zeros(0, dtype=np.int64)
    text = " ".join(text.split())
    codes = np.frombuffer(f" {text} ".encode("utf-32-le", "replace"), dtype=np.uint32)
    found = []
    for length in (2, 3, 4):
        if len(codes) >= length:
            mixed = np.full(len(codes) - length + 1, length, dtype=np.uint32)
            for at in range(length):
                mixed = mixed * np.uint32(1_000_003) + codes[at : len(mixed) + at]
            found.append((mixed ^ (mixed >> np.uint32(15))) % BUCKETS)
    return np.concatenate(found).astype(np.int64)


def _number_features(
    arrays: Sequence[np.ndarray], values: Sequence[Value], spec: Mapping[str, Any]
) -> np.ndarray:
    """The numbers themselves where all rows have as many, else their mean, spread and ends."""
    flat = [np.nan_to_num(array.reshape(-1).astype(np.float32)) for array in arrays]
    if len({len(row) for row in flat}) == 1 and len(flat[0]) <= BUCKETS:
        found = np.stack(flat)
    else:
        found = np.array([[r.mean(), r.std(), r.min(), r.max()] for r in flat], dtype=np.float32)
    deviation = found.std(axis=0)
    scaled: np.ndarray = (found - found.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return scaled


_MAKERS: dict[str, Make] = {
    "image": _image_features, "text": _text_features, "audio": _sound_features,
}


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
