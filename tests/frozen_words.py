"""A text encoder with a frozen part, in place of a published model: small, counted, limited."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
import torch
from torch import nn

from mmstudio.encoders import ENCODERS, Encoder, Features
from mmstudio.registry import Range

PUBLISHED_WIDTH = 12
NAME = "frozen_words"


class FrozenWords(Encoder):
    """Fixed embeddings that stand for a published model, and a linear layer that is learnt.

    ``encoded`` counts the rows that went through the fixed part, over all instances; more than
    ``most_rows`` at once do not fit into its memory.
    """

    encoded: ClassVar[int] = 0
    most_rows: ClassVar[int] = 10**9
    key: ClassVar[str | None] = "embeddings-1"
    table: torch.Tensor

    def __init__(
        self, spec: dict[str, Any], *,
        width: Annotated[int, Range(4, 64, "width of its features")] = 16,
    ) -> None:
        super().__init__(spec)
        self.width = width
        with torch.device("cpu"):
            chance = torch.Generator().manual_seed(5)
            table = torch.randn(len(spec["counts"]), PUBLISHED_WIDTH, generator=chance)
        self.register_buffer("table", table)
        self.linear = nn.Linear(PUBLISHED_WIDTH, width)

    @property
    def fixed(self) -> frozenset[str]:
        """The embeddings."""
        return frozenset({"table"})

    @property
    def stored_key(self) -> str | None:
        """Theirs."""
        return type(self).key

    def encode(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """The embeddings of the tokens."""
        if len(values) > FrozenWords.most_rows:
            raise torch.OutOfMemoryError("out of memory")
        FrozenWords.encoded += len(values)
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        with torch.no_grad():
            return Features(self.table[values], mask)

    def project(self, features: Features) -> Features:
        """To the fusion's width."""
        return Features(self.linear(features.tokens), features.mask)

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """Both."""
        return self.project(self.encode(values, mask))


def use_frozen_words(monkeypatch: pytest.MonkeyPatch) -> type[FrozenWords]:
    """Have it among the encoders for one test."""
    ENCODERS.classes()
    monkeypatch.setitem(ENCODERS._classes, NAME, FrozenWords)
    for key, value in {"name": NAME, "title": "Frozen words", "summary": "Fixed.", "source": "",
                       "modality": "text"}.items():
        monkeypatch.setattr(FrozenWords, key, value, raising=False)
    monkeypatch.setattr(FrozenWords, "encoded", 0)
    return FrozenWords
