"""The short notes of the sample project: what somebody jotted down about a digit.

Used by ``make_sample.py`` only. All texts are ours.
"""

from __future__ import annotations

import numpy as np

NAMES = "zero one two three four five six seven eight nine".split()

# Shares of the kinds of notes; the rest are plain ones.
EMPTY, VAGUE, TWO_DIGITS, ROUNDABOUT = 0.05, 0.08, 0.13, 0.05
TYPING_ERROR = 0.12  # of the notes that are not empty
NUMERAL = 0.35  # "3" instead of "three"

PLAIN = (
    "{a}", "{a}.", "a {a}", "the number {a}", "looks like {a} to me", "this one is a {a}",
    "I read {a}", "somebody wrote {a} here", "surely {a}", "{a}, I think", "again a {a}",
    "on the label: {a}", "house number {a}", "door {a}", "she said {a}", "he wrote {a} in a hurry",
    "{a} written by hand", "digit {a}", "{a} apples", "bus line {a}", "page {a} of the notebook",
    "my guess is {a}", "should be a {a}", "room {a}, second floor", "the clerk noted {a}",
    "a rather large {a}", "a small {a} in the corner", "{a} on the parcel", "team {a} please",
    "it says {a}", "{a} it is", "yes, {a}", "once more {a}", "platform {a}",
)
# {a} is meant, {b} is not.
TWO = (
    "first thought {b}, but it is {a}", "not a {b}, a {a}", "it is {a}, not {b}",
    "{b}? no, {a}", "looks like {b} but I heard {a}", "{a} instead of {b}",
    "{b} crossed out, {a} written above", "they said {b} and corrected it to {a}",
    "changed from {b} to {a}", "was {b}, now {a}", "{a}, though it could pass for {b}",
    "{a} rather than {b}", "no {b} here, only {a}", "wrongly filed under {b}, belongs to {a}",
)
# Nobody can tell which of the two from the note alone.
UNDECIDED = ("either {a} or {b}", "{a} or {b}", "{a} or {b}, hard to say", "something like {a}/{b}")
VAGUE_ANY = (
    "cannot read this", "no idea", "see the picture", "listen to the recording", "the usual one",
    "smudged", "ask the one who wrote it", "a digit", "same as yesterday", "too dark to tell",
    "noisy line", "please check", "hm", "unclear",
)
VAGUE_ABOUT = (
    ("an odd number", (1, 3, 5, 7, 9)), ("an even number", (0, 2, 4, 6, 8)),
    ("a closed loop somewhere", (0, 6, 8, 9)), ("all curves", (0, 3, 6, 8)),
    ("straight lines only", (1, 4, 7)), ("less than five", (0, 1, 2, 3, 4)),
    ("more than four", (5, 6, 7, 8, 9)), ("open on the left", (2, 3, 5)),
    ("has a flat top", (5, 7)), ("round at the bottom", (0, 3, 5, 6, 8)),
)
ABOUT = (
    ("nothing at all", "none left", "an empty circle"),
    ("a single one", "just a stroke", "the winner's place"),
    ("a pair", "a couple of them", "twice"),
    ("a hat trick", "a triple", "bronze medal"),
    ("legs of a table", "a quartet", "four of a kind"),
    ("a hand's fingers", "high five", "a quintet"),
    ("half a dozen", "faces of a die", "legs of a beetle"),
    ("days in a week", "lucky number", "colours of the rainbow"),
    ("legs of a spider", "an octopus", "a snowman"),
    ("lives of a cat", "one short of ten", "cloud nine"),
)
NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip


def write_note(digit: int, rng: np.random.Generator, *, may_be_empty: bool) -> str:
    """Write what somebody may have noted about this digit.

    Args:
        digit: The digit that is meant.
        rng: The row's random numbers.
        may_be_empty: Whether a row can do without a note.
    """
    kind = rng.random()
    if kind < EMPTY:
        return "" if may_be_empty else _pick(VAGUE_ANY, rng)
    kind -= EMPTY
    if kind < VAGUE:
        note = _vague(digit, rng)
    elif kind < VAGUE + TWO_DIGITS:
        note = _two_digits(digit, rng)
    elif kind < VAGUE + TWO_DIGITS + ROUNDABOUT:
        note = _pick(ABOUT[digit], rng)
    else:
        note = _pick(PLAIN, rng).format(a=_named(digit, rng))
    if rng.random() < TYPING_ERROR:
        note = with_typing_error(note, rng)
    if rng.random() < 0.3:
        note = note[:1].upper() + note[1:]
    return note


def _vague(digit: int, rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return _pick(VAGUE_ANY, rng)
    return _pick(tuple(text for text, digits in VAGUE_ABOUT if digit in digits), rng)


def _two_digits(digit: int, rng: np.random.Generator) -> str:
    other = int(rng.choice([d for d in range(10) if d != digit]))
    if rng.random() < 0.25:
        first, second = rng.permutation([digit, other])
        return _pick(UNDECIDED, rng).format(a=_named(first, rng), b=_named(second, rng))
    return _pick(TWO, rng).format(a=_named(digit, rng), b=_named(other, rng))


def _named(digit: int, rng: np.random.Generator) -> str:
    return str(digit) if rng.random() < NUMERAL else NAMES[digit]


def _pick(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]


def with_typing_error(note: str, rng: np.random.Generator) -> str:
    """Swap, drop, double or mistype one letter, in a digit's name if there is one."""
    start = next((note.find(name) for name in NAMES if name in note), -1)
    low, high = (start, min(start + 5, len(note))) if start >= 0 else (0, len(note))
    places = [i for i in range(low, high) if note[i].isalpha()]
    if not places:
        return note
    place = int(rng.choice(places))
    letter = note[place]
    kind = rng.random()
    if kind < 0.25:
        return note[:place] + note[place + 1 :]
    if kind < 0.5:
        return note[:place] + letter + note[place:]
    if kind < 0.75 and place + 1 < len(note):
        return note[:place] + note[place + 1] + letter + note[place + 2 :]
    wrong = NEIGHBOURS.get(letter.lower(), letter)
    return note[:place] + wrong[int(rng.integers(len(wrong)))] + note[place + 1 :]
