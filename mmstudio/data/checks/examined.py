"""What the families of checks look at: rows, splits, and the content as it was decoded once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmstudio.data.schema import modality_of
from mmstudio.data.store import WORKERS, Decoded
from mmstudio.data.table import Table
from mmstudio.experiment import Experiment, InputSettings, TargetSettings
from mmstudio.modalities.base import Value
from mmstudio.modalities.glance.fingerprints import FINGERPRINT_BYTES
from mmstudio.tasks.kinds import kind_of

CHUNK = 256


@dataclass(frozen=True)
class Input:
    """One input's content.

    Attributes:
        settings: Its settings.
        spec: What its modality learnt from the training rows.
        values: Every row's path or text.
        decoded: The decoded rows.
        fingerprints: ``(N, 256)`` uint8, zeros where absent; None where the modality has none.
        empty: ``(N,)`` bool, True = silent or blank.
    """

    settings: InputSettings
    spec: dict[str, Any]
    values: list[Value | None]
    decoded: Decoded
    fingerprints: np.ndarray | None
    empty: np.ndarray


@dataclass(frozen=True)
class Examined:
    """All that is known of the data; ``splits`` is ``(N,)``, "" = left out."""

    experiment: Experiment
    table: Table
    splits: np.ndarray
    inputs: dict[str, Input]


def look_at(
    settings: InputSettings, spec: dict[str, Any], values: list[Value | None], decoded: Decoded
) -> Iterator[int | Input]:
    """Go through the decoded rows once. Yields how many are done, last the input."""
    count = len(values)
    empty = np.zeros(count, dtype=bool)
    modality = modality_of(settings)
    if modality.alike is None:
        yield Input(settings, spec, values, decoded, None, empty)
        return
    fingerprints = np.zeros((count, FINGERPRINT_BYTES), dtype=np.uint8)

    def one(start: int) -> int:
        end = min(start + CHUNK, count)
        rows = [r for r in range(start, end) if decoded.row(r) is not None]
        arrays = [np.asarray(decoded.row(r)) for r in rows]
        if rows:
            fingerprints[rows], empty[rows] = modality.fingerprints(arrays, spec)
        return end

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="check") as pool:
        waiting = range(0, count, CHUNK)
        # a few chunks at a time: closing the generator soon ends the work
        for first in range(0, len(waiting), 2 * WORKERS):
            yield from pool.map(one, waiting[first : first + 2 * WORKERS])
    yield Input(settings, spec, values, decoded, fingerprints, empty)


def labels_of(table: Table, target: TargetSettings) -> list[list[str]]:
    """Every row's labels: none where the cell is empty, several where the task takes several."""
    cells = table.column(target.column).to_list()
    kind = kind_of(target.task)
    return [[] if cell is None else kind.labels_in(cell, target.options) for cell in cells]


def has_labels(target: TargetSettings) -> bool:
    """Whether the target's cells hold labels rather than numbers."""
    return not kind_of(target.task).numeric


def words_of(text: str) -> list[str]:
    """The words and numbers of a text, without case, marks and blanks."""
    return re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", text).casefold())
