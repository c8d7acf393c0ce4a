"""Frozen encoders run once: their features are kept in the store, and batches hold these."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch

from mmstudio.data.batches import InputBatch, collate_input, prefetched
from mmstudio.data.mapped_rows import FORMAT, Chunk, Decoded, kept, opened
from mmstudio.data.prepare import Dataset, Progress
from mmstudio.data.row_marks import probe
from mmstudio.data.store_space import limit_bytes
from mmstudio.encoders import Encoder
from mmstudio.threads import fitting_threads
from mmstudio.training.events import Warned
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel
from mmstudio.training.reused_features import BETWEEN, ReusedFeatures, of_family
from mmstudio.units import size_text

ROWS, ROWS_ON_CPU = 128, 16
"""Encoded at once; few on the CPU, which gains nothing by more, so that a stop is quick."""
WINDOW_BYTES = 64 << 20
"""Of features that wait: among so many, rows of similar length are encoded together."""
MOST_WINDOW = 4096
DTYPE = "float16"
"""Of the features that are kept."""
LARGEST = float(np.finfo(DTYPE).max)


class _TooMuch(Exception):
    """The features would take more room than the store has; ``args[0]`` in bytes."""


def encoded_once(
    model: MultimodalModel, dataset: Dataset, device: torch.device, dtype: torch.dtype
) -> Iterator[Progress | Warned | Dataset]:
    """Have the frozen inputs' features at hand for all rows that are used.

    What was computed before, by whichever run, is read from the store. Closing the generator
    stops the work and removes what was begun.

    Args:
        model: On the device; it is left in the mode it was in.
        dataset: Its decoded rows are encoded.
        device: The model's.
        dtype: The number format of the layers, as in training.

    Yields:
        Progress, warnings, last the dataset, with features where there are some.

    Raises:
        UserError: The store can't be written.
        RuntimeError: Memory does not hold one row.
    """
    found: dict[str, Decoded] = {}
    for name, encoder in frozen_encoders(model).items():
        held = MemoryChunks(device, f"encoding {name}")
        job = Encoding(model, encoder, name, dataset, device, dtype, held)
        rows = job.rows
        try:
            for step in kept(job.key, DTYPE, len(dataset.table), job.chunks,
                             lambda job=job: job.before.contents):  # type: ignore[misc]
                yield from held.warnings()
                if isinstance(step, int):
                    yield Progress(f"Encoding {name}", int(np.searchsorted(rows, step)), len(rows))
                else:
                    found[name] = step
                    job.before.clear_away()
        except _TooMuch as error:
            yield Warned(
                f"The features of '{name}' would take {size_text(error.args[0])}, more than is "
                "kept: every epoch encodes again.",
                f"Lower inputs.{name}.encoder.tokens, or allow more in the app's settings "
                "(MMSTUDIO_CACHE_LIMIT_GB).")
    yield dataclasses.replace(dataset, encoded=found) if found else dataset


def frozen_encoders(model: MultimodalModel) -> dict[str, Encoder]:
    """The encoders whose features may be computed once."""
    encoders: list[Encoder] = list(model.encoders)  # type: ignore[arg-type]
    return {name: encoder for name, encoder in zip(model.names, encoders, strict=True)
            if encoder.stored_key is not None}


def with_kept_features(
    model: MultimodalModel, dataset: Dataset, device: torch.device, dtype: torch.dtype
) -> Dataset:
    """The dataset with the features that were computed before; the others are left to the model.

    For one look at some rows, where to encode all of them would be too much.
    """
    jobs = [Encoding(model, encoder, name, dataset, device, dtype, MemoryChunks(device, ""))
            for name, encoder in frozen_encoders(model).items()]
    opened_features = {job.name: opened(job.key, DTYPE) for job in jobs}
    found = {name: features for name, features in opened_features.items() if features is not None}
    return dataclasses.replace(dataset, encoded=found) if found else dataset


def rows_at_once(device: torch.device) -> int:
    """How many rows are encoded together."""
    return ROWS_ON_CPU if device.type == "cpu" else ROWS


def features_key(
    encoder: Encoder, decoded_key: str, used: np.ndarray, dtype: torch.dtype
) -> str:
    """The name under which features are kept: of the weights, the contents, and the used rows.

    It begins with what features of other rows by the same encoder begin with.

    Args:
        encoder: A frozen one.
        decoded_key: Of the decoded rows.
        used: ``(N,)`` bool, which of them are used.
        dtype: The number format of the layers.
    """
    whose = [FORMAT, encoder.stored_key, str(dtype), DTYPE, probe()]
    family = hashlib.blake2b(json.dumps(whose).encode(), digest_size=12).hexdigest()
    digest = hashlib.blake2b(decoded_key.encode(), digest_size=12)
    digest.update(np.packbits(used).tobytes())
    return f"{family}{BETWEEN}{digest.hexdigest()}"


@dataclass
class Encoding:
    """The work of encoding one input's rows.

    Attributes:
        model: On the device.
        encoder: The input's.
        name: The input.
        dataset: Where the rows are.
        device: The model's.
        dtype: The number format of the layers.
        held: In how large parts a batch is taken.
    """

    model: MultimodalModel
    encoder: Encoder
    name: str
    dataset: Dataset
    device: torch.device
    dtype: torch.dtype
    held: MemoryChunks

    @cached_property
    def before(self) -> ReusedFeatures:
        """The features that were kept of the same contents among other rows."""
        return ReusedFeatures(self.key, DTYPE, self.dataset.decoded[self.name], self.rows)

    @property
    def key(self) -> str:
        """The name of the features."""
        return features_key(self.encoder, self.dataset.decoded[self.name].key, self.dataset.used,
                            self.dtype)

    @property
    def lengths(self) -> np.ndarray:
        """``(N,)`` how long each row's content is, 0 where it is absent or not used."""
        return np.where(self.dataset.used, np.diff(self.dataset.decoded[self.name].starts), 0)

    @property
    def rows(self) -> np.ndarray:
        """The numbers of the rows that are encoded."""
        return np.flatnonzero(self.lengths)

    def chunks(self) -> Iterator[Chunk]:
        """The features of all rows in their order, a window of rows at a time."""
        lengths, rows = self.lengths, self.rows
        at_once = rows_at_once(self.device)
        window, begin, done = at_once, 0, 0
        alike = len(np.unique(lengths[rows])) < 2
        if of_family(self.key):
            yield from self._read()
        while begin < len(rows):
            these = rows[begin : begin + window]
            order = these[np.argsort(lengths[these], kind="stable")]
            found = self.before.features(order)
            order = np.array([r for r in order.tolist() if r not in found], dtype=np.int64)
            batches = np.split(order, range(at_once, len(order), at_once)) if len(order) else []
            for arrays in self.encoded(batches):
                found |= arrays
                yield Chunk(np.zeros(0, DTYPE), [], None)  # a moment to stop
            end = len(lengths) if begin + window >= len(rows) else int(these[-1]) + 1
            sizes = np.zeros(end - done, dtype=np.int64)
            sizes[these - done] = [found[r].size for r in these.tolist()]
            block = np.concatenate([found[r].ravel() for r in these.tolist()])
            yield Chunk(block, sizes.tolist(), found[int(these[0])].shape[1:])
            if begin == 0:
                self._check_room(block.nbytes // len(these) * len(rows))
            begin, done = begin + len(these), end
            if not alike:
                fitting = WINDOW_BYTES * len(these) // max(1, block.nbytes)
                window = max(at_once, min(MOST_WINDOW, fitting) // at_once * at_once)
        if done < len(lengths):
            yield Chunk(np.zeros(0, DTYPE), [0] * (len(lengths) - done), None)
        yield from self._read()

    def _read(self) -> Iterator[Chunk]:
        """Moments to stop, while the contents are read through."""
        for _ in self.before.read():
            yield Chunk(np.zeros(0, DTYPE), [], None)

    def encoded(self, batches: list[np.ndarray]) -> Iterator[dict[int, np.ndarray]]:
        """Per batch of rows, which all have the input, their features ``(T, D)`` by the row."""
        modality = self.model.modalities[self.name]
        spec, decoded = self.dataset.schema.inputs[self.name], self.dataset.decoded[self.name]
        items = prefetched(
            collate_input(modality, [decoded.row(r) for r in rows], spec) for rows in batches)
        with contextlib.closing(items):
            for rows, item in zip(batches, items, strict=False):
                with fitting_threads():
                    arrays = self.held.tried(len(rows), partial(self._in_parts, item))
                yield dict(zip(rows.tolist(), arrays, strict=True))

    def _check_room(self, expected: int) -> None:
        if expected > limit_bytes():
            raise _TooMuch(expected)

    def _in_parts(self, item: InputBatch, parts: list[slice]) -> list[np.ndarray]:
        return [array for part in parts for array in self._features(item.part(part))]

    def _features(self, item: InputBatch) -> list[np.ndarray]:
        """Per row of a batch its real tokens."""
        was_training = self.encoder.training
        self.encoder.eval()
        item = item.to(self.device)
        values = self.model.modalities[self.name].prepare(item.values)
        with torch.inference_mode(), torch.autocast(
            self.device.type, self.dtype, enabled=self.dtype != torch.float32
        ):
            features = self.encoder.encode(values, item.mask)
        self.encoder.train(was_training)
        tokens = features.tokens.float().clamp(-LARGEST, LARGEST).half().cpu().numpy()
        mask = features.mask.cpu().numpy()
        return [tokens[i][mask[i]] for i in range(len(tokens))]
