"""Grids of weights: brought to other sizes, and laid over pictures as colours."""

from __future__ import annotations

import numpy as np
from PIL import Image

FOR, AGAINST = (255, 106, 0), (36, 108, 255)
"""Colours of what speaks for an answer, and against it."""
STRONGEST = 0.75
"""How opaque the strongest place of a map is."""
FAINT = 0.08
"""Below this share of the strongest nothing is drawn."""


def summed(weights: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """``(H, W)`` weights on a grid of another size; their sum stays.

    Each weight is spread evenly over its cell.
    """
    down, across = (_spread(n, wanted) for n, wanted in zip(weights.shape, shape, strict=True))
    found: np.ndarray = down @ weights @ across.T
    return found


def _spread(count: int, wanted: int) -> np.ndarray:
    """``(wanted, count)`` the share of each of ``count`` even parts in each of ``wanted``."""
    begin = np.arange(wanted)[:, None] / wanted
    own = np.arange(count)[None] / count
    overlap = np.minimum(begin + 1 / wanted, own + 1 / count) - np.maximum(begin, own)
    share: np.ndarray = np.clip(overlap, 0, None) * count
    return share


def smooth(weights: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(h, w)`` weights drawn out to ``(H, W)`` without edges between cells."""
    high, wide = size
    picture = Image.fromarray(weights.astype(np.float32))
    found: np.ndarray = np.asarray(picture.resize((wide, high), Image.Resampling.BICUBIC))
    return found


def heat(weights: np.ndarray) -> Image.Image:
    """``(H, W)`` weights as a transparent picture: the stronger, the more opaque."""
    largest = float(np.abs(weights).max(initial=0.0)) or 1.0
    share = np.asarray(weights, np.float32) / np.float32(largest)
    strength = np.clip((np.abs(share) - FAINT) / (1 - FAINT), 0, 1)
    found = np.empty((*share.shape, 4), np.uint8)
    found[..., :3] = np.array([AGAINST, FOR], np.uint8)[(share > 0).astype(np.intp)]
    found[..., 3] = np.round(strength**0.8 * (STRONGEST * 255))
    return Image.fromarray(found, "RGBA")


def laid_over(picture: Image.Image, weights: np.ndarray) -> Image.Image:
    """A picture in grey with a map ``(h, w)`` over all of it, in colours."""
    under = picture.convert("L").convert("RGBA")
    high = heat(smooth(weights, (under.height, under.width)))
    return Image.alpha_composite(under, high).convert("RGB")
