"""Rows to tensors."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from mmstudio.data.mapped_rows import Decoded
from mmstudio.data.prepare import Dataset
from mmstudio.modalities import Modality

T = TypeVar("T")


@dataclass(frozen=True)
class InputBatch:
    """One input of a batch.

    Attributes:
        values: ``(B, …)`` as the modality collates them.
        mask: ``(B, T)`` bool, True = real; None where nothing varies in length.
        present: ``(B,)`` bool, False = this input is absent in this row.
        encoded: The values are ``(B, T, D)`` features that its encoder gave once, and ``mask`` is
            theirs.
        described: ``(B, D)`` its description for kernel machines, 0 where it is absent; None
            where nobody asks.
        there: ``(n,)`` the places of the rows that have it; None where nobody has looked. Looked
            for on the CPU: how many they are is known on a device that works on without an answer.
        fronted: The values are ``(B, T, D)`` of the fixed first part of its encoder, and ``mask``
            is theirs.
    """

    values: torch.Tensor
    mask: torch.Tensor | None
    present: torch.Tensor
    encoded: bool = False
    described: torch.Tensor | None = None
    there: torch.Tensor | None = None
    fronted: bool = False

    @property
    def made(self) -> bool:
        """Whether its values are no longer what the modality gave."""
        return self.encoded or self.fronted

    def to(self, device: torch.device) -> InputBatch:
        """The same on a device."""
        return self._each(lambda t: t.to(device, non_blocking=True))

    def pinned(self) -> InputBatch:
        """The same in memory from which a GPU copies by itself."""
        return self._each(torch.Tensor.pin_memory)

    def part(self, rows: slice) -> InputBatch:
        """Some of its rows."""
        part = dataclasses.replace(self, there=None)._each(lambda t: t[rows])
        return dataclasses.replace(part, there=places_of(part.present))

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> InputBatch:
        def changed(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else change(tensor)

        return InputBatch(change(self.values), changed(self.mask), change(self.present),
                          self.encoded, changed(self.described), changed(self.there),
                          self.fronted)


def places_of(present: torch.Tensor) -> torch.Tensor:
    """``(n,)`` the places where ``(B,)`` bool is True."""
    return present.nonzero().squeeze(1)


@dataclass(frozen=True)
class Batch:
    """Some rows.

    Attributes:
        inputs: Per input its tensors.
        targets: Per target ``(B, …)`` as its ``Labels`` hold them, 0 where unknown.
        known: Per target ``(B,)`` bool, False = the label is unknown.
        contents: ``(B, M)`` numbers, equal where an input's content is equal; None where nobody
            asks.
    """

    inputs: dict[str, InputBatch]
    targets: dict[str, torch.Tensor]
    known: dict[str, torch.Tensor]
    contents: torch.Tensor | None = None

    def __len__(self) -> int:
        """The number of rows."""
        return len(next(iter(self.known.values())))

    def part(self, rows: slice) -> Batch:
        """Some of its rows."""
        return Batch({n: i.part(rows) for n, i in self.inputs.items()},
                     {n: t[rows] for n, t in self.targets.items()},
                     {n: k[rows] for n, k in self.known.items()},
                     None if self.contents is None else self.contents[rows])

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(
            {n: i.to(device) for n, i in self.inputs.items()},
            {n: t.to(device, non_blocking=True) for n, t in self.targets.items()},
            {n: k.to(device, non_blocking=True) for n, k in self.known.items()},
            None if self.contents is None else self.contents.to(device, non_blocking=True),
        )

    def ready_for(self, device: torch.device) -> Batch:
        """The same, from where it can be copied to a device while that works: pinned for CUDA."""
        if device.type != "cuda":
            return self
        return Batch({n: i.pinned() for n, i in self.inputs.items()},
                     {n: t.pin_memory() for n, t in self.targets.items()},
                     {n: t.pin_memory() for n, t in self.known.items()}, self.contents)


def collate_input(
    modality: Modality, arrays: Sequence[np.ndarray | None], spec: Mapping[str, Any]
) -> InputBatch:
    """Decoded arrays of one input, None where absent, to tensors."""
    values, mask = modality.collate(arrays, spec)
    present = torch.tensor([a is not None for a in arrays])
    return InputBatch(values, mask, present, there=places_of(present))


def _features(dataset: Dataset, name: str, rows: np.ndarray) -> InputBatch | None:
    """An input's features that were computed once; None where they lack a row that is there."""
    encoded = dataset.encoded.get(name)
    arrays = None if encoded is None else _of_all(encoded, dataset.decoded[name], rows)
    if encoded is None or arrays is None:
        return None
    return collate_features(arrays, encoded.tail[0] if encoded.tail else 1)


