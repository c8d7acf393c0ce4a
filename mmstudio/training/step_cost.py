"""A few steps on a few rows: what a row costs in memory and in time."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from mmstudio.data.batches import make_batch
from mmstudio.data.mapped_rows import Decoded, exists
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.store import key_of
from mmstudio.data.store_space import limit_bytes
from mmstudio.experiment import Experiment
from mmstudio.threads import fitting_threads
from mmstudio.training.device import choose_precision
from mmstudio.training.dry_data import DryData
from mmstudio.training.encode_once import (
    DTYPE,
    Encoding,
    features_key,
    frozen_encoders,
    rows_at_once,
)
from mmstudio.training.measured import MANY_STEPS, with_format
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel, build_model
from mmstudio.training.optimise import kept_inputs
from mmstudio.training.peak_memory import Peak, bytes_of, measured
from mmstudio.training.step import Run, make_run, take_step

FEW, MORE = 8, 32
"""Rows of the two steps that are compared."""
LITTLE, HEAVY_S = 2, 1.0
"""Where a step takes longer than this, so many rows, and twice as many, have to do."""
MARGIN = 1.1
"""For what kernels take for themselves, and batches that wait."""


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        held_bytes: Weights, gradients and the optimiser's state, and what else is always there.
        bytes_per_row: Of activations, and of their gradients.
        step_seconds: Of a step, however few rows it has.
        seconds_per_row: Of a step's row.
        encode_seconds: For all rows of the frozen inputs that are not encoded yet.
        encode_bytes: The most that this takes.
        parameters: Of the model.
        trained: Of these, those that training changes.
        most_rows: Where memory did not hold more at once; None where that was not met.
    """

    held_bytes: float
    bytes_per_row: float
    step_seconds: float
    seconds_per_row: float
    encode_seconds: float
    encode_bytes: int
    parameters: int
    trained: int
    most_rows: int | None = None

    def memory(self, rows: int) -> int:
        """What the steps of so large batches hold at most."""
        return int(self.held_bytes + MARGIN * self.bytes_per_row * rows)

    def seconds(self, rows: int) -> float:
        """How long a step of so many rows takes."""
        return self.step_seconds + rows * self.seconds_per_row


def costs_of(
    experiment: Experiment, data: DryData, device: torch.device, free: int
) -> Iterator[Progress | Costs]:
    """Build the model and try it; only what is between two yields touches torch's random state.

    Args:
        experiment: A completed experiment.
        data: The rows to try it with.
        device: Where it would train.
        free: Bytes; a step that would need more is not tried.

    Raises:
        RuntimeError: Memory did not hold one row.
    """
    yield Progress("Building the model", 0, 3)
    with _aside(device):
        torch.manual_seed(experiment.training.seed)
        model = build_model(experiment, data.dataset.schema)
        model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    yield Progress("Encoding a few rows", 1, 3)
    with _aside(device):
        likely = with_format(experiment, model, data.dataset, device, MANY_STEPS + 1)
        dtype = choose_precision(likely.training.precision, device)
        dataset, encoding = _encoded(model, data, device, dtype)
    yield Progress("Trying a few steps", 2, 3)
    with _aside(device):
        found = _Steps(experiment, make_run(experiment, dataset, model, device, dtype, 1),
                       dataset).costs(free)
    yield dataclasses.replace(found, encode_seconds=sum(s for s, _ in encoding),
                              encode_bytes=max((b for _, b in encoding), default=0))


