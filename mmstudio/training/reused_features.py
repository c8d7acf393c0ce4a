"""Features that were kept for other rows: what is new is encoded, the others are taken over.

A new row, or a label for one that had none, gives the kept features another name. Rows are known by
their decoded content, so those of the folder before are found wherever they stand now.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from mmstudio.data.mapped_rows import Decoded, contents_of, opened
from mmstudio.data.store_space import remove_if_unused, store_dir

BETWEEN = "-"
"""In the names of kept features, between what they are of and whose rows."""
MOST_FOLDERS = 3
"""The last used ones are looked at."""
BYTES_AT_ONCE = 32 << 20
"""Of content that is held in memory while rows are told apart; one row may be larger."""
ROWS_AT_ONCE = 4096


def of_family(key: str) -> list[Path]:
    """The folders of features by the same encoder, the last used first."""
    family = key.split(BETWEEN)[0]
    found = []
    for path in store_dir().glob(f"{family}{BETWEEN}*"):
        try:
            if path.suffix != ".part":
                found.append(((path / "index.json").stat().st_mtime, path))
        except OSError:  # it is just being removed
            continue
    return [path for _, path in sorted(found, reverse=True)]


class ReusedFeatures:
    """What of some rows' features is there already.

    Args:
        key: The name under which theirs will be kept.
        dtype: Of the features.
        decoded: All rows, as the encoder is given them.
        rows: The numbers of those that are encoded.
    """

    def __init__(self, key: str, dtype: str, decoded: Decoded, rows: np.ndarray) -> None:
        self._key = key
        self._dtype = dtype
        self._decoded = decoded
        self._rows = rows
        self._contents = np.zeros(len(decoded), dtype=np.uint64)
        self._read = 0

    @property
    def contents(self) -> np.ndarray:
        """``(N,)`` uint64, equal where rows hold the same; 0 for rows that are not encoded."""
        for _ in self.read():
            pass
        return self._contents

    def read(self) -> Iterator[int]:
        """Read all rows for ``contents``, once; yields how many are read, after each group."""
        tail = repr(self._decoded.tail).encode()
        while self._read < len(self._rows):
            some = self._rows[self._read :][: self._fitting()]
            arrays = [self._decoded.row(row) for row in some.tolist()]
            texts = [b"" if array is None else tail + array.tobytes() for array in arrays]
            # of each text by itself: which ones are in a group does not matter
            self._contents[some] = pl.Series(texts, dtype=pl.Binary).hash(0).to_numpy()
            self._read += len(some)
            yield self._read

    def _fitting(self) -> int:
        """How many of the rows that are left are read together."""
        some = self._rows[self._read :][:ROWS_AT_ONCE]
        starts = self._decoded.starts
        held = np.cumsum(starts[some + 1] - starts[some]) * self._decoded.data.itemsize
        return max(1, int(np.searchsorted(held, BYTES_AT_ONCE, side="right")))

    @cached_property
    def _found(self) -> list[tuple[Path, Decoded, np.ndarray]]:
        """The folders that hold some of them, and ``(N,)`` each row's place there, or -1."""
        found = []
        for path in of_family(self._key)[:MOST_FOLDERS]:
            theirs = contents_of(path.name)
            if theirs is None or path.name == self._key:
                continue
            order = np.argsort(theirs, kind="stable")
            at = np.searchsorted(theirs, self.contents, sorter=order).clip(max=len(theirs) - 1)
            places = np.where((theirs[order[at]] == self.contents) & (self.contents != 0),
                              order[at], -1)
            if (places >= 0).any():
                kept = opened(path.name, self._dtype)
                if kept is not None and len(kept) == len(theirs):
                    found.append((path, kept, places))
        return found

    def features(self, rows: np.ndarray) -> dict[int, np.ndarray]:
        """By the row the features of those among some rows that are there already."""
        known: dict[int, np.ndarray] = {}
        for _, kept, places in self._found:
            for row in rows.tolist():
                if row not in known and places[row] >= 0:
                    array = kept.row(int(places[row]))
                    if array is not None:
                        known[row] = array
        return known

    def clear_away(self) -> None:
        """Remove the folders that hold nothing else: all of it is in the new one."""
        found = self.__dict__.pop("_found", [])
        for path, kept, _ in found:
            theirs = contents_of(path.name)
            if kept.hold is not None:
                kept.hold.release()
            if theirs is not None and np.isin(theirs[theirs != 0], self.contents).all():
                remove_if_unused(path)
