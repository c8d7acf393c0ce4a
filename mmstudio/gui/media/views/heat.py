"""Maps of what counted, as pictures to lay over others and as grounds behind words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QColor, QImage

from mmstudio.gui import style

if TYPE_CHECKING:
    from mmstudio.modalities.pieces import Spot

DRAWN_SIDE = 256
"""Of a map's longer side: fine enough that no cells are seen."""
STRONGEST = 130
"""Alpha of the ground behind the strongest word, of 255: the word is still read well."""
FAINT = 0.08
"""Below this share of the strongest nothing is marked."""


def heat_image(weights: np.ndarray) -> QImage:
    """``(H, W)`` weights as a transparent picture; to be made in a job."""
    from mmstudio.modalities.pointing.grids import heat, smooth

    scale = DRAWN_SIDE / max(weights.shape)
    size = (max(1, round(weights.shape[0] * scale)), max(1, round(weights.shape[1] * scale)))
    picture = heat(smooth(weights, size))
    image = QImage(picture.tobytes(), picture.width, picture.height,
                   QImage.Format.Format_RGBA8888)
    # the conversion owns its pixels, and is what the screen paints quickest
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def ground_of(share: float) -> QColor | None:
    """What lies behind a word of this share of the strongest weight, -1 to 1; None for nothing."""
    if abs(share) < FAINT:
        return None
    ground = colour_for() if share > 0 else colour_against()
    ground.setAlpha(round(STRONGEST * abs(share) ** 0.8))
    return ground


def colour_for() -> QColor:
    """Of what speaks for an answer."""
    return style.series(1)


def colour_against() -> QColor:
    """Of what speaks against it."""
    return style.series(5)


def strongest(spots: Sequence[Spot], in_units: bool, count: int = 3) -> str:
    """The places that counted the most, in words: ``nine +2.10; a −0.30``."""
    largest = largest_of(spots)
    ordered = sorted(spots, key=lambda spot: -abs(spot.weight))[:count]
    return "; ".join(f"{spot.name} {weight_words(spot.weight, largest, in_units)}"
                     for spot in ordered if abs(spot.weight) >= FAINT * largest)


def largest_of(spots: Sequence[Spot]) -> float:
    """The strongest weight; 1 where all are 0."""
    return max((abs(spot.weight) for spot in spots), default=0.0) or 1.0


def weight_words(weight: float, largest: float, in_units: bool) -> str:
    """A weight with its sign, or as a share of the largest."""
    words = f"{weight:+.2f}" if in_units else f"{weight / largest:+.0%}"
    return words.replace("-", "−")
