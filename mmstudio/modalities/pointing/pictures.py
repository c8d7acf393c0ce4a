"""Pictures in patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmstudio.modalities.pieces import Pieces, Shown, Spot
from mmstudio.modalities.pointing.grids import laid_over, smooth, summed

PATCHES = 8
"""Along the longer side."""
LEAST_SIDE = 3
"""Of a patch, pixels."""
MOST_TOLD = 14
"""Cells along a side of the grid that is told."""
DRAWN_SIDE = 384
"""At least so long a side is drawn, so that a small picture's map can be seen."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom of a picture within its padding, as shares of the whole."""


@dataclass(frozen=True)
class PictureMap(Shown):
    """Where in a picture.

    Attributes:
        weights: ``(h, w)`` over the whole picture, without padding.
        spots: The patches.
        pixels: ``(H, W, C)`` bytes, the picture as the model gets it, without padding.
    """

    weights: np.ndarray
    spots: tuple[Spot, ...]
    pixels: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """The grid, row by row."""
        high, wide = (min(MOST_TOLD, side) for side in self.weights.shape)
        return {"grid": summed(self.weights, (high, wide)).tolist()}

    def picture(self) -> Image.Image:
        """The picture in grey, the map in colours."""
        grey = self.pixels[:, :, 0] if self.pixels.shape[2] == 1 else self.pixels
        under = Image.fromarray(np.ascontiguousarray(grey))
        scale = max(1.0, DRAWN_SIDE / max(under.size))
        size = (round(under.width * scale), round(under.height * scale))
        return laid_over(under.resize(size, Image.Resampling.BICUBIC), self.weights)


class PicturePieces(Pieces):
    """Even patches, about eight along the longer side; one that is hidden has the border's colour.

    Args:
        array: ``(H, W, C)`` bytes, as decoded.
        size: ``(width, height)`` of the picture itself, which was fitted into the array.
    """

    def __init__(self, array: np.ndarray, size: tuple[int, int]) -> None:
        high, wide = array.shape[:2]
        count = max(1, min(PATCHES, max(high, wide) // LEAST_SIDE))
        side = max(high, wide) / count
        self.shape = (max(1, round(high / side)), max(1, round(wide / side)))
        self.array = array
        scale = min(wide / size[0], high / size[1])
        across, down = size[0] * scale / wide, size[1] * scale / high
        self.box: Box = ((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)

    def hidden(
        self, values: torch.Tensor, mask: torch.Tensor | None, gone: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Patches in the middle colour of the picture's rim, as ``decode`` pads."""
        high, wide = values.shape[2:]
        rows = np.arange(high) * self.shape[0] // high
        columns = np.arange(wide) * self.shape[1] // wide
        cover = torch.from_numpy(gone[:, rows[:, None], columns[None]]).to(values.device)
        rim = torch.cat([values[0, :, 0], values[0, :, -1], values[0, :, :, 0],
                         values[0, :, :, -1]], dim=1).median(dim=1).values
        # the models' own order of memory, in which convolutions are the fastest
        filled = torch.where(cover.unsqueeze(1), rim.view(1, -1, 1, 1), values)
        return filled.contiguous(memory_format=torch.channels_last), mask

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """``(H', W')`` of a feature map, or of the pixels."""
        return summed(weights, (self.shape[0], self.shape[1]))

    def names(self) -> list[str]:
        """By row and column, from 1."""
        return [f"row {row + 1}, column {column + 1}"
                for row in range(self.shape[0]) for column in range(self.shape[1])]

    def shown(self, weights: np.ndarray, *, whole: bool) -> PictureMap:
        """The map without the padding."""
        high, wide = self.array.shape[:2]
        left, top, right, bottom = self.box
        rows = slice(round(top * high), max(round(top * high) + 1, round(bottom * high)))
        columns = slice(round(left * wide), max(round(left * wide) + 1, round(right * wide)))
        fine = smooth(weights, (high, wide)) if weights.shape != (high, wide) else weights
        patches = (weights if whole else self.gathered(weights)).ravel()
        spots = tuple(
            Spot(name, float(weight), {"row": at // self.shape[1], "column": at % self.shape[1]})
            for at, (name, weight) in enumerate(zip(self.names(), patches, strict=True)))
        return PictureMap(fine[rows, columns], spots, self.array[rows, columns])
