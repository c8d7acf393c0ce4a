"""The sets that are made here, each into a folder that is kept until its script changes."""

from __future__ import annotations

import csv
import hashlib
import inspect
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from first_click_sets import case, paired, pictures, sounds, texts
from first_click_sets.case import TABLE, Case, Rows

SHARES = {"train": 0.6, "validation": 0.15}  # what is left is for the test


@dataclass(frozen=True)
class Made:
    """How a set is made: ``make(folder, chance)`` writes its files and returns its rows."""

    make: Callable[[Path, np.random.Generator], Rows]
    inputs: dict[str, str]
    targets: dict[str, str]


ONE, SEVERAL, NUMBER = "classification", "multilabel", "regression"
PICTURE, SOUND, TEXT = {"file_name": "image"}, {"file_name": "audio"}, {"text": "text"}
MADE = {
    "tones": Made(sounds.tones, SOUND, {"timbre": ONE, "octave": ONE, "pitch": ONE}),
    "rhythms": Made(sounds.rhythms, SOUND, {"pattern": ONE, "bpm": NUMBER}),
    "photographs": Made(pictures.photographs, PICTURE, {"scene": ONE, "objects": SEVERAL}),
    "languages": Made(texts.languages, TEXT, {"language": ONE, "topic": ONE}),
    "docstrings": Made(texts.docstrings, TEXT, {"package": ONE, "kind": ONE}),
    "numbers": Made(paired.numbers, PICTURE | TEXT, {"value": NUMBER}),
    "pairs": Made(paired.pairs, PICTURE | TEXT, {"pair": ONE, "agree": ONE}),
    "misleading": Made(paired.misleading, PICTURE | TEXT, {"label": ONE}),
}


def made_case(name: str, place: Path) -> Case:
    """The set of that name in ``place``; made there where it is missing or of an older script."""
    made, folder = MADE[name], place / name
    version = _version(made)
    mark = folder / "made_by.txt"
    if not mark.is_file() or mark.read_text() != version:
        unfinished = place / f"{name}.unfinished"
        for old in (unfinished, folder):
            shutil.rmtree(old, ignore_errors=True)
        unfinished.mkdir(parents=True)
        chance = np.random.default_rng(zlib.crc32(name.encode()))
        _write(unfinished, _split(made.make(unfinished, chance), chance))
        (unfinished / mark.name).write_text(version)
        unfinished.rename(folder)
    return Case(name, folder, made.inputs, made.targets)


def _version(made: Made) -> str:
    """Changes with the scripts that the set is made by."""
    sources = [inspect.getsource(module) for module in (
        case, pictures, inspect.getmodule(made.make), inspect.getmodule(made_case)) if module]
    return hashlib.sha256("".join(sources).encode()).hexdigest()


def _split(rows: Rows, chance: np.random.Generator) -> Rows:
    """In drawn order, with a column ``split``."""
    ends = np.cumsum([round(share * len(rows)) for share in SHARES.values()])
    names = [*SHARES, "test"]
    order = chance.permutation(len(rows))
    return [rows[row] | {"split": names[int(np.searchsorted(ends, at, side="right"))]}
            for at, row in enumerate(order)]


def _write(folder: Path, rows: Rows) -> None:
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
