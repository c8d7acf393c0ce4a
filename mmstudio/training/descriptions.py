"""What plainly describes each input's contents, worked out once for all rows and kept."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from mmstudio.combining.describer import Describer
from mmstudio.data.mapped_rows import Chunk, Decoded, kept
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.schema import Schema
from mmstudio.modalities import Modality
from mmstudio.training.model import MultimodalModel

AT_ONCE = 64
MOST_KEPT = 20_000
"""Rows whose descriptions are worked out once; of more only those that are asked for."""


def described(
    dataset: Dataset, modalities: Mapping[str, Modality], describers: Mapping[str, Describer],
) -> Iterator[Progress | Dataset]:
    """Have the rows' descriptions at hand: worked out once and kept, or whenever asked for.

    Yields:
        Progress, last the dataset.
    """
    found: dict[str, Callable[[np.ndarray], Any]] = {}
    for name, describer in describers.items():
        modality, spec = modalities[name], dataset.schema.inputs[name]
        work = partial(_work_out, dataset.decoded[name], describer, modality, spec)
        key, decoded = describer.stored_key, dataset.decoded[name]
        if key is None or len(dataset.table) > MOST_KEPT:
            found[name] = work
            continue
        name_of_it = hashlib.blake2b(json.dumps([key, decoded.key]).encode(), digest_size=16)
        rows = dataset.used & (np.diff(decoded.starts) > 0)
        name_of_it.update(np.packbits(rows).tobytes())
        for step in kept(name_of_it.hexdigest(), "float32", len(rows),
                         partial(_chunks, work, rows, describer.width)):
            if isinstance(step, Decoded):
                found[name] = partial(_looked_up, step, work)
            else:
                yield Progress(f"Describing {name}", step, len(rows))
    yield dataclasses.replace(dataset, describers=found)


def _work_out(
    decoded: Decoded, describer: Describer, modality: Modality, spec: Mapping[str, Any],
    rows: np.ndarray,
) -> torch.Tensor:
    return describer.of_arrays(modality, [decoded.row(r) for r in rows], spec)


def _chunks(work: Any, used: np.ndarray, width: int) -> Iterator[Chunk]:
    for begin in range(0, len(used), AT_ONCE):
        rows = np.arange(begin, min(len(used), begin + AT_ONCE))
        some = rows[used[rows]]
        block = work(some).numpy().ravel() if len(some) else np.zeros(0, np.float32)
        yield Chunk(block, np.where(used[rows], width, 0).tolist(), ())


def _looked_up(decoded: Decoded, work: Any, rows: np.ndarray) -> torch.Tensor:
    arrays = [decoded.row(r) for r in rows]
    if any(array is None for array in arrays):  # absent, or not among those that were kept
        found: torch.Tensor = work(rows)
        return found
    return torch.from_numpy(np.stack(arrays))  # type: ignore[arg-type]


def describers_for(model: MultimodalModel, schema: Schema) -> dict[str, Describer]:
    """Per input what describes it; inputs of a modality that nothing describes are left out."""
    found = {}
    for name, modality in model.modalities.items():
        describer = Describer(modality.name, schema.inputs[name])
        if describer.width:
            found[name] = describer
    return found
