"""Numbers that scikit-learn's models read: of pictures, sounds and texts.

They are worked out here with NumPy and scikit-learn alone, apart from the app's own code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import soundfile
from PIL import Image
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import StandardScaler

Matrix = Any
"""``(N, D)``, an array or sparse."""
Parts = dict[str, Matrix]
"""Per split its rows."""

BANDS = 64
PIXELS = 16
CELLS, CELL, DIRECTIONS = 6, 8, 9
MOST_TERMS = 20_000
JOINED_TERMS = 200


def features_of(
    modality: str, cells: Mapping[str, Sequence[str]], folder: Path
) -> dict[str, Parts]:
    """Per kind of features the rows of each split, fitted on those of training.

    Args:
        modality: image, text or audio.
        cells: Per split the column's cells.
        folder: Where files are.
    """
    if modality == "text":
        return _text(cells)
    of = {"sound": _sound} if modality == "audio" else {"pixels": _pixels, "gradients": _gradients}
    found: dict[str, Parts] = {}
    for kind, numbers in of.items():
        parts = {s: np.stack([numbers(folder / c) for c in some]) for s, some in cells.items()}
        scaler = StandardScaler().fit(parts["train"])
        found[kind] = {s: scaler.transform(part).clip(-10, 10) for s, part in parts.items()}
    if len(found) > 1:
        found["+".join(found)] = {s: np.hstack([found[k][s] for k in of]) for s in cells}
    return found


def joined(inputs: Sequence[Mapping[str, Parts]]) -> Parts:
    """The features of several inputs side by side, each input's of mean length 1.

    Of each input those that hold most; terms of texts as 200 directions of them.
    """
    blocks = []
    for kinds in inputs:
        parts = list(kinds.values())[-1]
        if scipy.sparse.issparse(parts["train"]):
            terms = min(JOINED_TERMS, min(parts["train"].shape) - 1)
            svd = TruncatedSVD(terms, random_state=0).fit(parts["train"])
            parts = {s: svd.transform(part) for s, part in parts.items()}
        length = np.linalg.norm(parts["train"], axis=1).mean()
        blocks.append({s: part / max(length, 1e-9) for s, part in parts.items()})
    return {s: np.hstack([block[s] for block in blocks]) for s in blocks[0]}


def _text(cells: Mapping[str, Sequence[str]]) -> dict[str, Parts]:
    """TF-IDF of words and pairs of them, of 2 to 5 characters, and of both."""
    kinds = {
        "words": TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_TERMS,
                                 token_pattern=r"(?u)\b\w+\b"),
        "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True,
                                      max_features=MOST_TERMS),
    }
    found: dict[str, Parts] = {}
    for kind, vectorizer in kinds.items():
        vectorizer.fit(cells["train"])
        found[kind] = {s: vectorizer.transform(some) for s, some in cells.items()}
    found["words+characters"] = {
        s: scipy.sparse.hstack([found[k][s] for k in kinds], format="csr") for s in cells}
    return found


def _picture(path: Path, size: int) -> np.ndarray:
    """``(size, size, 3)`` of 0 to 1, on white."""
    with Image.open(path) as image:
        picture = image.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    flat = Image.alpha_composite(ground, picture).convert("RGB")
    return np.asarray(flat.resize((size, size), Image.Resampling.BILINEAR)) / 255


def _pixels(path: Path) -> np.ndarray:
    return _picture(path, PIXELS).ravel()


def _gradients(path: Path) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs 2005): 5 by 5 blocks of 4 cells."""
    grey = _picture(path, CELLS * CELL).mean(axis=2)
    down, right = np.gradient(grey)
    size = np.hypot(down, right)
    bins = (np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    each = size[..., None] * (bins[..., None] == np.arange(DIRECTIONS))
    cells = each.reshape(CELLS, CELL, CELLS, CELL, DIRECTIONS).sum(axis=(1, 3))
    blocks = np.concatenate(
        [cells[i:CELLS - 1 + i, j:CELLS - 1 + j] for i in (0, 1) for j in (0, 1)], axis=2)
    blocks = blocks / (np.linalg.norm(blocks, axis=2, keepdims=True) + 0.05)
    return blocks.ravel()


def _sound(path: Path) -> np.ndarray:
    """Of the log-mel bands and of their changes: mean, deviation and quantiles over time."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    bands = log_mel(samples.mean(axis=1), rate_hz)
    changes = np.diff(bands, axis=0)
    quantiles = np.quantile(bands, (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), axis=0)
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0), *quantiles,
                           np.abs(changes).mean(axis=0), changes.std(axis=0)])


def log_mel(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """``(T, 64)``: the logarithm of mel bands of frames of 32 ms, a new one each 10 ms."""
    length, hop = int(0.032 * rate_hz), int(0.010 * rate_hz)
    samples = np.pad(samples, (length // 2, length))
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop] * np.hanning(length)
    fine = 2 * length  # so that the narrow low bands hold a bin each
    power = np.abs(np.fft.rfft(frames, fine, axis=1)) ** 2
    return np.log(power @ _filters(rate_hz, fine) + 1e-8)


def _filters(rate_hz: int, length: int) -> np.ndarray:
    """``(length // 2 + 1, 64)``: triangles on the mel scale from 20 Hz up."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (20, rate_hz / 2))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(length, 1 / rate_hz)[:, None]
    up = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.minimum(up, down).clip(0)
