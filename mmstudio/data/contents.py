"""Which rows of an input hold the same content."""

from __future__ import annotations

import hashlib

import numpy as np

from mmstudio.data.prepare import Dataset
from mmstudio.data.store import Decoded


def content_numbers(decoded: Decoded) -> np.ndarray:
    """``(N,)`` int64: equal numbers for rows whose decoded content is equal, -1 where absent.

    Decoded, since that is what a model sees: two texts whose words are all unknown to it, or two
    copies of a picture, are the same to it. Numbers count up from 0 in the order of the rows.
    """
    seen: dict[bytes, int] = {}
    numbers = np.full(len(decoded), -1, dtype=np.int64)
    for row in range(len(decoded)):
        array = decoded.row(row)
        if array is not None:
            # the shape follows from the size: all but the first of its sides are those of all
            key = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()
            numbers[row] = seen.setdefault(key, len(seen))
    return numbers


def contents_of(dataset: Dataset, names: list[str]) -> np.ndarray:
    """``(N, M)`` int64, ``content_numbers`` of these inputs."""
    return np.stack([content_numbers(dataset.decoded[name]) for name in names], axis=1)
