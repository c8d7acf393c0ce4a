"""Rows as a run's model represents them: by all inputs together, and by each input alone."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import Batch, make_batch, prefetched, row_batches
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.inference.predictor import Predictor
from mmstudio.threads import fitting_threads
from mmstudio.training.input_scores import answers_of_subsets
from mmstudio.training.memory_chunks import MemoryChunks

BATCH_SIZE = 64
MOST_IN_MEMORY = 128 << 20
"""Bytes of one array; a larger one is in a file, which the system reads as it is needed."""


@dataclass(frozen=True)
class Represented:
    """Rows as vectors, and what the model answers for them.

    Attributes:
        rows: ``(n,)`` their numbers in the table.
        present: ``(n, M)`` bool, which inputs each has.
        shared: ``(n, D)`` float32, all inputs as the fusion brings them together; of a fusion that
            keeps a view per input, their weighted mean.
        inputs: Per input ``(n, D_i)`` float32, its encoder's mean token; 0 where it is absent.
        together: Per target ``(n, …)`` the outputs from all inputs.
        alone: Per target and input ``(n, …)`` the outputs from this input alone.
    """

    rows: np.ndarray
    present: np.ndarray
    shared: np.ndarray
    inputs: dict[str, np.ndarray]
    together: dict[str, np.ndarray]
    alone: dict[str, dict[str, np.ndarray]]

    def views(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Under ``all`` and under each input its vectors, and ``(n,)`` bool where there are any."""
        each = {n: (x, self.present[:, i]) for i, (n, x) in enumerate(self.inputs.items())}
        return {ALL: (self.shared, np.asarray(self.present.any(axis=1))), **each}


ALL = ""
"""In the place of an input's name: all inputs together."""


def represented(
    predictor: Predictor, dataset: Dataset, rows: np.ndarray
) -> Iterator[Progress | Represented]:
    """Have rows represented; every input of every row is encoded once.

    Args:
        predictor: The run's best model.
        dataset: Where the rows are; with kept features where there are some.
        rows: Their numbers.

    Yields:
        Progress, last the rows in their order.
    """
    model = predictor.model
    held = MemoryChunks(predictor.device, "representing rows")
    batches = prefetched(make_batch(dataset, model.modalities, chosen)
                         for chosen in row_batches(rows, BATCH_SIZE) if len(chosen))
    gathered: dict[str, np.ndarray] = {}
    done = filled = 0
    with contextlib.closing(batches):
        for batch in batches:
            yield Progress("Representing rows", done, len(rows))
            with fitting_threads():
                for part in held.tried(len(batch), partial(_parts, predictor, batch)):
                    filled = _filled(gathered, part, filled, len(rows))
            done += len(batch)

    def of(key: str) -> np.ndarray:
        return gathered.get(key, np.zeros((0, 1), np.float32))

    yield Represented(
        rows, gathered.get("present", np.zeros((0, len(model.names)), dtype=bool)),
        of("shared"), {n: of(f"input {n}") for n in model.names},
        {t: of(f"together {t}") for t in model.task_names},
        {t: {n: of(f"alone {n} {t}") for n in model.names} for t in model.task_names})


def _filled(
    gathered: dict[str, np.ndarray], part: dict[str, np.ndarray], begin: int, rows: int
) -> int:
    """Put some rows in their place; where the next ones begin."""
    end = begin
    for key, values in part.items():
        if key not in gathered:
            gathered[key] = room_for((rows, *values.shape[1:]), values.dtype)
        end = begin + len(values)
        gathered[key][begin:end] = values
    return end


def room_for(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of zeros; a large one, as of many labels, lies in a file without a name."""
    if int(np.prod(shape)) * dtype.itemsize <= MOST_IN_MEMORY:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile() as file:
        file.truncate(int(np.prod(shape)) * dtype.itemsize)
        return np.memmap(file, dtype, "r+", shape=shape)


def _parts(predictor: Predictor, batch: Batch, parts: list[slice]) -> list[dict[str, np.ndarray]]:
    return [_of_batch(predictor, batch.part(part)) for part in parts]


@torch.inference_mode()
def _of_batch(predictor: Predictor, batch: Batch) -> dict[str, np.ndarray]:
    """What is kept of a batch, by name."""
    model = predictor.model
    features, present = model.encoded(model.prepared(batch.to(predictor.device)))
    fused = model.fusion(model.reduced(features, present), present)
    found = {"present": present,
             "shared": (fused.views * fused.weights.unsqueeze(-1)).sum(dim=1)}
    found |= {f"together {t}": o for t, o in model.answered(features, present).items()}
    for i, name in enumerate(model.names):
        found[f"input {name}"] = features[i].pooled() * present[:, i : i + 1]
        only = np.arange(len(model.names)) == i
        for target, outputs in answers_of_subsets(model, features, present, only).items():
            found[f"alone {name} {target}"] = outputs
    return {key: (value if value.dtype == torch.bool else value.float()).cpu().numpy()
            for key, value in found.items()}
