"""The three splits, and the words that mean them in cells and in names of files and folders."""

from __future__ import annotations

import re
from collections.abc import Sequence

SPLITS = ("train", "validation", "test")
SPELLINGS = {
    "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "eval": "test", "testing": "test", "evaluation": "test",
}


def split_words(names: Sequence[str]) -> set[str]:
    """The splits that words of names tell: ``{"train"}`` of ``train_images``."""
    words = (w for name in names for w in re.split(r"[^a-z]+", name.lower()))
    return {SPELLINGS[w] for w in words if w in SPELLINGS}
