"""Texts whose words training never reads."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

from mmstudio.data.checks.examined import Examined, Input, words_of
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.errors import UserError
from mmstudio.modalities.base import Value
from mmstudio.modalities.text import read_text

MOST_NEW = 0.2
"""Of the words outside training, so many may be new. Notes about ten digits have 1 to 3 % of such,
keywords of emoji 31 to 34 %."""
FEWEST_WORDS = 100
"""Of fewer words outside training the share is chance."""
EXAMPLES = 3


def vocabulary_problems(examined: Examined) -> Iterator[Problem]:
    """Inputs whose validation and test texts hold many words that no training text holds.

    A published encoder brings its own vocabulary: there it is not a problem.
    """
    for content in examined.inputs.values():
        if "counts" in content.spec:
            yield from _new_words(examined, content)


def _new_words(examined: Examined, content: Input) -> Iterator[Problem]:
    known: set[str] = set()
    others: dict[int, list[str]] = {}
    for row, (value, split) in enumerate(zip(content.values, examined.splits, strict=True)):
        words = _words(value) if value is not None and split else []
        if split == "train":
            known.update(words)
        elif words:
            others[row] = words
    new = {row: [w for w in words if w not in known] for row, words in others.items()}
    counts = Counter(word for words in new.values() for word in words)
    total = sum(len(words) for words in others.values())
    if total < FEWEST_WORDS or counts.total() <= MOST_NEW * total:
        return
    examples = ", ".join(f"'{word}'" for word, _ in counts.most_common(EXAMPLES))
    yield problem(
        -1, content.settings.column, "new_words",
        f"{100 * counts.total() / total:.0f} of 100 words of the validation and test texts stand"
        f" in no training text, as {examples}.",
        "Choose a published model as this input's encoder, which knows words from elsewhere, or"
        " add training texts.", rows=[row for row, words in new.items() if words])


def _words(value: Value) -> list[str]:
    """The words in letters; none where the text can't be read, which is told elsewhere.

    Scripts without capitals are left out: many have no blanks between words, and a whole sentence
    would be one new word.
    """
    try:
        found = words_of(read_text(value))
    except UserError:
        return []
    return [w for w in found if not w.isdigit() and unicodedata.category(w[0]) != "Lo"]
