"""Pictures at a glance: 16 × 16 grey levels, and cheap features of what is where."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities.base import Value
from mmstudio.modalities.content_limit import ContentLimit
from mmstudio.modalities.glance.fingerprints import GRID
from mmstudio.modalities.image import LARGEST_AUTO_SIDE
from mmstudio.modalities.picture_files import picture_size

BLANK_LEVELS = 6
"""A picture with no greater difference in any channel, of 255, is blank."""
SAME_PICTURE = 0.993
"""Correlation of two pictures' grids, in colour. JPEG at quality 40 keeps 0.995 or more; the most
alike of different drawings and handwritten digits reached 0.991."""
AT_ONCE = 128
"""Pictures that are worked on together."""
SIDE = 32
"""Pictures are looked at in so many pixels each way."""


def fingerprints(
    arrays: Sequence[np.ndarray], spec: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints ``(n, 256)`` uint8 and whether there is nothing in it ``(n,)`` bool."""
    pictures = np.stack([a.reshape(*spec["size"], spec["channels"]) for a in arrays])
    grid = _grid(pictures).mean(axis=3)
    lines = pictures.reshape(len(arrays), -1, pictures.shape[-1])
    spread = (lines.max(axis=1) - lines.min(axis=1)).max(axis=1)
    return grid.round().astype(np.uint8).reshape(len(arrays), -1), spread <= BLANK_LEVELS


def same(one: np.ndarray, other: np.ndarray, spec: Mapping[str, Any]) -> bool:
    """Whether two decoded pictures are the same but for brightness and format."""
    shape = (2, *spec["size"], spec["channels"])
    grids = _grid(np.stack([one, other]).reshape(shape)).reshape(2, -1)
    grids -= grids.mean(axis=1, keepdims=True)
    length = np.linalg.norm(grids, axis=1)
    return bool(grids[0] @ grids[1] >= SAME_PICTURE * max(length.prod(), 1e-6))


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


def features(arrays: Sequence[np.ndarray]) -> np.ndarray:
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


class PictureLimit(ContentLimit):
    """In pixels of the file, from its header; the limit is of the longer side."""

    option, limited_by = "size", "size"
    least, cap, largest = 4096, LARGEST_AUTO_SIDE, 1024
    reduces = True

    def limit(self, spec: Mapping[str, Any]) -> float:
        """The longer side."""
        return float(max(spec["size"]))

    def limit_words(self, spec: Mapping[str, Any]) -> str:
        """Width and height."""
        return f"{spec['size'][1]} × {spec['size'][0]} pixels"

    def taken(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """All pixels of the size that all pictures get."""
        return np.full(len(lengths), float(np.prod(spec["size"])))

    def at_limit(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """Any may have been larger: all have one size."""
        return np.ones(len(lengths), dtype=bool)

    def measured(self, values: Sequence[Value], spec: Mapping[str, Any]) -> np.ndarray:
        """As the headers say; a picture may be turned by its EXIF."""
        sizes = np.array([_size(value) for value in values], dtype=np.float64).reshape(-1, 2)
        height, width = spec["size"]
        scale = np.minimum(1.0, np.maximum(
            np.minimum(width / sizes[:, 0], height / sizes[:, 1]),
            np.minimum(height / sizes[:, 0], width / sizes[:, 1])))
        whole = sizes.prod(axis=1)
        return np.stack([whole, whole * scale**2, sizes.max(axis=1)], axis=1)


def _size(path: Value) -> tuple[int, int]:
    try:
        width, height = picture_size(path)
    except UserError:
        return 1, 1
    return max(1, width), max(1, height)
