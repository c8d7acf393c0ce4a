"""Records in columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmstudio.modalities.pieces import Pieces, Shown, Spot


@dataclass(frozen=True)
class ColumnsMap(Shown):
    """Which columns.

    Attributes:
        weights: ``(columns,)``.
        spots: The columns, each with its ``cell``, None where it is missing.
    """

    weights: np.ndarray
    spots: tuple[Spot, ...]

    def to_json(self) -> dict[str, Any]:
        """Per column its cell and its weight."""
        return {"columns": [{"column": spot.name, "weight": spot.weight} | spot.where
                            for spot in self.spots]}


class TablePieces(Pieces):
    """The columns; one that is hidden is missing.

    Args:
        cells: The record's filled cells by column.
        spec: What ``fit`` learnt.
    """

    def __init__(self, cells: Mapping[str, str], spec: Mapping[str, Any]) -> None:
        self.cells = dict(cells)
        self.columns = [str(column["name"]) for column in spec["columns"]]
        self.shape = (len(self.columns),)

    def hidden(
        self, values: torch.Tensor, mask: torch.Tensor | None, gone: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Cells that are missing are zeros."""
        away = torch.from_numpy(gone).to(values.device).unsqueeze(2)
        return values.masked_fill(away, 0), mask

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """They are one per column already."""
        return weights

    def names(self) -> list[str]:
        """Those of the columns."""
        return list(self.columns)

    def shown(self, weights: np.ndarray, *, whole: bool) -> ColumnsMap:
        """One weight per column."""
        return ColumnsMap(weights, tuple(
            Spot(name, float(weight), {"cell": self.cells.get(name)})
            for name, weight in zip(self.columns, weights, strict=True)))
