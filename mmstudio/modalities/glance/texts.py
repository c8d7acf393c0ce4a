"""Texts at a glance: which words, pairs of words and letter sequences stand in them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities.base import Value
from mmstudio.modalities.content_limit import ContentLimit
from mmstudio.modalities.text import MOST_AUTO_TOKENS, read_text

MOST_CHARACTERS = 600_000
"""Of all texts together; a longer text is cut at its share, though not below 200 characters."""
MOST_COUNTED = 20_000
"""Characters of a text whose pieces are counted."""
BUCKETS = 8192
"""Words and character sequences are counted in so many buckets."""


def features(values: Sequence[Value]) -> np.ndarray:
    """TF-IDF (Salton & Buckley 1988) of words and of two to four characters in a row, hashed."""
    most = max(200, MOST_CHARACTERS // max(1, len(values)))
    counts = np.zeros((len(values), BUCKETS), dtype=np.float32)
    for row, value in enumerate(values):
        try:
            text = read_text(value)[:most].lower()
        except UserError:
            continue  # it was readable when it was decoded; now it counts as empty
        words = re.findall(r"\w+", text)
        pairs = [f"{a} {b}" for a, b in pairwise(words)]
        hashed = [zlib.crc32(w.encode("utf-8", "replace")) % BUCKETS for w in [*words, *pairs]]
        counts[row] = np.bincount(np.array(hashed, dtype=np.int64), minlength=BUCKETS)
        counts[row] += 0.3 * np.bincount(_character_buckets(text), minlength=BUCKETS)
    known = (counts > 0).sum(axis=0)
    np.log1p(counts, out=counts)
    counts *= (np.log((1 + len(values)) / (1 + known)) + 1).astype(np.float32)
    lengths = np.linalg.norm(counts, axis=1, keepdims=True)
    counts /= np.maximum(lengths, 1e-6)
    return counts


def _character_buckets(text: str) -> np.ndarray:
    if not text:
        return np.zeros(0, dtype=np.int64)
    text = " ".join(text.split())
    codes = np.frombuffer(f" {text} ".encode("utf-32-le", "replace"), dtype=np.uint32)
    found = []
    for length in (2, 3, 4):
        if len(codes) >= length:
            mixed = np.full(len(codes) - length + 1, length, dtype=np.uint32)
            for at in range(length):
                mixed = mixed * np.uint32(1_000_003) + codes[at : len(mixed) + at]
            found.append((mixed ^ (mixed >> np.uint32(15))) % BUCKETS)
    return np.concatenate(found).astype(np.int64)


class TextLimit(ContentLimit):
    """In tokens: a text's pieces are counted again, without the limit."""

    option = limited_by = "max_tokens"
    least, cap, largest = 32, MOST_AUTO_TOKENS, 10_000

    def limit_words(self, spec: Mapping[str, Any]) -> str:
        """So many tokens."""
        return f"{spec['max_tokens']:,} tokens"

    def taken(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """An array is a text's tokens."""
        return lengths.astype(np.float64)

    def at_limit(self, lengths: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray:
        """Those with as many tokens as can be."""
        return np.asarray(lengths >= spec["max_tokens"])

    def measured(self, values: Sequence[Value], spec: Mapping[str, Any]) -> np.ndarray:
        """Of a very long text, the rest is taken to be like its beginning."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(spec["tokenizer"])
        tokenizer.no_truncation()
        texts = [_text_or_none(value) or "" for value in values]
        parts = tokenizer.encode_batch_fast([t[:MOST_COUNTED] for t in texts])
        whole = np.array([len(part.ids) * max(1.0, len(text) / MOST_COUNTED)
                          for part, text in zip(parts, texts, strict=True)])
        return np.stack([whole, np.minimum(whole, spec["max_tokens"]), whole], axis=1)


def _text_or_none(value: Value) -> str | None:
    try:
        return read_text(value)
    except UserError:
        return None
