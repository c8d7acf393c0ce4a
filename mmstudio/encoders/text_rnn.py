"""RNN for texts, trained from scratch."""

from __future__ import annotations

import json
import unicodedata
import zlib
from typing import Annotated, Any, Literal

import torch
from torch import nn

from mmstudio.encoders.base import ENCODERS, Encoder, Features, Layout
from mmstudio.encoders.dropout import Dropout
from mmstudio.encoders.recurrent import BidirectionalRNN
from mmstudio.modalities.text import PAD, UNKNOWN
from mmstudio.registry import Help, Range

BUCKETS = 16_384
"""Character n-grams share this many embeddings by their hash."""
NGRAM_LENGTHS = (2, 3, 4, 5)
MOST_NGRAMS = 24
"""Per token; a longer one takes them evenly spread."""
BLANK = "\N{LOWER ONE EIGHTH BLOCK}"
"""The tokenizer's sign of a blank: pieces that begin a word begin with it."""


def token_ngrams(spec: dict[str, Any]) -> torch.Tensor:
    """The character n-grams of every token of a vocabulary.

    Returns:
        ``(tokens, 24)`` bucket numbers from 1; 0 fills up.
    """
    table = torch.zeros(len(spec["counts"]), MOST_NGRAMS, dtype=torch.long, device="cpu")
    for token, number in json.loads(spec["tokenizer"])["model"]["vocab"].items():
        if number in (PAD, UNKNOWN):
            continue
        grams = [token[i : i + n] for n in NGRAM_LENGTHS for i in range(len(token) - n + 1)]
        step = max(1.0, len(grams) / MOST_NGRAMS)
        for place in range(min(len(grams), MOST_NGRAMS)):
            bucket = zlib.crc32(grams[int(place * step)].encode()) % (BUCKETS - 1)
            table[number, place] = 1 + bucket
    return table


def token_begins(spec: dict[str, Any]) -> torch.Tensor:
    """``(tokens,)`` bool, True = begins a word, False = goes on with the one before it.

    Letters that have no capitals stand for themselves: many of their scripts leave no blanks
    between words, and a whole sentence would be one word.
    """
    begins = torch.zeros(len(spec["counts"]), dtype=torch.bool, device="cpu")
    for token, number in json.loads(spec["tokenizer"])["model"]["vocab"].items():
        begins[number] = token.startswith(BLANK) or unicodedata.category(token[0]) == "Lo"
    begins[UNKNOWN] = True  # a sign that no piece holds, such as an emoji behind a known word
    return begins


