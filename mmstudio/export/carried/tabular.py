"""Columns: four numbers for each cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.export.carried.base import ROWS, Carried

ONLY_LEARNING = ("counts", "usual")
"""Of a column's settings, what only training needs."""
NEW = "something new"


class Columns(Carried):
    """``(B, C, 4)`` float32: known, size, rank and place of each cell."""

    given = '"column=1"'

    def settings(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The columns."""
        return {"columns": [{k: v for k, v in c.items() if k not in ONLY_LEARNING}
                            for c in spec["columns"]]}

    def example(
        self, spec: Mapping[str, Any], chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Nothing is known."""
        return torch.zeros(ROWS, len(spec["columns"]), 4), None

    def made_up(
        self, spec: Mapping[str, Any], folder: Path, at: int, chance: np.random.Generator
    ) -> Any:
        """Some known cells, some missing and some that training never saw."""
        cells: dict[str, Any] = {}
        for column in spec["columns"]:
            choices = [None, NEW] + (
                list(column["words"][:6]) if "words" in column
                else [str(k) for k in column["knots"][:: max(1, len(column["knots"]) // 5)]]
                + ["1e9"])
            cells[column["name"]] = choices[int(chance.integers(len(choices)))]
        if all(cell is None for cell in cells.values()):
            cells[spec["columns"][0]["name"]] = NEW
        return cells

    def described(self, spec: Mapping[str, Any], tensors: Mapping[str, str]) -> tuple[str, str]:
        """Its one tensor, and the columns' names."""
        return (f"`{tensors['values']}` float32 (B, {len(spec['columns'])}, 4)",
                "columns " + ", ".join(c["name"] for c in spec["columns"])
                + ": known, size, rank, place, see `read_cells` in predict.py")


CARRIED = Columns()
