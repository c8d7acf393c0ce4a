"""CNN for pictures, trained from scratch."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import nn

from mmstudio.encoders.base import ENCODERS, Encoder, Features, Layout
from mmstudio.encoders.dropout import Dropout
from mmstudio.registry import Range


def convolution(width_in: int, width: int, stride: int = 1) -> nn.Sequential:
    """3×3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions beside the identity (He et al. 2016, fig. 2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm.weight)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W)`` to the same shape."""
        return torch.relu(values + self.norm(self.second(self.first(values))))


@ENCODERS.register(
    "cnn", modality="image", title="CNN, from scratch",
    summary="A small convolutional network that learns from your pictures alone.",
    source="He et al. 2016 (residual blocks), with strides in place of pooling",
)
class ImageCNN(Encoder):
    """Strided convolutions, each followed by a residual block at the coarser scales.

    The number of halvings follows the picture's size: the last map is 4 to 7 cells wide, which
    become the tokens.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        width: Annotated[int, Range(8, 512, "width of its features")] = 128,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.1,
    ) -> None:
        super().__init__(spec)
        self.width = width
        side = max(spec["size"])
        stages: list[nn.Module] = []
        width_in = spec["channels"]
        halvings = 1
        while side / 2**halvings > 7.5:
            halvings += 1
        for stage in range(halvings):
            last = stage == halvings - 1
            width_out = width if last else max(16, width >> (halvings - 1 - stage))
            stages.append(convolution(width_in, width_out, stride=2))
            if stage > 0:
                stages.append(Residual(width_out))
            width_in = width_out
        self.stages = nn.Sequential(*stages)
        self.dropout = Dropout(dropout)

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, C, H, W)`` to tokens ``(B, H' · W', D)``."""
        cells = self.stages(values)  # (B, D, H', W')
        tokens = self.dropout(cells.flatten(2).transpose(1, 2))
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool,
                                           device=tokens.device))

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout:
        """The first map.

        Not the last one by Grad-CAM: each of its few cells has seen most of a small picture, and
        hiding what it points at changed answers to digits less than hiding at random.
        """
        return Layout(self.stages[0], "integrated_gradients", lambda w: w[0].sum(dim=0))
