"""RNN for texts, trained from scratch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import nn

from mmstudio.encoders.base import ENCODERS, Encoder, Features
from mmstudio.encoders.recurrent import BidirectionalRNN
from mmstudio.registry import Help, Range


@ENCODERS.register(
    "rnn", modality="text", title="RNN, from scratch",
    summary="Reads the text word piece by word piece in both directions; learns from your texts.",
    source="Hochreiter and Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU)",
)
class TextRNN(Encoder):
    """Embedding and a bidirectional LSTM or GRU.

    The tokens hold the recurrent outputs plus the embeddings, so that a single telling word
    reaches the pooled features without passing the recurrence.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        cell: Annotated[Literal["lstm", "gru"], Help("kind of recurrent cell")] = "lstm",
        width: Annotated[int, Range(8, 1024, "width of its features")] = 128,
        layers: Annotated[int, Range(1, 4, "stacked recurrent layers")] = 1,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.3,
    ) -> None:
        super().__init__(spec)
        width += width % 2
        self.width = width
        self.embed = nn.Embedding(spec["tokens"], width, padding_idx=0)
        nn.init.normal_(self.embed.weight, std=0.5)
        with torch.no_grad():
            self.embed.weight[0].zero_()
        self.dropout = nn.Dropout(dropout)
        self.rnn = BidirectionalRNN(cell, width, width, layers, dropout)

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, T)`` token numbers to tokens ``(B, T, D)``."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        embedded = self.dropout(self.embed(values))
        return Features(self.rnn(embedded, mask) + embedded, mask)
