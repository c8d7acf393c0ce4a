"""Small pictures of pictures and sounds, made off the GUI thread."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter

SIDE = 36
"""Height of a thumbnail, logical pixels."""
WAVE_WIDTH = 72
SCALE = 2
"""Pixels per logical pixel, so that they are sharp on fine screens."""


def picture_thumbnail(path: Path) -> QImage:
    """A picture, at most `SIDE` high and twice as wide. Raises UserError when unreadable."""
    from mmstudio.modalities.picture_files import open_image

    picture = open_image(path, hint=(2 * SIDE * SCALE, SIDE * SCALE)).convert("RGB")
    picture.thumbnail((2 * SIDE * SCALE, SIDE * SCALE))
    data = picture.tobytes()
    width, height = picture.size
    # The copy owns its pixels; the bytes object would be gone with this function.
    image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    if height < SIDE * SCALE:
        smooth = Qt.TransformationMode.SmoothTransformation
        if height < SIDE * SCALE // 4:
            smooth = Qt.TransformationMode.FastTransformation
        image = image.scaledToHeight(SIDE * SCALE, smooth)
    image.setDevicePixelRatio(SCALE)
    return image


def sound_thumbnail(path: Path, color: str) -> QImage:
    """A sound's envelope as bars. Raises UserError when unreadable."""
    from mmstudio.modalities.sound_files import read_sound

    samples, _ = read_sound(path, max_seconds=30.0)
    bars = WAVE_WIDTH // 3
    edges = np.linspace(0, len(samples), bars + 1).astype(int)
    peaks = np.array([
        np.abs(samples[a:b]).max() if b > a else 0.0
        for a, b in itertools.pairwise(edges)
    ])
    peaks = peaks / max(float(peaks.max(initial=0.0)), 1e-4)
    image = QImage(WAVE_WIDTH * SCALE, SIDE * SCALE, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(SCALE)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    for index, peak in enumerate(peaks):
        height = max(2.0, float(peak) * (SIDE - 8))
        bar = QRectF(index * 3, (SIDE - height) / 2, 2, height)
        painter.drawRoundedRect(bar, 1, 1)
    painter.end()
    return image
