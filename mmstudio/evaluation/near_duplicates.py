"""Near-duplicates: rows that hold the same content, or all but the same.

Across splits they are leaks: a test row whose copy was learnt tells nothing of new data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mmstudio.data.prepare import Dataset, Progress
from mmstudio.evaluation.neighbours import nearest_neighbours
from mmstudio.modalities import Modality
from mmstudio.modalities.glance.fingerprints import FINGERPRINT_BYTES, units

CLOSE = 0.02
"""Of the usual distance of neighbours: what is nearer in every input is all but the same."""
MOST_ROWS = 10_000
"""Rows that are compared with each other; of more, the test and validation rows come first."""
AT_ONCE = 128
BLOCK = 2048
NEAREST = 3
"""Rows of a block that are compared closely with a row."""


@dataclass(frozen=True)
class Pair:
    """Two rows of the table, the earlier one first, and in which inputs they are the same.

    ``likeness`` is 1 where they are equal, and less the further they are apart.
    """

    one: int
    other: int
    inputs: tuple[str, ...]
    likeness: float


def same_contents(
    dataset: Dataset, modality: Modality, name: str, rows: np.ndarray
) -> Iterator[Progress | Pair]:
    """Pairs of rows whose pictures, sounds … are copies of each other, by fingerprints.

    Candidates are alike in their fingerprints; the modality decides on the contents themselves.
    Nothing where a modality has no fingerprints.

    Args:
        dataset: Where the rows are.
        modality: Of the input.
        name: The input.
        rows: Their numbers.
    """
    decoded, spec = dataset.decoded[name], dataset.schema.inputs[name]
    rows = rows[np.diff(decoded.starts)[rows] > 0]
    if modality.alike is None or len(rows) < 2:
        return
    prints = np.zeros((len(rows), FINGERPRINT_BYTES), dtype=np.uint8)
    empty = np.zeros(len(rows), dtype=bool)
    for begin in range(0, len(rows), AT_ONCE):
        yield Progress(f"Looking for copies of {name}", begin, len(rows))
        some = slice(begin, begin + AT_ONCE)
        arrays = [np.asarray(decoded.row(int(r))) for r in rows[some]]
        prints[some], empty[some] = modality.fingerprints(arrays, spec)
    rows, vectors = rows[~empty], units(prints[~empty])
    for begin in range(0, len(rows), BLOCK):
        alike = vectors[begin : begin + BLOCK] @ vectors.T
        for line in range(len(alike)):
            alike[line, : begin + line + 1] = -1.0  # each pair once
        for _ in range(NEAREST):
            best = alike.argmax(axis=1)
            for i in np.flatnonzero(alike[np.arange(len(alike)), best] >= modality.alike):
                one, other = int(rows[begin + i]), int(rows[best[i]])
                a, b = decoded.row(one), decoded.row(other)
                if a is not None and b is not None and modality.same(a, b, spec):
                    likeness = float(alike[i, best[i]])
                    yield Pair(min(one, other), max(one, other), (name,), min(1.0, likeness))
            alike[np.arange(len(alike)), best] = -1.0


def close_rows(
    views: Mapping[str, tuple[np.ndarray, np.ndarray]], rows: np.ndarray
) -> list[Pair]:
    """Pairs of rows that have the same inputs and are all but the same in each of them.

    What is usual between nearest neighbours differs from input to input; one where most rows have
    an equal, as short answers and few categories do, tells nothing and can make no pair alone.

    Args:
        views: Per input its leveled vectors ``(n, D)`` and ``(n,)`` bool, True = present.
        rows: ``(n,)`` the rows' numbers.
    """
    usual = {}
    for name, (vectors, there) in views.items():
        at = np.flatnonzero(there)
        if len(at) > NEAREST:
            _, distances = nearest_neighbours(vectors[at], vectors[at], 1, np.arange(len(at)))
            usual[name] = float(np.median(distances))
    telling = [name for name in views if usual.get(name, 0.0) > 0]
    found: dict[tuple[int, int], float] = {}
    for name in telling:
        vectors, there = views[name]
        at = np.flatnonzero(there)
        near, distances = nearest_neighbours(vectors[at], vectors[at], NEAREST, np.arange(len(at)))
        for i, k in zip(*np.nonzero(distances <= CLOSE * usual[name]), strict=True):
            pair = int(at[i]), int(at[near[i, k]])
            apart = _apart(views, usual, *pair)
            if apart <= CLOSE:
                found[min(pair), max(pair)] = apart
    return [Pair(min(int(rows[i]), int(rows[k])), max(int(rows[i]), int(rows[k])),
                 tuple(n for n, (_, there) in views.items() if there[i]), 1 - apart)
            for (i, k), apart in sorted(found.items())]


def _apart(
    views: Mapping[str, tuple[np.ndarray, np.ndarray]], usual: Mapping[str, float], i: int, k: int
) -> float:
    """How far two rows are apart, at most over the inputs, in usual distances of neighbours."""
    most = 0.0
    for name, (vectors, there) in views.items():
        if there[i] != there[k]:
            return np.inf
        if there[i]:
            distance = float(np.linalg.norm(vectors[i] - vectors[k]))
            most = max(most, distance / usual[name] if usual.get(name, 0.0) > 0
                       else (0.0 if distance < 1e-6 else np.inf))
    return most


def compared_rows(splits: np.ndarray, rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """The rows that are compared: all, or where they are many, some of the training rows less.

    Args:
        splits: ``(N,)`` of all rows of the table.
        rows: Numbers of those that could be.
        seed: Which training rows are left.
    """
    if len(rows) <= MOST_ROWS:
        return rows
    drawn = np.random.default_rng(seed).permutation(rows)
    held_out_first = np.argsort(splits[drawn] == "train", kind="stable")
    return np.sort(drawn[held_out_first[:MOST_ROWS]])
