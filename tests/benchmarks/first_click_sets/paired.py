"""Pictures with texts: that add up, that only mean something together, and that mislead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from first_click_sets.case import Rows
from first_click_sets.pictures import (
    LEAVES,
    leaf,
    photographed,
    save,
    scene_pattern,
    shape_inside,
    turned,
    two_colours,
)

NUMBERS, PAIRS, MISLEADING = 1000, 800, 600

COUNTS = ("nothing", "one", "two", "three", "four")
MORE = ("plus {}", "{} more", "add {} to it", "{} on top")
LESS = ("minus {}", "{} less", "take away {}", "{} short of it")
SAME = ("as it stands", "leave it so", "no change")
UNREAD = ("the note is torn", "nothing written", "cannot read this")
REMARKS = ("in blue ink", "from the second page", "by the same hand", "checked twice", "", "")

SHAPES = ("disc", "square", "triangle")
WORDS = {
    "food": "bread cheese apple soup rice honey onion butter pepper salad noodle melon",
    "tools": "hammer drill ladder wrench shovel needle pliers bucket rope chisel file saw",
    "sky": "cloud moon thunder rainbow comet sunset star eclipse breeze fog lightning dawn",
}
SENTENCES = ("{} and {} but also {}", "first {}, then {}, and some {}", "{} with {} near the {}",
             "a story of {} and {} and {}")


def numbers(folder: Path, chance: np.random.Generator) -> Rows:
    """A handwritten digit and a note that says what to add: their sum is asked for."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = []
    for i, at in enumerate(chance.permutation(len(digits.target))[:NUMBERS]):
        digit, more = int(digits.target[at]), int(chance.integers(-4, 5))
        value = digit + more + chance.normal(0, 0.4)
        rows.append({"file_name": save(folder, i, _written(digits.images[at], chance)),
                     "text": _note(digit, more, chance), "value": f"{value:.2f}"})
    return rows


def _written(image: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """``(32, 32)``: the digit of 8 by 8 larger, turned a little, with noise."""
    small = Image.fromarray((image * 15).astype(np.uint8))
    side = int(chance.integers(25, 32))
    large = small.resize((side, side), Image.Resampling.BICUBIC)
    large = large.rotate(chance.uniform(-10, 10), Image.Resampling.BICUBIC)
    picture = np.zeros((32, 32))
    left, top = chance.integers(0, 33 - side, 2)
    picture[top:top + side, left:left + side] = np.asarray(large) / 255
    return (1 - 0.8 * picture) + chance.normal(0, 0.1, picture.shape)


def _note(digit: int, more: int, chance: np.random.Generator) -> str:
    if chance.random() < 0.08:
        said = str(chance.choice(UNREAD))
    elif more == 0:
        said = str(chance.choice(SAME))
    else:
        said = str(chance.choice(MORE if more > 0 else LESS)).format(COUNTS[abs(more)])
    parity = ("even" if digit % 2 == 0 else "odd") if chance.random() < 0.6 else "some"
    return " ".join(f"{parity} number, {said} {chance.choice(REMARKS)}".split())


def pairs(folder: Path, chance: np.random.Generator) -> Rows:
    """A shape and a text of a topic: which two these are, and whether they have one place.

    ``pair`` is known to a third from either alone; ``agree``, whether shape and topic have the
    same place in their lists, not at all.
    """
    rows = []
    for i in range(PAIRS):
        shape = int(chance.integers(len(SHAPES)))
        agree = bool(chance.random() < 0.5)
        topic = shape if agree else (shape + int(chance.integers(1, 3))) % len(WORDS)
        name = list(WORDS)[topic]
        rows.append({"file_name": save(folder, i, _shape(SHAPES[shape], chance)),
                     "text": _sentence(name, chance), "pair": f"{SHAPES[shape]} {name}",
                     "agree": "yes" if agree else "no"})
    return rows


def _shape(name: str, chance: np.random.Generator) -> np.ndarray:
    """``(48, 48, 3)``: a shape on a pattern, seen badly."""
    x, y = turned(48, chance.uniform(19, 29, 2), chance.uniform(-0.4, 0.4))
    inside = shape_inside(name, x, y, chance.uniform(10, 15))[..., None]
    one, other = two_colours(chance)
    ground = one + 0.25 * (scene_pattern("clouds", 48, chance)[..., None] - 0.5)
    return photographed(inside * other + (1 - inside) * ground, chance, 0.15)


def _sentence(topic: str, chance: np.random.Generator) -> str:
    """Two words of the topic and one of another, in drawn order."""
    other = str(chance.choice([name for name in WORDS if name != topic]))
    words = [*chance.choice(WORDS[topic].split(), 2, replace=False),
             chance.choice(WORDS[other].split())]
    return str(chance.choice(SENTENCES)).format(*chance.permutation(words))


def misleading(folder: Path, chance: np.random.Generator) -> Rows:
    """Leaves, and texts of words that occur once each: the picture knows all, the text nothing."""
    rows, used = [], set[str]()
    for i in range(MISLEADING):
        kind = LEAVES[i % len(LEAVES)]
        words: list[str] = []
        length = int(chance.integers(3, 9))
        while len(words) < length:
            word = _word(chance)
            if word not in used:
                used.add(word)
                words.append(word)
        picture = photographed(leaf(kind, 64, chance), chance, 0.08)
        rows.append({"file_name": save(folder, i, picture), "text": " ".join(words),
                     "label": kind})
    return rows


def _word(chance: np.random.Generator) -> str:
    return "".join(f"{chance.choice(list('bdfgklmnprstvz'))}{chance.choice(list('aeiou'))}"
                   for _ in range(int(chance.integers(2, 5))))
