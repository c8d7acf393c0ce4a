"""Texts in words."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer

from mmstudio.modalities.pieces import Pieces, Shown, Spot
from mmstudio.modalities.text import UNKNOWN


@dataclass(frozen=True)
class WordsMap(Shown):
    """Which words.

    Attributes:
        weights: ``(words,)``.
        spots: The words, each with the characters ``begin`` to ``end`` of the text.
        text: The text.
    """

    weights: np.ndarray
    spots: tuple[Spot, ...]
    text: str

    def to_json(self) -> dict[str, Any]:
        """The text and its words."""
        return {"text": self.text, "words": [
            {"word": spot.name, "weight": spot.weight} | spot.where for spot in self.spots]}


class TextPieces(Pieces):
    """The words of which the model reads at least a piece; one that is hidden is left out.

    Args:
        text: What is read.
        spec: What ``fit`` learnt.
    """

    def __init__(self, text: str, spec: Mapping[str, Any]) -> None:
        self.text = text
        self.empty = int(spec.get("pad", UNKNOWN))
        encoding = _tokenizer(spec["tokenizer"]).encode(text)
        count = min(len(encoding.ids), int(spec["max_tokens"]))
        self.word_of, self.spans = words_of(text, encoding, count)
        self.shape = (len(self.spans),)

    def hidden(
        self, values: torch.Tensor, mask: torch.Tensor | None, gone: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Token numbers without those of the hidden words, moved together."""
        tokens = values[0, : max(1, len(self.word_of))].cpu()
        found = torch.full((len(gone), values.shape[1]), self.empty, dtype=values.dtype)
        real = torch.zeros(found.shape, dtype=torch.bool)
        numbers = np.array(self.word_of, dtype=np.int64)
        for row, one in enumerate(gone):
            stays = np.append(~one, True)[numbers] if len(numbers) else np.ones(1, dtype=bool)
            kept = tokens[torch.from_numpy(stays)]
            count = max(1, len(kept))  # a text without anything is one unknown token
            found[row, : len(kept)] = kept
            real[row, :count] = True
        return found.to(values.device), real.to(values.device)

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """One per token, padding included; those of special tokens belong to no word."""
        found = np.zeros(len(self.spans) + 1)
        np.add.at(found, self.word_of, weights[: len(self.word_of)])
        return found[:-1]

    def names(self) -> list[str]:
        """The words themselves."""
        return [self.text[begin:end] for begin, end in self.spans]

    def shown(self, weights: np.ndarray, *, whole: bool) -> WordsMap:
        """One weight per word."""
        each = weights if whole else self.gathered(weights)
        spots = tuple(Spot(self.text[b:e], float(w), {"begin": b, "end": e})
                      for (b, e), w in zip(self.spans, each, strict=True))
        return WordsMap(each, spots, self.text)


@functools.lru_cache(maxsize=4)
def _tokenizer(description: str) -> Tokenizer:
    return Tokenizer.from_str(description)


def words_of(
    text: str, encoding: Encoding, count: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """Which word each token belongs to, and the words' characters.

    Tokens are of one word as the tokenizer cuts words; where it cuts none, between blanks.

    Returns:
        Per token, of the first ``count``, the number of its word, -1 for one that is of none; and
        per word where it begins and ends in the text.
    """
    ids = encoding.word_ids[:count]
    blanks = len({i for i in ids if i is not None}) <= 1
    numbers: list[int] = []
    spans: list[tuple[int, int]] = []
    last: object = None
    for token in range(count):
        begin, end = _trimmed(text, *encoding.offsets[token])
        special = encoding.special_tokens_mask[token] or ids[token] is None
        if special or begin >= end:
            # a blank of its own goes with no word, and parts none
            numbers.append(-1)
            last = None if special else last
            continue
        word: object = len(text[:begin].split()) - (
            begin > 0 and not text[begin - 1].isspace()) if blanks else ids[token]
        # a sign of several bytes may be several tokens with the same span
        if spans and (word == last or (begin, end) == spans[-1]):
            spans[-1] = (min(spans[-1][0], begin), max(spans[-1][1], end))
        else:
            spans.append((begin, end))
        last = word
        numbers.append(len(spans) - 1)
    return numbers, spans


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    """A span without the blanks around it."""
    part = text[begin:end]
    return begin + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
