"""Published models for pictures."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS, Features, Layout
from mmstudio.encoders.pretrained import PretrainedEncoder, Read
from mmstudio.encoders.tuning import (
    Blocks,
    Dropout,
    LayerDecay,
    ModelName,
    MostTokens,
    Rank,
    Rate,
    Tuned,
    Tuning,
    Width,
)
from mmstudio.pretrained.catalogue import default_model
from mmstudio.pretrained.kinds import EFFICIENTNET_LITE, TORCHVISION
from mmstudio.pretrained.preprocessing import image_facts
from mmstudio.pretrained.source import Source

DEFAULT = default_model("image")


@ENCODERS.register(
    "pretrained_image", modality="image", title="Published model",
    summary="Stands on a model that has seen millions of pictures: best where you have few.",
    source="He et al. 2016 (ResNet); Dosovitskiy et al. 2021 (ViT); Radford et al. 2021 (CLIP); "
           "Tan and Le 2019 (EfficientNet); Liu et al. 2022 (ConvNeXt); Zhai et al. 2023 "
           "(SigLIP); Oquab et al. 2024 (DINOv2); Hu et al. 2022 (LoRA)",
)
class PretrainedImage(PretrainedEncoder):
    """The cells of its last feature map, or of its grid of patches.

    A grid of more than ``tokens`` cells is averaged to a coarser one. Where the model has a pooled
    feature or a class token, it is the summary. Pictures come in the model's own size, whole and
    not cropped, as ``preprocessing.wanted`` says, and are normalised here.
    """

    scale: torch.Tensor
    shift: torch.Tensor
    convolves = False
    """Whether its last features are a map; found out when it is tried."""

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        model: ModelName = DEFAULT,
        tuning: Tuning = "frozen",
        blocks: Blocks = 2,
        rate: Rate = 0.01,
        layer_decay: LayerDecay = 0.8,
        rank: Rank = 8,
        tokens: MostTokens = 16,
        width: Width = 256,
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__(spec, model, Tuned(tuning, blocks, rate, layer_decay, rank), tokens,
                         width, dropout)

    def begin(self, spec: dict[str, Any]) -> None:
        """What turns prepared values, -1 to 1, into those that the model was trained on."""
        facts = image_facts(self.found) | spec
        self.size = [int(side) for side in facts["size"]]
        self.channels = int(facts["channels"])
        mean, std = (torch.tensor(facts[k], dtype=torch.float32).view(1, -1, 1, 1)
                     for k in ("mean", "std"))
        self.register_buffer("scale", 0.5 / std, persistent=False)
        self.register_buffer("shift", (0.5 - mean) / std, persistent=False)
        self.seen, self.last_map = nn.Identity(), nn.Identity()  # where ``layout`` looks
        self.takes = set(inspect.signature(self.published.forward).parameters)

    def load_model(self, source: Source) -> nn.Module:
        """One of the library, or of a state-dict file that is known here, without its classes."""
        if source.config["model_type"] == EFFICIENTNET_LITE:
            from mmstudio.pretrained.efficientnet_lite import load_efficientnet

            return load_efficientnet(source.weights[0]).without_classes()
        if source.config["model_type"] != TORCHVISION:
            return super().load_model(source)
        from mmstudio.pretrained.torchvision_files import load_net
        from mmstudio.pretrained.vgg import VGG

        net = load_net(source.weights[0])
        # the layers above the last feature map, which are most of a VGG
        setattr(net, "classifier" if isinstance(net, VGG) else "fc", nn.Identity())
        return net

    def facts(self) -> dict[str, Any]:
        """The constants of its normalisation; the size is that of the values."""
        return {"scale": self.scale.flatten().tolist(), "shift": self.shift.flatten().tolist()}

    def trial(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One grey picture."""
        return torch.zeros(1, self.channels, *self.size), None

    def read(self, values: torch.Tensor, mask: torch.Tensor | None) -> Read:
        """``(B, C, H, W)`` from -1 to 1 to cells ``(B, H' · W', D)``, row by row."""
        pixels = self.seen(values * self.scale + self.shift)
        cells = getattr(self.published, "cells", None)
        if cells is not None:
            self.convolves = True
            found = self.last_map(cells(pixels))
            pooled = getattr(self.published, "pooled", None)
            return _of_map(found, None if pooled is None else pooled(found))
        given = self.published(pixel_values=pixels, return_dict=True, **self._more(pixels))
        last = given.last_hidden_state
        if last.ndim == 4:
            self.convolves = True
            return _of_map(self.last_map(last))
        patch = _pair(getattr(self.published.config, "patch_size", 1))
        grid = (pixels.shape[2] // patch[0], pixels.shape[3] // patch[1])
        return _of_sequence(last, getattr(given, "pooler_output", None), grid)

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout:
        """The last map behind convolutions; of a transformer the pixels, from a plain grey.

        Its patches are linear in the pixels: summed over a patch, what its pixels add is what the
        patch's embedding adds.
        """
        if self.convolves:
            return Layout(self.last_map, "grad_cam", lambda weights: weights[0], dear=True)
        return Layout(self.seen, "integrated_gradients", lambda w: w[0].sum(dim=0), self.shift,
                      dear=True)

    def _more(self, pixels: torch.Tensor) -> dict[str, Any]:
        """What else the model's ``forward`` is told."""
        more: dict[str, Any] = {}
        config: Any = self.published.config
        if "interpolate_pos_encoding" in self.takes:
            own = _pair(getattr(config, "image_size", self.size))
            more["interpolate_pos_encoding"] = tuple(pixels.shape[2:]) != own
        if "noise" in self.takes:
            # a masked autoencoder hides and shuffles by chance; in this order all stays in place
            config.mask_ratio = 0.0
            patches = (pixels.shape[2] // config.patch_size) * (
                pixels.shape[3] // config.patch_size)
            more["noise"] = torch.arange(patches, device=pixels.device).expand(len(pixels), -1)
        return more

    def fewer(self, read: Read) -> Features:
        """The grid averaged to at most ``most_tokens`` cells, of the same shape."""
        if read.grid is None or read.tokens.shape[1] <= self.most_tokens:
            return super().fewer(read)
        high, wide = read.grid
        rows = max(1, min(high, self.most_tokens, round(math.sqrt(self.most_tokens * high / wide))))
        columns = max(1, min(wide, self.most_tokens // rows))
        cells = read.tokens.transpose(1, 2).reshape(len(read.tokens), -1, high, wide)
        few = functional.adaptive_avg_pool2d(cells, (rows, columns)).flatten(2).transpose(1, 2)
        return Features(few, few.new_ones(few.shape[:2], dtype=torch.bool))


def _pair(size: Any) -> tuple[int, int]:
    """Height and width, from either or from the one number that is both."""
    high, wide = size if isinstance(size, list | tuple) else (size, size)
    return int(high), int(wide)


def _of_map(cells: torch.Tensor, pooled: torch.Tensor | None = None) -> Read:
    """A feature map ``(B, D, H', W')``.

    Its mean says little that the cells don't; ``pooled`` is ``(B, D)`` where a net gives it all
    the same.
    """
    tokens = cells.flatten(2).transpose(1, 2)
    real = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
    return Read(tokens, real, pooled, (cells.shape[2], cells.shape[3]))


def _of_sequence(
    tokens: torch.Tensor, pooled: torch.Tensor | None, grid: tuple[int, int]
) -> Read:
    """Special tokens ``(B, S, D)``, where there are some, and behind them those of a grid.

    Args:
        tokens: ``(B, S + H' · W', D)``.
        pooled: ``(B, D)`` of the model's own pooling, where it has one.
        grid: The patches' rows and columns; a model that merges patches has fewer.
    """
    count = tokens.shape[1]
    if grid[0] * grid[1] > count:
        merged = next((f for f in (2, 4, 8, 16, 32)
                       if (grid[0] // f) * (grid[1] // f) <= count), 1)
        grid = (grid[0] // merged, grid[1] // merged)
    special = count - grid[0] * grid[1]
    summary = tokens[:, 0] if special else None
    if pooled is not None and pooled.shape == tokens[:, 0].shape:
        summary = pooled
    cells = tokens[:, special:]
    real = cells.new_ones(cells.shape[:2], dtype=torch.bool)
    return Read(cells, real, summary, grid)
