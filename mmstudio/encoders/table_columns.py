"""Numbers and categories as they are, side by side."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch.nn import functional

from mmstudio.encoders.base import ENCODERS
from mmstudio.encoders.descriptive import Description, DescriptiveEncoder
from mmstudio.modalities.tabular import CATEGORY, KNOWN, PLACE, RANK, SIZE, SPREAD_OF_RANKS
from mmstudio.registry import Range

STEPS = 8
"""A number's rank is also told in so many steps of equal counts."""


@ENCODERS.register(
    "columns", modality="tabular", title="Columns side by side",
    summary="Each number, its rank and each category as one figure; needs few rows.",
    source="Conover and Iman 1981 (ranks in place of numbers)",
)
class TableColumns(DescriptiveEncoder):
    """A row's cells in two ways, for machines of two kinds.

    ``values`` are measurements: each number, its rank, whether it is missing, and 1 at the place
    of each category. ``steps`` counts: 1 at the step of each number's rank and at each category,
    so that a straight line over them is any sum of functions of single columns.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        *,
        width: Annotated[int, Range(8, 1024, "width of its features")] = 128,
        dropout: Annotated[float, Range(0.0, 0.9, "share of features hidden in training")] = 0.1,
    ) -> None:
        columns = spec["columns"]
        self._numbers = [i for i, c in enumerate(columns) if c["kind"] != CATEGORY]
        self._sizes = [1 + len(c["words"] if c["kind"] == CATEGORY else c["levels"])
                       for c in columns]
        self._names = [c["name"] for c in columns]
        super().__init__(spec, width, dropout)

    @property
    def parts(self) -> tuple[Description, ...]:
        """The values and the steps."""
        flags = len(self._sizes)
        return (Description("values", 2 * len(self._numbers) + flags + sum(self._sizes)),
                Description("steps", STEPS * len(self._numbers) + flags + sum(self._sizes),
                            counts=True))

    @property
    def stored_key(self) -> str | None:
        """None: it is quicker than reading what was kept."""
        return None

    def describe(self, values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """``(B, C, 4)`` cells to ``(B, D)``."""
        values = values.float()
        known = values[:, :, KNOWN]
        places = torch.cat([
            functional.one_hot(values[:, i, PLACE].long().clamp(0, size - 1), size)
            * known[:, i : i + 1] for i, size in enumerate(self._sizes)], dim=1)
        if not self._numbers:
            numbers = steps = values.new_zeros(len(values), 0)
        else:
            some = values[:, self._numbers]
            there = some[:, :, KNOWN]
            share = (some[:, :, RANK] / SPREAD_OF_RANKS + 0.5).clamp(0, 1)
            step = (share * STEPS).long().clamp(max=STEPS - 1)
            steps = (functional.one_hot(step, STEPS) * there.unsqueeze(2)).flatten(1)
            numbers = torch.cat([some[:, :, SIZE], some[:, :, RANK]], dim=1)
        return torch.cat([numbers, known, places, steps, 1 - known, places], dim=1)
