"""The same picture, sound or text in two splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np

from mmstudio.data.checks.examined import Examined, Input, words_of
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.data.schema import modality_of
from mmstudio.data.split import SPLITS
from mmstudio.errors import UserError
from mmstudio.modalities import MODALITIES
from mmstudio.modalities.glance.fingerprints import units
from mmstudio.modalities.text import read_text

BLOCK_ROWS, BLOCK_COLUMNS = 2048, 8192
"""64 MB of correlations at a time."""
NEAREST = 3
"""Rows of a block that are compared closely with a row."""
SHORTEST_TEXT_WORDS = 3
MOST_REPEATED = 0.05
"""Where a greater share of the training texts occurs twice in training itself, texts repeat by
nature, as short answers and phrases do, and their repeating in another split tells nothing."""


def duplicate_problems(examined: Examined) -> Iterator[Problem]:
    """One problem per row that has its like in a later split; that row is the one to leave out.

    Test rows are kept, so that the figures stay comparable.
    """
    for content in examined.inputs.values():
        if content.fingerprints is None:
            if not MODALITIES.get(content.settings.modality).holds_words:
                continue  # rows of few categories are alike by nature
            pairs = _equal_texts(content, examined.splits)
        else:
            pairs = _same_media(content, examined.splits)
        found: dict[int, set[int]] = defaultdict(set)
        for one, other in pairs:
            found[one].add(other)
        for row, others in sorted(found.items()):
            where = ", ".join(f"row {r + 1} ({examined.splits[r]})" for r in sorted(others))
            column = content.settings.column
            what = "This text"
            if content.fingerprints is not None:
                what = str(examined.table.cell(row, column))
            yield problem(
                row, column, "duplicate",
                f"{what} ({examined.splits[row]}) is, exactly or nearly, that of {where}.",
                "Leave this copy out.", rows=(row, *sorted(others)))


def _same_media(content: Input, splits: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs (row of an earlier split, row of a later one)."""
    fingerprints, modality = content.fingerprints, modality_of(content.settings)
    if fingerprints is None or modality.alike is None:
        return
    there = (np.diff(content.decoded.starts) > 0) & ~content.empty
    rows = [np.flatnonzero(there & (splits == split)) for split in SPLITS]
    for later in (1, 2):
        for earlier in range(later):
            for one, other in _candidates(fingerprints, rows[earlier], rows[later], modality.alike):
                a, b = content.decoded.row(one), content.decoded.row(other)
                if a is not None and b is not None and modality.same(a, b, content.spec):
                    yield one, other


def _candidates(
    fingerprints: np.ndarray, earlier: np.ndarray, later: np.ndarray, least: float
) -> Iterator[tuple[int, int]]:
    """For each later row its nearest earlier ones of every block, where near enough."""
    for start in range(0, len(earlier), BLOCK_COLUMNS):
        others = earlier[start : start + BLOCK_COLUMNS]
        there = units(fingerprints[others]).T
        for first in range(0, len(later), BLOCK_ROWS):
            these = later[first : first + BLOCK_ROWS]
            near = units(fingerprints[these]) @ there
            for _ in range(NEAREST):
                best = near.argmax(axis=1)
                for i in np.flatnonzero(near[np.arange(len(these)), best] >= least):
                    yield int(others[best[i]]), int(these[i])
                near[np.arange(len(these)), best] = -1.0


def _equal_texts(content: Input, splits: np.ndarray) -> Iterator[tuple[int, int]]:
    keys: dict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(content.values):
        if value is None or not splits[row]:
            continue
        try:
            words = words_of(read_text(value))
        except UserError:
            continue  # told as unreadable
        if len(words) >= SHORTEST_TEXT_WORDS:
            keys[" ".join(words)].append(row)
    trained = Counter(
        {key: sum(splits[r] == "train" for r in rows) for key, rows in keys.items()})
    again = sum(count for count in trained.values() if count > 1)
    if again > MOST_REPEATED * max(1, sum(trained.values())):
        return
    for rows in keys.values():
        latest = max((SPLITS.index(splits[r]) for r in rows), default=0)
        last = [r for r in rows if splits[r] == SPLITS[latest]]
        for row in rows:
            if splits[row] != SPLITS[latest]:
                for other in last:
                    yield row, other
