"""A confusion matrix as a picture: one pixel per cell, in the colours of the theme."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QColor, QImage

from mmstudio.gui import style


def image_of(counts: np.ndarray) -> QImage:
    """Right answers in one colour, mix-ups in another, each by its share of what is true.

    Args:
        counts: ``(L, C)``.
    """
    rows, columns = counts.shape
    if not counts.size:
        return QImage()
    colours = style.palette()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    share = np.sqrt(share)[..., None]  # so that rare mix-ups are seen at all
    ground, good, bad = (_rgb(c) for c in (colours.raised, colours.accent, colours.bad))
    right = np.eye(rows, columns, dtype=bool)[..., None]
    pixels = np.where(right, ground + share * (good - ground), ground + share * (bad - ground))
    packed = np.full((rows, columns, 4), 255, np.uint8)
    packed[..., :3] = pixels[..., ::-1].round()
    # The copy owns its pixels; the bytes go away with this function.
    return QImage(
        packed.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGB32).copy()


def _rgb(name: str) -> np.ndarray:
    """``(3,)`` float64."""
    colour = QColor(name)
    return np.array([colour.red(), colour.green(), colour.blue()], np.float64)
