"""Whether texts are English enough for a model that knows English only.

Two signs are counted. An English model's vocabulary holds nearly all English words whole, and
breaks those of other languages into pieces; and every language has its own small words.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmstudio.pretrained.automatic import starter_model
from mmstudio.pretrained.catalogue import ENGLISH, entry
from mmstudio.pretrained.source import find

MOST_TEXTS = 500
MOST_CHARACTERS = 500
"""So many texts are looked at, spread over all, and so much of each."""
LEAST_KNOWN = 0.7
"""Of all longer words so many stand in the vocabulary: 85 to 95 % of English ones do, keywords and
misspelt names included, and 5 to 35 % of another language's."""
LEAST_SMALL = 0.15
"""Where there is no vocabulary, so many words are small English ones: 20 to 40 % of sentences."""
MOST_FOREIGN = 0.1
"""Of the texts that show another language."""
LONGER = 3
"""Letters of a word that is looked up: most short ones are words in some language."""

_ENGLISH = frozenset(
    "about after also and any are at be because been before being both but by can could did does "
    "down each every from has have he her here him his how if into is it its just like made make "
    "many may more most much my new not now of off one only or other our out she should some such "
    "than that the their them then there these they this those through to too two up us very we "
    "were what when where which while who why with would you your".split())
"""Small words of English, without those that other languages have too, such as "in" and "no"."""

_OTHER = frozenset((
    # German
    "und der das den dem ein eine einen einem einer ist sind nicht mit für auf von zu zum zur im "
    "auch sich wir ich sie bei nach aus wie oder aber noch nur über wird werden wurde haben hatte "
    "kann mein mehr sehr bitte "
    # French
    "le la les et une des du que qui dans est pas pour sur avec il elle je tu nous vous ce cette "
    "ces sont par plus mais ou où très être avoir fait comme aux au leur "
    # Spanish
    "el los las del y en una por para con se su sus es está pero más como muy lo al este esta ser "
    "hay fue porque también "
    # Italian
    "il lo gli di che non una per con sono del della delle dei nel nella anche più come questo "
    "questa è molto ma alla dal "
    # Portuguese
    "os um uma do da dos das em não na por mais mas muito são ao foi ele ela você também está "
    # Dutch
    "de het een van dat niet met voor zijn aan er ook maar bij naar wordt deze dit wij uit heeft "
    # Swedish, Danish, Norwegian
    "och att det som är för på av inte med den till ett jag har kan og ikke til jeg ikke "
    # Polish, Czech
    "nie się na jest że do jak ale po tak przez od dla jego są byl jsem že která "
    # Turkish, Romanian, Indonesian
    "ve bir bu için çok değil și este nu pentru yang dan ini itu dengan untuk tidak dari "
).split()) - _ENGLISH
"""Small words of other languages in Latin script, without those that are English words too.

The lists were written for this, from the commonest words of each language."""

_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class _Signs:
    """What one text shows: counts of its words, and whether it is in another script."""

    words: int
    small: int
    other: int
    looked_up: int
    known: int
    strange: bool

    @property
    def foreign(self) -> bool:
        """Whether this text alone shows another language."""
        unknown = self.looked_up > LONGER - 1 and self.known < self.looked_up / 2
        return self.strange or unknown or (self.other > 1 and self.other > self.small)


def looks_english(texts: Sequence[str | None]) -> bool:
    """Whether a model that knows English only may read these texts.

    They need not be sentences: lists of English keywords count as English. Where little can be
    told, such as of codes and numbers, the answer is no.

    Args:
        texts: All of them; None and what is empty is skipped.
    """
    vocabulary = _vocabulary()
    filled = [text for text in texts if text]
    step = max(1, len(filled) // MOST_TEXTS)
    signs = [_signs(text[:MOST_CHARACTERS], vocabulary) for text in filled[::step]]
    signs = [one for one in signs if one.words or one.strange]
    words = sum(one.words for one in signs)
    if not words or sum(one.foreign for one in signs) > MOST_FOREIGN * len(signs):
        return False
    small, other = sum(one.small for one in signs), sum(one.other for one in signs)
    if other > small and other > MOST_FOREIGN * words:
        return False
    if not vocabulary:
        return small >= LEAST_SMALL * words
    looked_up = sum(one.looked_up for one in signs)
    return 0 < LEAST_KNOWN * looked_up <= sum(one.known for one in signs)


def knows_english_only(model: str) -> bool:
    """Whether a published model is listed as one for English texts."""
    listed = entry(model, "text")
    return listed is not None and listed.languages == ENGLISH


def _signs(text: str, vocabulary: Collection[str]) -> _Signs:
    letters = [char for char in text if char.isalpha()]
    latin = sum(_is_latin(char) for char in letters)
    words = [word for word in _WORD.findall(text.lower()) if _is_latin(word[0])]
    longer = [word for word in words if len(word) >= LONGER] if vocabulary else []
    return _Signs(
        len(words), sum(word in _ENGLISH for word in words), sum(word in _OTHER for word in words),
        len(longer), sum(word in vocabulary for word in longer),
        strange=len(letters) - latin > latin / 2)


def _is_latin(char: str) -> bool:
    return char < "\u0250" or "\u1e00" <= char <= "\u1eff"


def _vocabulary() -> frozenset[str]:
    """The words that an English model on this disk holds whole; empty where there is none."""
    model = starter_model("text")
    if model is None or not knows_english_only(model):
        return frozenset()
    return _words_in(find(model, "text").folder)


@functools.lru_cache(maxsize=2)
def _words_in(folder: Path) -> frozenset[str]:
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        return frozenset(tokenizer["model"]["vocab"])
    except (OSError, ValueError, KeyError, TypeError):  # small words must do then
        return frozenset()
