"""Pictures by their edges, colours and a small copy."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS
from mmstudio.encoders.descriptive import Description, DescriptiveEncoder
from mmstudio.registry import Range

DIRECTIONS = 9
FINE_CELLS, COARSE_CELLS, COARSE_SIDE = 8, 4, 48
LARGEST_EDGE = 0.6
"""Of a cell's share in its surroundings: one strong edge must not be all (Lowe 2004)."""
COPY_SIDE = 12
HUES, STEPS = 12, 4
GREYS = 16


@ENCODERS.register(
    "descriptors", modality="image", title="Edges and colours",
    summary="Directions of edges by place, shares of colours and a small copy; needs few pictures.",
    source="Dalal and Triggs 2005 (histograms of gradient directions); Swain and Ballard 1991",
)
class ImageDescriptors(DescriptiveEncoder):
    """Histograms of gradient directions at two scales, a colour histogram, and a small copy.

    Differs from Dalal and Triggs 2005: a cell is normalised by the mean of its 3×3 surroundings.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        width: Annotated[int, Range(8, 512, "width of its features")] = 128,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.3,
    ) -> None:
        self.channels = int(spec["channels"])
        super().__init__(spec, width, dropout)

    @property
    def parts(self) -> tuple[Description, ...]:
        """Edges, colours, copy."""
        colours = HUES * STEPS * STEPS if self.channels == 3 else GREYS
        return (Description("edges", DIRECTIONS * (FINE_CELLS**2 + COARSE_CELLS**2)),
                Description("colours", colours),
                Description("copy", self.channels * COPY_SIDE**2))

    def describe(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """``(B, C, H, W)`` from -1 to 1 to ``(B, D)``."""
        pixels = values.float().add(1).mul(0.5).clamp(0, 1)
        grey = pixels.mean(dim=1, keepdim=True)
        coarse = functional.adaptive_avg_pool2d(grey, COARSE_SIDE)
        colours = _colours(pixels) if self.channels == 3 else _histogram(
            (grey.flatten(1) * (GREYS - 1e-3)).long(), GREYS)
        return torch.cat([
            _edges(grey, FINE_CELLS), _edges(coarse, COARSE_CELLS), colours,
            functional.adaptive_avg_pool2d(pixels, COPY_SIDE).flatten(1)], dim=1)


def _edges(grey: torch.Tensor, cells: int) -> torch.Tensor:
    """``(B, 1, H, W)`` to ``(B, directions · cells²)``, each cell by its surroundings."""
    across, down = torch.zeros_like(grey), torch.zeros_like(grey)
    across[..., 1:-1] = grey[..., 2:] - grey[..., :-2]
    down[..., 1:-1, :] = grey[..., 2:, :] - grey[..., :-2, :]
    size = (across.square() + down.square()).sqrt()
    turn = torch.atan2(down, across).remainder(math.pi) / math.pi * DIRECTIONS
    low = turn.floor()
    share = turn - low
    below = low.long() % DIRECTIONS
    bins = grey.new_zeros(len(grey), DIRECTIONS, *grey.shape[2:])
    bins.scatter_add_(1, below, size * (1 - share))
    bins.scatter_add_(1, (below + 1) % DIRECTIONS, size * share)
    found = functional.adaptive_avg_pool2d(bins, cells)
    around = functional.avg_pool2d(found.square().sum(dim=1, keepdim=True), 3, 1, 1)
    return (found / (around + 1e-4).sqrt()).clamp(max=LARGEST_EDGE).flatten(1)


def _colours(pixels: torch.Tensor) -> torch.Tensor:
    """``(B, 3, H, W)`` to the share of each hue, saturation and brightness, its root."""
    red, green, blue = pixels.flatten(2).unbind(dim=1)
    high, low = pixels.flatten(2).amax(dim=1), pixels.flatten(2).amin(dim=1)
    spread = high - low
    safe = spread.clamp(min=1e-6)
    hue = torch.where(
        high == red, (green - blue) / safe,
        torch.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe))
    hue = (hue.remainder(6) / 6 * spread.gt(1e-6) * (HUES - 1e-3)).long()
    saturation = (spread / high.clamp(min=1e-6) * (STEPS - 1e-3)).long()
    brightness = (high * (STEPS - 1e-3)).long()
    return _histogram((hue * STEPS + saturation) * STEPS + brightness, HUES * STEPS * STEPS)


def _histogram(places: torch.Tensor, count: int) -> torch.Tensor:
    """``(B, P)`` numbers below ``count`` to the root of each one's share ``(B, count)``."""
    ones = torch.ones_like(places, dtype=torch.float32)
    found = ones.new_zeros(len(places), count).scatter_add_(1, places, ones)
    return (found / places.shape[1]).sqrt()
