"""Numbers and categories by an embedding of each cell and layers over all of them."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS, Encoder, Features, Layout, grouped
from mmstudio.encoders.dropout import Dropout
from mmstudio.modalities.tabular import CATEGORY, KNOWN, PLACE, RANK, SIZE, SPREAD_OF_RANKS
from mmstudio.registry import Range

WAVES = 4
"""Cosines of a number's rank, beside the number itself and its rank."""
MOST_TOKENS = 64


@ENCODERS.register(
    "mlp", modality="tabular", title="MLP, from scratch",
    summary="Embeds each number and category, then looks at all of them together.",
    source="Guo and Berkhahn 2016 (embeddings of categories); Gorishniy et al. 2022 (of numbers)",
)
class TableMlp(Encoder):
    """One token per column: the cell's embedding, plus what layers over all cells say.

    A category has a vector, and one vector stands for those that are new; a number is a weighted
    sum of vectors, by the number, its rank and cosines of the rank; a missing cell has a vector of
    its column. What differs from Gorishniy et al.: the cosines' frequencies are fixed.

    Args:
        spec: What ``tabular`` learnt.
        width: Of its tokens.
        cell_width: Of a cell's embedding.
        layers: Over all cells together.
        dropout: In these layers.
        masking: Of the cells, half as missing and half as new categories, so that both are learnt.
    """

    varies = False

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        width: Annotated[int, Range(8, 1024, "width of its tokens")] = 128,
        cell_width: Annotated[int, Range(2, 256, "width of a cell's embedding")] = 16,
        layers: Annotated[int, Range(1, 8, "layers over all cells together")] = 2,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.1,
        masking: Annotated[
            float, Range(0.0, 0.9, "share of cells hidden in training, as missing or as new")
        ] = 0.05,
    ) -> None:
        super().__init__(spec)
        columns = spec["columns"]
        self.width, self.masking = width, masking
        places = [1 + len(c["words"] if c["kind"] == CATEGORY else c["levels"]) for c in columns]
        begins = torch.tensor([sum(places[:i]) for i in range(len(places))], device="cpu")
        self.register_buffer("begins", begins, persistent=False)
        self.register_buffer("most", torch.tensor(places, device="cpu") - 1, persistent=False)
        self.register_buffer("waves", math.pi * torch.arange(1, WAVES + 1, device="cpu"),
                             persistent=False)
        self.is_number: list[int] = [i for i, c in enumerate(columns) if c["kind"] != CATEGORY]
        self.places = nn.Embedding(sum(places), cell_width)
        self.missing = nn.Parameter(torch.randn(len(columns), cell_width) * cell_width**-0.5)
        self.numbers = nn.Parameter(
            torch.randn(len(self.is_number), 2 + WAVES, cell_width) * (2 + WAVES) ** -0.5)
        sizes = [len(columns) * cell_width, *[width] * layers]
        self.linears = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.dropout = Dropout(dropout)
        self.own = nn.Linear(cell_width, width)
        self.embedded = nn.Identity()  # where ``layout`` looks

    begins: torch.Tensor
    most: torch.Tensor
    waves: torch.Tensor

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, C, 4)`` cells to tokens ``(B, C, width)``; of many columns to fewer tokens."""
        cells = self.embedded(self._cells(values))
        whole = cells.flatten(1)  # (B, C * cell_width)
        for linear, norm in zip(self.linears, self.norms, strict=True):
            after = self.dropout(functional.gelu(norm(linear(whole))))
            whole = after if whole.shape[1] != after.shape[1] else whole + after
        tokens = self.own(cells) + whole.unsqueeze(1)
        features = Features(tokens, tokens.new_ones(tokens.shape[:2], dtype=torch.bool))
        return features if tokens.shape[1] <= MOST_TOKENS else grouped(features, MOST_TOKENS)

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout:
        """The cells' embeddings, against that of a missing one."""
        return Layout(self.embedded, "integrated_gradients", lambda w: w[0].sum(dim=1),
                      self.missing.detach())

    def _cells(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, 4)`` cells to their embeddings ``(B, C, cell_width)``."""
        known = values[:, :, KNOWN] > 0.5
        place = values[:, :, PLACE].long()
        place = torch.minimum(place.clamp(min=0), self.most)
        if self.training and self.masking > 0:
            drawn = torch.rand(place.shape, device=place.device)
            known = known & (drawn >= self.masking / 2)
            place = place.masked_fill(drawn > 1 - self.masking / 2, 0)
        found: torch.Tensor = self.places(place + self.begins)
        if self.is_number:
            some = values[:, self.is_number].to(found.dtype)
            rank = some[:, :, RANK]
            waves = ((rank / SPREAD_OF_RANKS + 0.5).unsqueeze(2) * self.waves).cos()
            basis = torch.cat([some[:, :, SIZE : SIZE + 1], rank.unsqueeze(2), waves], dim=2)
            sums = torch.einsum("bcf,cfd->bcd", basis, self.numbers.to(basis.dtype))
            found = found.index_add(1, torch.tensor(self.is_number, device=found.device),
                                    sums.to(found.dtype))
        return torch.where(known.unsqueeze(2), found, self.missing.to(found.dtype))
