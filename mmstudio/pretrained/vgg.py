"""VGG with the parameter names of torchvision's published files."""

from __future__ import annotations

import torch
from torch import nn

STAGES: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4),
}
"""Per depth the number of convolutions in each stage."""

WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Stages of 3×3 convolutions, each ended by 2×2 max-pooling; three linear layers on top.

    Simonyan and Zisserman 2015, table 1: configurations A, B, D and E, which are 11, 13, 16 and
    19 layers deep. ``features`` and ``classifier`` are numbered as torchvision numbers them.

    Args:
        depth: 11, 13, 16 or 19.
        norm: Whether a batch norm follows each convolution (torchvision's ``_bn`` files).
        classes: Outputs of the last layer.
    """

    def __init__(self, depth: int, *, norm: bool = False, classes: int = 1000) -> None:
        super().__init__()
        self.width = WIDTHS[-1]
        layers: list[nn.Module] = []
        self.ends: list[int] = []
        """Per stage the number of layers up to its end."""
        width_in = 3
        for width, count in zip(WIDTHS, STAGES[depth], strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(width_in, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width)] if norm else []
                layers.append(nn.ReLU(inplace=True))
                width_in = width
            layers.append(nn.MaxPool2d(2))
            self.ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(width_in * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(),
            nn.Linear(4096, classes))

    def cells(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to the last feature map ``(B, 512, H / 32, W / 32)``."""
        found: torch.Tensor = self.features(values)
        return found

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to logits ``(B, classes)``."""
        found: torch.Tensor = self.classifier(self.avgpool(self.cells(values)).flatten(1))
        return found

    def blocks(self) -> list[nn.Module]:
        """The stages of ``cells`` from the input upwards; they hold all its parameters."""
        starts = [0, *self.ends[:-1]]
        return [self.features[start:end] for start, end in zip(starts, self.ends, strict=True)]