def _aside(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """What is drawn inside leaves no trace."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _timed(device: torch.device, work: Callable[[], object]) -> float:
    """How many seconds some work takes until its last result is there."""
    _wait(device)
    began = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


# Frozen encoders -------------------------------------------------------------------------------


def _encoded(
    model: MultimodalModel, data: DryData, device: torch.device, dtype: torch.dtype
) -> tuple[Dataset, list[tuple[float, int]]]:
    """The rows with the features of frozen encoders, as an epoch has them.

    Returns:
        The dataset; and per input that is not encoded yet the seconds for all its rows, and the
        most bytes that are held meanwhile.
    """
    found: dict[str, Decoded] = {}
    encoding = []
    for name, encoder in frozen_encoders(model).items():
        work = Encoding(model, encoder, name, data.dataset, device, dtype, MemoryChunks(device, ""))
        features, seconds, most = _tried(work)
        if not features:
            continue
        values = data.values[name]
        key = key_of(model.modalities[name], data.dataset.schema.inputs[name], values)
        count = sum(v is not None and used for v, used in zip(values, data.used, strict=True))
        each = sum(a.nbytes for a in features.values()) / len(features)
        if each * count > limit_bytes():
            continue  # every epoch encodes again, so do the steps
        if not exists(features_key(encoder, key, data.used, dtype), DTYPE):
            encoding.append((seconds * count, most))
        found[name] = _rows_of(features, data.dataset.decoded[name])
    return dataclasses.replace(data.dataset, encoded=found), encoding


def _tried(work: Encoding) -> tuple[dict[int, np.ndarray], float, int]:
    """Some rows' features; the seconds per row; the most bytes held for a whole batch."""
    rows, at_once = work.rows, rows_at_once(work.device)
    if not len(rows):
        return {}, 0.0, 0
    held, peak = [*work.model.parameters(), *work.model.buffers()], Peak()
    found: dict[int, np.ndarray] = {}

    def encode(some: np.ndarray) -> None:
        for arrays in work.encoded([some]):
            found.update(arrays)

    with measured(work.device, held, peak):
        first = _timed(work.device, lambda: encode(rows[:LITTLE]))
    if first < 10 * HEAVY_S:  # the first one sets kernels up
        first = _timed(work.device, lambda: encode(rows[:LITTLE]))
    more = rows[:LITTLE] if first > HEAVY_S else rows[:at_once]
    seconds = _timed(work.device, lambda: encode(more)) / len(more)
    each = (peak.bytes - bytes_of(held)) / len(rows[:LITTLE])
    return found, seconds, int(bytes_of(held) + MARGIN * each * at_once)


def _rows_of(features: dict[int, np.ndarray], decoded: Decoded) -> Decoded:
    """Features as batches read them; rows that were not tried have those of one that was."""
    some = next(iter(features.values()))
    there = np.diff(decoded.starts) > 0
    arrays = [features.get(row, some) for row in np.flatnonzero(there).tolist()]
    sizes = np.zeros(len(decoded), dtype=np.int64)
    sizes[there] = [a.size for a in arrays]
    return Decoded(np.concatenate([a.ravel() for a in arrays]),
                   np.concatenate([[0], np.cumsum(sizes)]), some.shape[1:], {})


# Steps -----------------------------------------------------------------------------------------


class _Steps:
    """Steps of the run on rows that have as many inputs as any, the longest first."""

    def __init__(self, experiment: Experiment, run: Run, dataset: Dataset) -> None:
        self.experiment = experiment
        self.run = run
        self.dataset = dataset
        lengths = np.stack([np.diff(d.starts) for d in dataset.decoded.values()], axis=1)
        shares = lengths / lengths.max(axis=0).clip(min=1)
        self.order = np.lexsort((-shares.sum(axis=1), -(lengths > 0).sum(axis=1)))
        self.chance = torch.Generator().manual_seed(0)
        self.vary = torch.Generator(run.device).manual_seed(0)
        run.model.train()

    def costs(self, free: int) -> Costs:
        """What a row costs; ``free`` bytes bound what is tried."""
        parameters = list(self.run.model.parameters())
        trained = [p for p in parameters if p.requires_grad]
        first = self._warm_seconds()
        few, more = (LITTLE, 2 * LITTLE) if first > HEAVY_S else (FEW, MORE)
        static = bytes_of(self._held()) + bytes_of(trained)  # gradients are as large as weights
        low = self._peak(few)
        each, rows = max(0.0, (low - static) / few), few
        if static + MARGIN * each * more < free and self.run.parts.rows is None:
            each, rows = max(0.0, (self._peak(more) - low) / (more - few)), more
        if first > HEAVY_S or rows == few:
            step, at = 0.0, min(first / LITTLE, self._seconds(rows) / rows)
        else:
            # apart from the counting of memory, which takes as long as a small step itself
            quick, slow = (min(self._seconds(n) for _ in range(3)) for n in (few, rows))
            at = max(0.0, (slow - quick) / (rows - few))
            step = max(0.0, quick - few * at)
        # kept in the computer's memory, which only CUDA devices don't share
        averaged = (bytes_of(trained) if self.experiment.training.averaging > 0
                    and self.run.device.type != "cuda" else 0)
        return Costs(
            max(static, low - few * each) + averaged, each, step, at, 0.0, 0,
            sum(p.numel() for p in parameters), sum(p.numel() for p in trained),
            self.run.parts.rows)

    def _held(self) -> list[torch.Tensor]:
        """Weights and the optimisers' state."""
        run = self.run
        optimisers = [run.optimiser] if run.watch is None else [
            run.optimiser, run.watch.optimiser]
        states = [t for o in optimisers for state in o.state.values() for t in state.values()
                  if isinstance(t, torch.Tensor)]
        return [*run.model.parameters(), *run.model.buffers(), *states]

    def _warm_seconds(self) -> float:
        """How long a step of very few rows takes; not the first one, which sets kernels up."""
        first = self._seconds(LITTLE)
        return first if first > 10 * HEAVY_S else min(first, self._seconds(LITTLE))

    def _peak(self, count: int) -> int:
        """The most bytes that are held in a step of so many rows."""
        peak = Peak()
        with measured(self.run.device, self._held(), peak):
            self._seconds(count)
        return peak.bytes

    def _seconds(self, count: int) -> float:
        """How long a step of so many rows takes."""
        rows = np.resize(self.order, count)
        batch = make_batch(self.dataset, self.run.model.modalities, rows)
        if self.run.contents is not None:
            batch = dataclasses.replace(batch, contents=torch.from_numpy(self.run.contents[rows]))
        present = torch.stack([i.present for i in batch.inputs.values()], dim=1)
        keep = kept_inputs(present, self.experiment.input_dropout, self.chance)
        vary = self.vary if self.experiment.training.augment else None
        with fitting_threads():
            return _timed(self.run.device, lambda: take_step(self.run, batch, keep, vary))
