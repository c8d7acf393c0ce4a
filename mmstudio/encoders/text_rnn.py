"""RNN for texts, trained from scratch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import nn

from mmstudio.encoders.base import ENCODERS, Encoder, Features
from mmstudio.encoders.recurrent import BidirectionalRNN
from mmstudio.modalities.text import PAD, UNKNOWN
from mmstudio.registry import Help, Range


@ENCODERS.register(
    "rnn", modality="text", title="RNN, from scratch",
    summary="Reads the text word piece by word piece in both directions; learns from your texts.",
    source="Hochreiter and Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU); "
           "Kiperwasser and Goldberg 2016 (word dropout)",
)
class TextRNN(Encoder):
    """Embedding and a bidirectional LSTM or GRU.

    In training, a token seen c times becomes the unknown token with the chance a / (a + c): so
    the unknown token learns what rare words mean, and stands for those never seen.

    The tokens hold the recurrent outputs plus the embeddings, so that a single telling word
    reaches the pooled features without passing the recurrence.
    """

    hidden: torch.Tensor

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        cell: Annotated[Literal["lstm", "gru"], Help("kind of recurrent cell")] = "lstm",
        width: Annotated[int, Range(8, 1024, "width of its features")] = 128,
        layers: Annotated[int, Range(1, 4, "stacked recurrent layers")] = 1,
        word_dropout: Annotated[
            float, Range(0.0, 10.0, "a: rare words become unknown with chance a / (a + count)")
        ] = 0.25,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.3,
    ) -> None:
        super().__init__(spec)
        width += width % 2
        self.width = width
        self.embed = nn.Embedding(len(spec["counts"]), width, padding_idx=PAD)
        # small, so that what a rare word learns in a few steps outweighs how it began
        nn.init.normal_(self.embed.weight, std=0.05)
        with torch.no_grad():
            self.embed.weight[PAD].zero_()
        counts = torch.tensor(spec["counts"], dtype=torch.float32, device="cpu")
        hidden = word_dropout / (word_dropout + counts).clamp(min=1e-6)
        hidden[PAD] = 0
        self.register_buffer("hidden", hidden, persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.rnn = BidirectionalRNN(cell, width, width, layers, dropout)

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, T)`` token numbers to tokens ``(B, T, D)``."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        if self.training:
            unknown = torch.rand(values.shape, device=values.device) < self.hidden[values]
            values = values.masked_fill(unknown, UNKNOWN)
        embedded = self.dropout(self.embed(values))
        return Features(self.rnn(embedded, mask) + embedded, mask)
