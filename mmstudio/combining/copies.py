"""Varied copies of the training rows for the kernel machines, where they help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mmstudio.combining.fitting import tried
from mmstudio.combining.machines import PUBLISHED
from mmstudio.combining.material import Known, Material

MOST_TRIED = 300
"""Rows of training, and of validation, on which it is found out whether copies help."""
BETTER = 0.97
"""They are kept for an input whose validation rows are answered with less than this share of the
error."""


def with_copies(material: Material, varied: Mapping[int, np.ndarray]) -> Material:
    """The material with a varied copy of each training row, of the inputs for which that helps.

    Args:
        material: Without copies.
        varied: Per place of an input that can be varied ``(n, D)`` descriptions of all rows'
            varied contents.
    """
    helped = {at: rows for at, rows in varied.items() if _helps(material, at, rows)}
    return _copied(material, helped) if helped else material


def _helps(material: Material, at: int, varied: np.ndarray) -> bool:
    """Whether copies of one input make the answers to validation rows better."""
    chance = np.random.default_rng(0)
    there = material.present[:, at]
    rows = np.sort(np.concatenate([
        chance.permutation(np.flatnonzero(there & (material.trained == trained)))[:MOST_TRIED]
        for trained in (True, False)]))
    few = _part(material, at, rows)
    if few is None or few.trained.all() or few.trained.sum() < 2:
        return False
    plain, copied = (tried(one, whole=True)[0][1]
                     for one in (few, _copied(few, {0: varied[rows]})))
    return copied < BETTER * plain


def _part(material: Material, at: int, rows: np.ndarray) -> Material | None:
    """Some rows of one input alone; None where nothing that can be varied describes it."""
    places = [b for b, block in enumerate(material.blocks)
              if block.input == at and block.name != PUBLISHED and not block.counts]
    if not places:
        return None
    targets = {n: Known(k.values[rows], k.known[rows], k.labels[rows])
               for n, k in material.targets.items()}
    return Material(
        [replace(material.blocks[b], input=0) for b in places],
        [material.rows[b][rows] for b in places], np.ones((len(rows), 1), dtype=bool),
        material.trained[rows], targets, material.tasks)


def _copied(material: Material, varied: Mapping[int, np.ndarray]) -> Material:
    """Each training row once more, with other descriptions of some inputs."""
    inside = np.flatnonzero(material.trained)
    rows = []
    for block, numbers in zip(material.blocks, material.rows, strict=True):
        copies: Any = numbers[inside]
        if block.input in varied and not block.counts and block.name != PUBLISHED:
            copies = varied[block.input][inside, block.begin : block.end]
        rows.append(_stacked(numbers, copies))
    places = np.concatenate([np.arange(len(material.trained)), inside])
    targets = {n: Known(k.values[places], k.known[places], k.labels[places])
               for n, k in material.targets.items()}
    return Material(material.blocks, rows, material.present[places], material.trained[places],
                    targets, material.tasks, origins=places)


def _stacked(some: Any, more: Any) -> Any:
    if isinstance(some, np.ndarray):
        return np.concatenate([some, more])
    from scipy.sparse import vstack

    return vstack([some, more], format="csr")
