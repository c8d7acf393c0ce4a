"""Texts by which words and character sequences stand in them."""

from __future__ import annotations

import re
import zlib
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import torch
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS
from mmstudio.encoders.descriptive import Description, DescriptiveEncoder
from mmstudio.registry import Range

WORD_PLACES, CHARACTER_PLACES = 1 << 14, 1 << 15
"""Words and character sequences are counted in so many places, by their hash."""
LENGTHS = (2, 3, 4, 5)
FIRST_WIDE = 0x2E80
"""From this code on a character is often a word of its own: Chinese, Japanese, Korean, emoji."""


@ENCODERS.register(
    "ngrams", modality="text", title="Words and letters",
    summary="Which words, pairs of words and letter sequences occur; needs few texts.",
    source="Salton and Buckley 1988 (weights of terms); Weinberger et al. 2009 (hashing)",
)
class TextNgrams(DescriptiveEncoder):
    """Counts of words, pairs of neighbours, and two to five characters within a word.

    A count c becomes ``1 + log c``, and the counts of either kind together are of length 1.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        width: Annotated[int, Range(8, 1024, "width of its features")] = 128,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.2,
    ) -> None:
        super().__init__(spec, width, dropout)
        self.tokenizer_text: str = spec["tokenizer"]
        self._tokenizer: Any = None

    @property
    def parts(self) -> tuple[Description, ...]:
        """Words and characters."""
        return (Description("words", WORD_PLACES, counts=True),
                Description("characters", CHARACTER_PLACES, counts=True))

    @property
    def stored_key(self) -> str | None:
        """None: the counts are mostly zeros, and counting is quicker than reading them."""
        return None

    def texts(self, values: torch.Tensor, mask: torch.Tensor | None) -> list[str]:
        """``(B, T)`` token numbers back to text, without what was cut off."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            from tokenizers import Tokenizer, decoders

            tokenizer = Tokenizer.from_str(self.tokenizer_text)
            if tokenizer.decoder is None:
                tokenizer.decoder = decoders.Metaspace()
            self._tokenizer = tokenizer
        numbers = values.cpu().numpy()
        real = np.ones(numbers.shape, dtype=bool) if mask is None else mask.cpu().numpy()
        rows = [row[there].tolist() for row, there in zip(numbers, real, strict=True)]
        found: list[str] = tokenizer.decode_batch(rows, skip_special_tokens=True)
        return found

    def describe(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """``(B, T)`` token numbers to ``(B, D)`` weighted counts."""
        width = WORD_PLACES + CHARACTER_PLACES
        counts = np.zeros((len(values), width), dtype=np.float32)
        for row, text in enumerate(self.texts(values, mask)):
            for begin, size, places in zip(
                (0, WORD_PLACES), (WORD_PLACES, CHARACTER_PLACES), ngrams(text), strict=True
            ):
                some, many = np.unique(places % size, return_counts=True)
                counts[row, begin + some] = 1 + np.log(many)
        found = torch.from_numpy(counts)
        return torch.cat([functional.normalize(part, dim=1) for part in
                          (found[:, :WORD_PLACES], found[:, WORD_PLACES:])],
                         dim=1).to(values.device)


def ngrams(text: str) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of a text's words and pairs of words, and of its character sequences."""
    text = text.lower()
    words = re.findall(r"\w+", text)
    hashed = [zlib.crc32(w.encode("utf-8", "replace"))
              for w in [*words, *(f"{a} {b}" for a, b in pairwise(words))]]
    return np.array(hashed, dtype=np.int64), _character_hashes(text)


def _character_hashes(text: str) -> np.ndarray:
    """Of 2 to 5 characters in a row, blanks among them; of single ones that may be words."""
    spaced = f" {' '.join(text.split())} "
    codes = np.frombuffer(spaced.encode("utf-32-le", "replace"), dtype=np.uint32)
    found = [_mixed(codes[codes >= FIRST_WIDE], 1)]
    for length in LENGTHS:
        count = len(codes) - length + 1
        if count > 0:
            found.append(_mixed(np.stack([codes[at : at + count] for at in range(length)]), length))
    return np.concatenate(found).astype(np.int64)


def _mixed(codes: np.ndarray, length: int) -> np.ndarray:
    """One hash of ``(length, N)`` codes, or of ``(N,)`` where the length is 1."""
    mixed = np.full(codes.shape[-1], length, dtype=np.uint32)
    for row in codes.reshape(length, -1):
        mixed = mixed * np.uint32(1_000_003) + row
        mixed ^= mixed >> np.uint32(15)
    return mixed
