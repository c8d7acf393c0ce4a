"""Texts that get worse: changed in their letters and words, and decoded anew."""

from __future__ import annotations

import re

import numpy as np

from mmstudio.errors import UserError
from mmstudio.modalities.corruption import Content, Corruption
from mmstudio.modalities.text import read_text

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD = re.compile(r"\S+")


def _text(content: Content) -> str:
    try:
        return read_text(content.value)
    except UserError:
        return ""  # it was readable when it was decoded


def typing_errors(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """This share of the letters is left out, doubled, exchanged with the next or mistaken."""
    text = list(_text(content))
    letters = [i for i, c in enumerate(text) if c.isalnum()]
    hit = [i for i in letters if chance.random() < strength]
    for i in hit:
        kind = int(chance.integers(4))
        if kind == 0:
            text[i] = ""
        elif kind == 1:
            text[i] *= 2
        elif kind == 2 and i + 1 < len(text):
            text[i], text[i + 1] = text[i + 1], text[i]
        else:
            text[i] = LETTERS[int(chance.integers(len(LETTERS)))]
    return content.decode("".join(text))


def dropped_words(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Each word is left out with this chance."""
    words = [w for w in _text(content).split() if chance.random() >= strength]
    return content.decode(" ".join(words))


def unknown_words(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Each word becomes one of letters that are drawn, of the same length, with this chance."""
    def other(found: re.Match[str]) -> str:
        if chance.random() >= strength:
            return found[0]
        return "".join(LETTERS[i] for i in chance.integers(0, len(LETTERS), len(found[0])))

    return content.decode(_WORD.sub(other, _text(content)))


CORRUPTIONS = (
    Corruption("typing errors", "of the letters", (0.03, 0.1, 0.2, 0.4), typing_errors),
    Corruption("dropped words", "of the words", (0.1, 0.25, 0.5, 0.75), dropped_words),
    Corruption("unknown words", "of the words", (0.1, 0.25, 0.5, 0.75), unknown_words),
)
