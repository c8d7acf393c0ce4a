"""How many rows the memory holds at once: where it holds fewer, work is done in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import torch

from mmstudio.training.device import is_out_of_memory, release_memory
from mmstudio.training.events import Warned

T = TypeVar("T")


@dataclass
class MemoryChunks:
    """The largest part of a batch that is worked on at once; halved where memory runs out.

    Attributes:
        device: Whose memory it is.
        work: What is done, for the warning: ``each training step``.
        rows: The rows of a part; None as long as every batch was held whole.
    """

    device: torch.device
    work: str
    rows: int | None = None
    _told: list[tuple[int, int]] = field(default_factory=list, repr=False)

    def cut(self, count: int) -> list[slice]:
        """So many rows in parts of equal length, give or take one."""
        most = count if self.rows is None else self.rows
        parts = max(1, -(-count // max(1, most)))
        cuts = [count * i // parts for i in range(parts + 1)]
        return [slice(begin, end) for begin, end in pairwise(cuts)]

    def tried(self, count: int, work: Callable[[list[slice]], T]) -> T:
        """Do some work in parts, again from the start in smaller ones where memory runs out.

        Args:
            count: The rows of the batch.
            work: Takes the parts; must be able to start over.

        Raises:
            RuntimeError: Memory ran out at one row, or whatever else ``work`` raises.
        """
        while True:
            parts = self.cut(count)
            largest = max(part.stop - part.start for part in parts)
            try:
                return work(parts)
            except RuntimeError as error:
                if largest <= 1 or not is_out_of_memory(error):
                    raise
            # out of the handler, where the exception and the tensors that its frames hold are gone
            release_memory(self.device)
            self.rows = (largest + 1) // 2
            self._told.append((largest, self.rows))

    def warnings(self) -> list[Warned]:
        """A warning for each halving that was not told yet."""
        told, self._told = self._told, []
        return [Warned(
            f"The memory of {self.device} does not hold {before} samples at once: "
            f"{self.work} is done in parts of {now}.",
            "The samples of a step stay the same, it only takes longer. What looks at a "
            "whole batch (batch norm, alignment) sees the parts. A smaller training.batch_size "
            "avoids this.")
            for before, now in told]
