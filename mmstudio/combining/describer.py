"""One input's description, as all encoders that describe its modality give it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from mmstudio.encoders.descriptive import DescriptiveEncoder, describers_of
from mmstudio.modalities import Modality
from mmstudio.registry import options_of
from mmstudio.rng import DrawnAside


@dataclass(frozen=True)
class Part:
    """One part of a description: its columns ``begin`` to ``end``; see ``Description``."""

    name: str
    begin: int
    end: int
    counts: bool


class Describer(nn.Module):
    """The descriptions of a modality's encoders side by side.

    Args:
        modality: Of the input.
        spec: What the modality learnt.
        options: Of the encoders, as far as they have them; the others have their defaults.
    """

    def __init__(
        self, modality: str, spec: Mapping[str, Any], options: Mapping[str, Any] = {}
    ) -> None:
        super().__init__()
        with DrawnAside(), torch.device("cpu"):  # also while a run trains in another thread
            encoders = [
                cls(dict(spec), **{o: v for o, v in options.items() if o in options_of(cls)})
                for cls in describers_of(modality)]
        self.encoders: Sequence[DescriptiveEncoder] = nn.ModuleList(encoders)  # type: ignore[assignment]
        for encoder in encoders:
            del encoder.linear  # what is learnt in it is of no use here
        self.eval()

    @property
    def parts(self) -> list[Part]:
        """What stands in a description."""
        found, begin = [], 0
        for encoder in self.encoders:
            for part in encoder.parts:
                found.append(Part(part.name, begin, begin + part.width, part.counts))
                begin += part.width
        return found

    @property
    def width(self) -> int:
        """How many numbers a description has."""
        return sum(part.end - part.begin for part in self.parts)

    @property
    def stored_key(self) -> str | None:
        """Names the rule, where descriptions are worth keeping."""
        keys = [encoder.stored_key for encoder in self.encoders]
        if not keys or any(key is None for key in keys):
            return None
        return hashlib.blake2b(json.dumps(keys).encode(), digest_size=16).hexdigest()

    @torch.no_grad()
    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Prepared values to ``(B, D)``."""
        return torch.cat([e.describe(values, mask) for e in self.encoders], dim=1)

    def of_arrays(
        self, modality: Modality, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
    ) -> torch.Tensor:
        """``(B, D)`` descriptions of decoded arrays, 0 where there is none."""
        there = [i for i, array in enumerate(arrays) if array is not None]
        found = torch.zeros(len(arrays), self.width)
        if there:
            values, mask = modality.collate([arrays[i] for i in there], spec)
            found[there] = self(modality.prepare(values), mask)
        return found
