"""A project whose answer lies where a test wants it: in one input, in both, in the combination."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from tests.small_project import write_table

Plan = Literal["xor", "noise", "same", "missing"]

TOML = """\
[data]
table = "metadata.csv"
split = "split"

[inputs.picture]
column = "picture"
modality = "image"

[inputs.words]
column = "words"
modality = "text"

[targets.answer]

[training]
epochs = 2
device = "cpu"
"""
WORDS = (("left shoe", "left sock", "left glove"), ("right shoe", "right sock", "right glove"))


def write_planted_project(
    folder: Path, plan: Plan, *, rows: int = 240, test_labels: str = ""
) -> Path:
    """Pictures that are bright or dark and texts of left or right things.

    Args:
        folder: A new folder.
        plan: ``xor``: yes where exactly one of the two holds; ``noise``: the picture tells, the
            text is chance; ``same``: both tell; ``missing``: both tell, half the texts are empty.
        rows: How many; every sixth is a test row.
        test_labels: What stands in all test rows instead of the answer.
    """
    chance = np.random.default_rng(3)
    (folder / "pictures").mkdir(parents=True)
    table = []
    for row in range(rows):
        bright, second = chance.integers(0, 2, 2)
        if plan in ("same", "missing"):
            second = bright
        answer = bright ^ second if plan == "xor" else bright
        pixels = chance.integers(0, 90, (12, 12)) + 120 * bright
        name = f"pictures/{row:03d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        split = ("train", "train", "train", "train", "validation", "test")[row % 6]
        words = WORDS[second][chance.integers(0, 3)]
        table.append({
            "picture": name,
            "words": "" if plan == "missing" and row % 2 else words,
            "answer": test_labels if test_labels and split == "test" else ("no", "yes")[answer],
            "split": split,
        })
    write_table(folder / "metadata.csv", table)
    (folder / "experiment.toml").write_text(TOML, encoding="utf-8")
    return folder