def _front(dataset: Dataset, name: str, rows: np.ndarray) -> InputBatch | None:
    """What an input's encoder begins with; None where it lacks a row that is there."""
    front = dataset.fronts.get(name)
    arrays = None if front is None else _of_all(front.rows, dataset.decoded[name], rows)
    if front is None or arrays is None:
        return None
    starts = dataset.decoded[name].starts
    longest = int((starts[rows + 1] - starts[rows]).max(initial=0))
    batch = collate_features(arrays, front.rows.tail[0] if front.rows.tail else 1,
                             front.length(longest), np.float32)
    return dataclasses.replace(batch, encoded=False, fronted=True)


def _of_all(
    made: Decoded, decoded: Decoded, rows: np.ndarray
) -> list[np.ndarray | None] | None:
    """What was made of some rows, None for those that are absent; None where some lack it."""
    arrays = [made.row(r) for r in rows]
    starts = decoded.starts
    if any(a is None and starts[r] < starts[r + 1] for a, r in zip(arrays, rows, strict=True)):
        return None
    return arrays


def collate_features(
    arrays: Sequence[np.ndarray | None], width: int, length: int = 1, dtype: type = np.float16
) -> InputBatch:
    """Features ``(T, D)`` of one input, None where absent, to tensors; D is ``width``.

    Args:
        arrays: Of each row.
        width: D.
        length: The least T.
        dtype: Of the values.
    """
    lengths = np.array([0 if a is None else len(a) for a in arrays])
    longest = max(length, int(lengths.max(initial=1)))
    values: np.ndarray = np.zeros((len(arrays), longest, width), dtype=dtype)
    for row, array in enumerate(arrays):
        if array is not None:
            values[row, : len(array)] = array
    present = torch.from_numpy(lengths > 0)
    return InputBatch(
        torch.from_numpy(values), torch.from_numpy(np.arange(longest) < lengths[:, None]),
        present, encoded=True, there=places_of(present))


def input_batch(
    dataset: Dataset, modality: Modality, name: str, rows: np.ndarray
) -> InputBatch:
    """One input of these rows, on the CPU: what was computed once, or else its content."""
    item = _features(dataset, name, rows)
    if item is None:
        item = _front(dataset, name, rows)
    return item if item is not None else collate_input(
        modality, [dataset.decoded[name].row(r) for r in rows], dataset.schema.inputs[name])


def make_batch(dataset: Dataset, modalities: Mapping[str, Modality], rows: np.ndarray) -> Batch:
    """The batch of these rows, on the CPU."""
    inputs = {}
    for name, modality in modalities.items():
        inputs[name] = input_batch(dataset, modality, name, rows)
        if name in dataset.describers:
            described = dataset.describers[name](rows)
            inputs[name] = dataclasses.replace(inputs[name], described=described)
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    return Batch(inputs, {n: torch.from_numpy(part.values) for n, part in labels.items()},
                 {n: torch.from_numpy(part.known) for n, part in labels.items()})


def row_batches(
    rows: np.ndarray, batch_size: int, order: np.random.Generator | None = None
) -> list[np.ndarray]:
    """The rows in batches, shuffled by ``order`` where given; no batch is left with one row."""
    if order is not None:
        rows = order.permutation(rows)
    cuts = list(range(batch_size, len(rows), batch_size))
    # batch statistics of a single row are undefined in training
    if cuts and len(rows) - cuts[-1] == 1:
        cuts.pop()
    return np.split(rows, cuts)


def prefetched(items: Iterator[T], ahead: int = 2) -> Generator[T, None, None]:
    """The same items, made in a thread while the last one is used.

    Closing the generator ends the thread; what ``items`` raises is raised here.
    """
    line: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(entry: tuple[bool, Any]) -> bool:
        while not stop.is_set():
            try:
                line.put(entry, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def fill() -> None:
        try:
            for item in items:
                if not put((True, item)):
                    return
            put((False, None))
        except BaseException as error:  # handed to the consumer, who raises it
            put((False, error))

    thread = threading.Thread(target=fill, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            more, item = line.get()
            if more:
                yield item
            elif item is None:
                return
            else:
                raise item
    finally:
        stop.set()
        thread.join()
