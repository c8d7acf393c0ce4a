"""A process's own rows of a batch that several make together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from mmstudio.data.batches import Batch, InputBatch, input_batch, places_of
from mmstudio.data.prepare import Dataset
from mmstudio.modalities import Modality


@dataclass(frozen=True)
class Place:
    """Where a process's rows are among all: ``before`` of others, ``own``, ``count`` in all."""

    before: int
    own: int
    count: int

    def of(self, values: torch.Tensor) -> torch.Tensor:
        """Its rows of values ``(count, …)``."""
        return values[self.before : self.before + self.own]


@dataclass(frozen=True)
class OwnRows:
    """Some rows of a batch, and what is known of all without reading them.

    A layer that looks at a whole batch needs every process to take part. Where others have an
    input and this process's rows don't, the content of one of theirs stands in: it goes through
    the encoder, counts nowhere, and an absent token stands in its place behind it.

    Attributes:
        batch: The own rows, padded as the whole batch would be; one that counts nowhere if none.
        place: Where they are.
        places: Per input, the same among the rows that have it.
        present: ``(B, M)`` bool of all rows.
        targets: Per target of all rows.
        known: Per target ``(B,)`` bool of all rows.
    """

    batch: Batch
    place: Place
    places: tuple[Place, ...]
    present: torch.Tensor
    targets: dict[str, torch.Tensor]
    known: dict[str, torch.Tensor]

    def __len__(self) -> int:
        """The number of all rows."""
        return self.place.count

    def ready_for(self, device: torch.device) -> OwnRows:
        """See ``Batch.ready_for``."""
        return dataclasses.replace(self, batch=self.batch.ready_for(device))


def own_rows(
    share: slice, dataset: Dataset, modalities: Mapping[str, Modality], rows: np.ndarray
) -> OwnRows:
    """A process's part of a batch; no other row is read, but the longest content for padding.

    Args:
        share: Which of the rows are its own.
        dataset: Where they are.
        modalities: Per input.
        rows: The numbers of the whole batch's rows.
    """
    own = rows[share]
    sizes = np.stack([_sizes(dataset, name, rows) for name in modalities])  # (M, B)
    present = torch.from_numpy(sizes.T > 0)
    inputs = {}
    for name, lengths in zip(modalities, sizes, strict=True):
        mine = own if len(own) else rows[:1]
        longest = rows[[int(lengths.argmax())]] if lengths.any() else rows[:0]
        inputs[name] = _without_last(
            input_batch(dataset, modalities[name], name, np.concatenate([mine, longest])),
            len(mine), len(own) > 0)
    labels = {n: labels.of(rows) for n, labels in dataset.labels.items()}
    targets = {n: torch.from_numpy(part.values) for n, part in labels.items()}
    known = {n: torch.from_numpy(part.known) for n, part in labels.items()}
    some = share if len(own) else slice(0, 1)
    counts = {n: k[some] if len(own) else torch.zeros_like(k[some]) for n, k in known.items()}
    batch = Batch(inputs, {n: t[some] for n, t in targets.items()}, counts)
    places = tuple(Place(int((lengths[: share.start] > 0).sum()), int((lengths[share] > 0).sum()),
                         int((lengths > 0).sum())) for lengths in sizes)
    return OwnRows(batch, Place(share.start, len(own), len(rows)), places, present, targets, known)


def _sizes(dataset: Dataset, name: str, rows: np.ndarray) -> np.ndarray:
    """``(B,)`` how long each row's content is, 0 where it is absent."""
    starts = dataset.encoded.get(name, dataset.decoded[name]).starts
    return np.asarray(starts[rows + 1] - starts[rows])


def _without_last(item: InputBatch, count: int, any_own: bool) -> InputBatch:
    """The first rows of an input; where none of them has it, the last one's content stands in."""
    values, present = item.values[:count], item.present[:count]
    mask = None if item.mask is None else item.mask[:count]
    if not any_own:
        present = torch.zeros_like(present)
    there = places_of(present)
    if len(item.present) > count and not len(there):
        values[0] = item.values[-1]
        if mask is not None and item.mask is not None:
            mask[0] = item.mask[-1]
        there = torch.zeros(1, dtype=torch.long)
    return dataclasses.replace(
        item, values=values, mask=mask, present=present, described=None, there=there)
