"""Texts: token numbers; the tokenizer travels beside the graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.export.carried.base import ROWS, Carried
from mmstudio.export.shipped import predict
from mmstudio.modalities.base import Modality
from mmstudio.modalities.text import LENGTH_STEP, PAD, UNKNOWN

EXAMPLE_TOKENS = 12
TEXTS = (
    "A red kite over the sea", "seven", "Please call me back before noon; the train is late.",
    "two small birds and one big cloud 🙂", "Où est la gare ? 12 €", "the the the and",
    "One text that goes on for longer than the others do, so that it is cut or padded: " * 6,
    "今日は good morning",
)
"""Made up, of different lengths and scripts."""


class Texts(Carried):
    """``(B, T)`` int64, and ``(B, T)`` which of them are real."""

    packages = ("tokenizers>=0.20",)
    given = '"some words"'
    more = "mask"
    side = "tokens"
    tokenized = True

    def settings(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """How many tokens, and which number stands for none."""
        return {"max_tokens": int(spec["max_tokens"]), "pad": int(spec.get("pad", PAD)),
                "empty": int(spec.get("pad", UNKNOWN)), "length_step": LENGTH_STEP}

    def example(
        self, spec: Mapping[str, Any], chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Tokens that are all the same."""
        return (torch.full((ROWS, EXAMPLE_TOKENS), spec["empty"]),
                torch.ones(ROWS, EXAMPLE_TOKENS, dtype=torch.bool))

    def prepared(
        self, modality: Modality, values: torch.Tensor, more: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As they are."""
        return values, more

    def held(self, content: bytes, spec: Mapping[str, Any]) -> Any:
        """The text in a file's bytes."""
        return predict.read_text(content)

    def made_up(
        self, spec: Mapping[str, Any], folder: Path, at: int, chance: np.random.Generator
    ) -> Any:
        """A plain sentence."""
        return TEXTS[at]

    def described(self, spec: Mapping[str, Any], tensors: Mapping[str, str]) -> tuple[str, str]:
        """Tokens and their mask; places of n-grams where something counts them."""
        shape = f"`{tensors['values']}` int64 (B, T), `{tensors['mask']}` bool (B, T)"
        told = f"token numbers of `{spec['tokenizer']}`, up to {spec['max_tokens']}"
        if "ngrams" in tensors:
            shape += f", `{tensors['ngrams']}` int64 (B, N)"
            told += "; places of words and letter sequences, see `ngram_places` in predict.py"
        return shape, told


CARRIED = Texts()
