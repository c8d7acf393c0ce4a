"""The fixed first part of encoders, such as a spectrogram, worked out once for what nobody varies.

Validation rows are never varied, nor is an input that the experiment leaves as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mmstudio.data.batches import collate_input
from mmstudio.data.mapped_rows import FORMAT, Chunk, kept
from mmstudio.data.prepare import Dataset, KeptFront, Progress
from mmstudio.data.store_space import limit_bytes
from mmstudio.encoders.fixed_front import FixedFront
from mmstudio.errors import UserError
from mmstudio.threads import fitting_threads
from mmstudio.training.device import is_out_of_memory
from mmstudio.training.events import Warned
from mmstudio.training.model import MultimodalModel

AT_ONCE = 32
"""Rows that are worked out together."""
DTYPE = "float32"
"""Of what is kept: the steps are then the same, to the bit, as with what they would make."""
MOST_OF_STORE = 0.25
"""What would take more of the store's room is made in each step: the contents must stay there."""


def with_fronts(
    model: MultimodalModel, dataset: Dataset, device: torch.device, augment: bool
) -> Iterator[Progress | Warned | Dataset]:
    """Have what the encoders begin with at hand, for the rows of a training that are not varied.

    What was worked out before, by whichever run, is read from the store. Closing the generator
    stops the work and removes what was begun.

    Args:
        model: On the device.
        dataset: Its decoded rows.
        device: The model's.
        augment: Whether training varies the inputs that ``model`` names.

    Yields:
        Progress, last the dataset, with what was worked out. It only saves time: what memory or the
        store does not hold is warned of and made in each step.
    """
    fronts: dict[str, KeptFront] = {}
    for name, encoder in zip(model.names, model.encoders, strict=True):
        if not isinstance(encoder, FixedFront) or not encoder.is_in_two_parts:
            continue
        if name in dataset.encoded:
            continue
        splits = ["validation"] if augment and name in model.varied else ["train", "validation"]
        job = _Fronts(model, encoder, name, dataset, device, splits)
        why_not = ""
        try:
            if not len(job.rows) or not job.has_room():
                continue
            for step in kept(job.key, DTYPE, len(dataset.table), job.chunks):
                if isinstance(step, int):
                    yield Progress(f"Preparing {name}", int(np.searchsorted(job.rows, step)),
                                   len(job.rows))
                else:
                    fronts[name] = KeptFront(step, encoder.front_length)
        except UserError as error:
            why_not = str(error.message)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            why_not = f"The memory of {device} does not hold {AT_ONCE} rows at once."
        if why_not:  # told out here, where the error no longer holds what filled the memory
            yield Warned(f"What the encoder of '{name}' begins with can't be worked out once: "
                         f"{why_not}", "It is made in each step, which takes longer.")
    yield dataclasses.replace(dataset, fronts=fronts) if fronts else dataset


@dataclass
class _Fronts:
    """The work on one input's rows."""

    model: MultimodalModel
    encoder: FixedFront
    name: str
    dataset: Dataset
    device: torch.device
    splits: list[str]

    @cached_property
    def rows(self) -> np.ndarray:
        """The numbers of the rows that have the input and are asked for."""
        rows = np.concatenate([self.dataset.rows(split) for split in self.splits])
        there = np.diff(self.dataset.decoded[self.name].starts) > 0
        return np.sort(rows[there[rows]])

    @property
    def key(self) -> str:
        """The name under which they are kept: of the rule, the contents, and the rows."""
        decoded = self.dataset.decoded[self.name]
        whose = [FORMAT, self.encoder.front_key, torch.__version__, self.device.type, decoded.key]
        digest = hashlib.blake2b(json.dumps(whose).encode(), digest_size=16)
        digest.update(self.rows.astype("<i8").tobytes())
        return digest.hexdigest()

    def has_room(self) -> bool:
        """Whether they leave enough of the store to the contents; by the longest of the rows."""
        starts = self.dataset.decoded[self.name].starts
        lengths = starts[self.rows + 1] - starts[self.rows]
        longest = self.rows[[int(lengths.argmax())]]
        _, found = next(self._worked_out(longest))
        share = found[0].nbytes / int(lengths.max())
        return share * float(lengths.sum()) <= MOST_OF_STORE * limit_bytes()

    def chunks(self) -> Iterator[Chunk]:
        """All rows of the table in their order, a few at a time."""
        done, count = 0, len(self.dataset.table)
        for these, arrays in self._worked_out(self.rows):
            end = count if these[-1] == self.rows[-1] else int(these[-1]) + 1
            sizes = np.zeros(end - done, dtype=np.int64)
            sizes[these - done] = [array.size for array in arrays]
            block = np.concatenate([array.ravel() for array in arrays])
            yield Chunk(block, sizes.tolist(), arrays[0].shape[1:])
            done = end

    def _worked_out(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Some of the rows, and per row what the rule gives of it, ``(T, D)``."""
        modality, decoded = self.model.modalities[self.name], self.dataset.decoded[self.name]
        spec = self.dataset.schema.inputs[self.name]
        for begin in range(0, len(rows), AT_ONCE):
            these = rows[begin : begin + AT_ONCE]
            item = collate_input(modality, [decoded.row(r) for r in these], spec).to(self.device)
            with fitting_threads(), torch.inference_mode():
                front = self.encoder.front(modality.prepare(item.values), item.mask)
            tokens, mask = front.tokens.cpu().numpy(), front.mask.cpu().numpy()
            yield these, [tokens[i][mask[i]] for i in range(len(these))]