def unknown_words(
    pieces: torch.Tensor, begins: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Words that have an unknown piece are unknown as a whole.

    Args:
        pieces: ``(B, T)`` bool, the pieces that are unknown.
        begins: ``(B, T)`` bool, the pieces that begin a word.

    Returns:
        ``(B, T)`` bool, the pieces of unknown words; and those of them that go on with a word.
    """
    word = begins.long().cumsum(dim=1)  # (B, T), 0 for pieces before the first beginning
    counts = torch.zeros(len(word), word.shape[1] + 1, device=word.device)
    counts = counts.scatter_add(1, word, pieces.to(counts.dtype))
    unknown = counts.gather(1, word) > 0
    goes_on = torch.zeros_like(unknown)
    goes_on[:, 1:] = word[:, 1:] == word[:, :-1]
    return unknown, unknown & goes_on


@ENCODERS.register(
    "rnn", modality="text", title="RNN, from scratch",
    summary="Reads the text word piece by word piece in both directions; learns from your texts.",
    source="Hochreiter and Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU); "
           "Bojanowski et al. 2017 (character n-grams); "
           "Kiperwasser and Goldberg 2016 (word dropout)",
)
class TextRNN(Encoder):
    """Embedding and a bidirectional LSTM or GRU.

    A token's embedding is its own plus the mean of those of its character n-grams, so that a rare
    word is close to those that look like it.

    In training, a token seen c times becomes the unknown token with the chance a / (a + c), and
    keeps its n-grams: so they learn what rare words mean, and the unknown token what is common to
    them. A word that has a piece which training never saw is treated alike, as one token with the
    n-grams of all its pieces: piece by piece, it would outweigh the words that are known, and
    pieces that are words themselves (``car`` in ``carousel``) would mislead.

    The tokens hold the recurrent outputs plus the embeddings, so that a single telling word
    reaches the pooled features without passing the recurrence, plus their sum weighted by
    attention, so that a telling word counts more than those around it.
    """

    begins: torch.Tensor
    hidden: torch.Tensor
    never_seen: torch.Tensor
    ngrams: torch.Tensor

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
        self.embed_ngrams = nn.Embedding(BUCKETS, width, padding_idx=0)
        # small, so that what a rare word learns in a few steps outweighs how it began
        for embedding in (self.embed, self.embed_ngrams):
            nn.init.normal_(embedding.weight, std=0.05)
            with torch.no_grad():
                embedding.weight[0].zero_()
        counts = torch.tensor(spec["counts"], dtype=torch.float32, device="cpu")
        hidden = word_dropout / (word_dropout + counts).clamp(min=1e-6)
        hidden[PAD] = 0
        never_seen = counts == 0
        never_seen[PAD] = False
        self.register_buffer("hidden", hidden, persistent=False)
        self.register_buffer("never_seen", never_seen, persistent=False)
        self.register_buffer("begins", token_begins(spec), persistent=False)
        self.register_buffer("ngrams", token_ngrams(spec), persistent=False)
        self.dropout = Dropout(dropout)
        self.attend = nn.Linear(width, 1)
        self.rnn = BidirectionalRNN(cell, width, width, layers, dropout)

    def forward(self, values: torch.Tensor, mask: torch.Tensor | None) -> Features:
        """``(B, T)`` token numbers to tokens ``(B, T, D)``."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        embedded, mask = self._embedded(values, mask)
        tokens = self.rnn(embedded, mask) + embedded
        scores = self.attend(tokens).masked_fill(~mask.unsqueeze(-1), -1e4)
        telling = (scores.softmax(dim=1) * tokens).sum(dim=1, keepdim=True)  # (B, 1, D)
        return Features(tokens + 2 * telling, mask)

    def _embedded(
        self, values: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, T)`` to the embeddings ``(B, T, D)`` and their mask, an unknown word as one."""
        # what stands in the padding would go on with the last word
        values = values.masked_fill(~mask, PAD)
        unknown, heads = self._heads(values, mask)
        looks = nn.functional.embedding_bag(
            self.ngrams[values.flatten()].flatten(), self.embed_ngrams.weight,
            _bag_starts(heads.flatten()) * MOST_NGRAMS, mode="mean", padding_idx=0)  # (B · T, D)
        words = self.embed(values.masked_fill(unknown, UNKNOWN)) + looks.view(*values.shape, -1)
        # heads moved together, in their order; what is none stands at the end, as padding
        order = (~heads).byte().argsort(dim=1, stable=True)
        mask = torch.arange(values.shape[1], device=values.device) < heads.sum(dim=1, keepdim=True)
        embedded = words.gather(1, order.unsqueeze(-1).expand_as(words))
        return self.dropout(embedded.masked_fill(~mask.unsqueeze(-1), 0)), mask


    def _heads(
        self, values: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, T)`` bool twice: pieces of unknown words; pieces that stand for themselves.

        The others are read with the piece before them, as one unknown word.
        """
        pieces = self.never_seen[values]
        if self.training:
            pieces |= torch.rand(values.shape, device=values.device) < self.hidden[values]
        unknown, joined = unknown_words(pieces & mask, self.begins[values])
        heads = mask & ~joined
        heads[:, 0] = True  # the first bag begins with the first piece
        return unknown, heads

    def layout(self, values: torch.Tensor, mask: torch.Tensor | None) -> Layout:
        """The embeddings; a word of several pieces that is read as one counts at its first."""
        if mask is None:
            mask = torch.ones_like(values, dtype=torch.bool)
        _, heads = self._heads(values.masked_fill(~mask, PAD), mask)
        places = heads[0].nonzero().squeeze(1)

        def placed(weights: torch.Tensor) -> torch.Tensor:
            each = weights[0, : len(places)].sum(dim=1)
            return each.new_zeros(values.shape[1]).index_copy(0, places.to(each.device), each)

        return Layout(self.dropout, "integrated_gradients", placed)


def _bag_starts(heads: torch.Tensor) -> torch.Tensor:
    """``(N,)`` where each position's bag begins, by ``(N,)`` bool, True = heads a word.

    A head's reaches up to the next head: over the pieces of its word, and padding. All others are
    empty: as many bags as positions, so that nobody has to wait for how many heads there are.
    """
    places = torch.arange(len(heads), device=heads.device)
    return places.masked_fill(~heads, len(heads)).flip(0).cummin(0).values.flip(0)
