"""ResNet with the parameter names of torchvision's published files."""

from __future__ import annotations

import torch
from torch import nn

STAGES: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3),
    50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
}
"""Per depth the number of blocks in each stage."""


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside the identity (He et al. 2016, fig. 5 left)."""

    expansion = 1

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(width_in, width * self.expansion, stride)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W)`` to ``(B, D, H / stride, W / stride)``."""
        inner = torch.relu(self.bn1(self.conv1(values)))
        beside = values if self.downsample is None else self.downsample(values)
        return torch.relu(self.bn2(self.conv2(inner)) + beside)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside the identity (He et al. 2016, fig. 5 right).

    Differs from the paper as torchvision does: the stride is in the 3×3 convolution.
    """

    expansion = 4

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        wide = width * self.expansion
        self.conv1 = nn.Conv2d(width_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.downsample = _shortcut(width_in, wide, stride)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W)`` to ``(B, 4 · D, H / stride, W / stride)``."""
        inner = torch.relu(self.bn1(self.conv1(values)))
        inner = torch.relu(self.bn2(self.conv2(inner)))
        beside = values if self.downsample is None else self.downsample(values)
        return torch.relu(self.bn3(self.conv3(inner)) + beside)


def _shortcut(width_in: int, width: int, stride: int) -> nn.Sequential | None:
    """What brings a block's input to the shape of its output; None where it has it already."""
    if stride == 1 and width_in == width:
        return None
    return nn.Sequential(nn.Conv2d(width_in, width, 1, stride=stride, bias=False),
                         nn.BatchNorm2d(width))


class ResNet(nn.Module):
    """A strided convolution, max-pooling, four stages of residual blocks, a linear layer on top.

    He et al. 2016, table 1; see ``Bottleneck`` for the one difference.

    Args:
        depth: 18, 34, 50, 101 or 152.
        classes: Outputs of the last layer.
    """

    def __init__(self, depth: int, *, classes: int = 1000) -> None:
        super().__init__()
        block: type[BasicBlock | Bottleneck] = BasicBlock if depth < 50 else Bottleneck
        self.width = 512 * block.expansion
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        counts = STAGES[depth]
        self.layer1 = _stage(block, 64, 64, counts[0], stride=1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, counts[1], stride=2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, counts[2], stride=2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, counts[3], stride=2)
        self.fc = nn.Linear(self.width, classes)

    def cells(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to the last feature map ``(B, width, H / 32, W / 32)``."""
        found: torch.Tensor = self.maxpool(torch.relu(self.bn1(self.conv1(values))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            found = stage(found)
        return found

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to logits ``(B, classes)``."""
        found: torch.Tensor = self.fc(self.cells(values).mean(dim=(2, 3)))
        return found

    def blocks(self) -> list[nn.Module]:
        """The residual blocks from the input upwards, without the first convolution."""
        return [block for stage in (self.layer1, self.layer2, self.layer3, self.layer4)
                for block in stage]


def _stage(
    block: type[BasicBlock | Bottleneck], width_in: int, width: int, count: int, stride: int
) -> nn.Sequential:
    wide = width * block.expansion
    return nn.Sequential(block(width_in, width, stride),
                         *(block(wide, width, 1) for _ in range(count - 1)))
