"""What encoders that describe their input by a fixed rule share: nothing of it is learnt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS, Encoder, Features

WIDEST_HALVED = 1 << 14
"""On the CPU, a wider description goes through its layer in float32: some processors divide by zero
in PyTorch 2.13's bfloat16 product of 49,152 columns, and the whole process ends."""

@dataclass(frozen=True)
class Description:
    """One part of a description.

    Attributes:
        name: Its name, such as ``edges``.
        width: How many numbers it is.
        counts: Its numbers count how often something occurs, most of them 0, so what is rare tells
            more; otherwise they are measurements, each on a scale of its own.
    """

    name: str
    width: int
    counts: bool = False


class DescriptiveEncoder(Encoder):
    """A fixed description of the input, and a layer from it to the fusion.

    ``describe`` needs no training and no luck, so a few dozen rows are enough to learn from it.
    Each encoder of this kind also serves the kernel machines of ``mmstudio.combining``.

    A subclass says its ``parts`` and how values become their numbers: ``describe``.
    """

    varies = False
    tried: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    """Options of which several values are tried; encoders with the same option take the best."""
    version: ClassVar[int] = 1
    """Of the description; another one is computed again."""

    def __init__(self, spec: dict[str, Any], width: int, dropout: float) -> None:
        super().__init__(spec)
        self.width = width
        self.dropout = nn.Dropout(dropout)
        whole = sum(part.width for part in self.parts)
        measured = sum(part.width for part in self.parts if not part.counts)
        # measurements are brought to one scale; counts are of length 1 already
        self.norm = nn.BatchNorm1d(measured, affine=False) if measured else None
        self.linear = nn.Linear(whole, width)

    @property
    def parts(self) -> tuple[Description, ...]:
        """What stands in a description, in order; measurements before counts."""
        raise NotImplementedError

    def describe(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Prepared values to ``(B, D)`` float32, the parts side by side."""
        raise NotImplementedError

    def facts(self) -> list[Any]:
        """What, besides the values, a description depends on; plain data."""
        return []

    @property
    def stored_key(self) -> str | None:
        """Names the rule: features are computed once."""
        depends = [type(self).__name__, self.version, self.facts()]
        return hashlib.blake2b(json.dumps(depends, sort_keys=True).encode(),
                               digest_size=16).hexdigest()

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """Prepared values to one token ``(B, 1, width)``."""
        return self.project(self.encode(values, mask))

    @torch.no_grad()
    def encode(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """Prepared values to their description as one token ``(B, 1, D)``."""
        found = self.describe(values, mask).unsqueeze(1)
        return Features(found, found.new_ones(found.shape[:2], dtype=torch.bool))

    def project(self, features: Features) -> Features:
        """A description ``(B, 1, D)`` to one token ``(B, 1, width)``."""
        flat = features.tokens.float().squeeze(1)
        measured, counted = flat, []
        if self.norm is not None:
            width = self.norm.num_features
            measured, rest = flat[:, :width], flat[:, width:]
            # one row has no statistics; another kind of norm looks at other processes' rows too
            alone = self.training and len(flat) == 1 and isinstance(self.norm, nn.BatchNorm1d)
            measured = functional.batch_norm(
                measured, self.norm.running_mean, self.norm.running_var, training=False,
                eps=self.norm.eps) if alone else self.norm(measured)
            counted = [rest]
            measured = measured.clamp(-6, 6)
            flat = torch.cat([measured, *counted], dim=1)
        else:
            flat = flat * flat.shape[1] ** 0.25
        flat = self.dropout(flat)
        if flat.device.type == "cpu" and flat.shape[1] > WIDEST_HALVED:
            with torch.autocast("cpu", enabled=False):
                found = self.linear(flat)
        else:
            found = self.linear(flat)
        tokens = functional.gelu(found).unsqueeze(1)
        return Features(tokens, features.mask)


def describers_of(modality: str) -> Sequence[type[DescriptiveEncoder]]:
    """The encoders that describe content of a modality."""
    return [cls for cls in ENCODERS.classes().values()
            if cls.modality == modality and issubclass(cls, DescriptiveEncoder)]
