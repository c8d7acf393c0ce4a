"""Rows of numbers and categories that get worse: noise in the numbers, cells that are missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mmstudio.modalities.corruption import Content, Corruption
from mmstudio.modalities.records import read_record
from mmstudio.modalities.tabular import CATEGORY, number_of

Change = Callable[[str, Mapping[str, Any]], str | None]


def _changed(content: Content, change: Change) -> np.ndarray:
    """The record with each filled cell changed, given the cell and its column."""
    columns = {column["name"]: column for column in content.spec["columns"]}
    record = read_record(str(content.value), columns)
    cells = {name: change(cell, columns[name]) for name, cell in record.items()}
    return content.decode(json.dumps(cells))


def noise(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Normal noise of so many usual deviations of its column in each number."""
    def noisy(cell: str, column: Mapping[str, Any]) -> str:
        number = None if column["kind"] == CATEGORY else number_of(cell, column)
        if number is None:
            return cell
        return f"{number + strength * column['width'] * chance.normal():.12g}"

    return _changed(content, noisy)


def missing(content: Content, strength: float, chance: np.random.Generator) -> np.ndarray:
    """Each cell is missing with this chance."""
    return _changed(content, lambda cell, _: None if chance.random() < strength else cell)


CORRUPTIONS = (
    Corruption("noise", "deviations", (0.25, 0.5, 1.0, 2.0), noise),
    Corruption("missing cells", "of the cells", (0.1, 0.25, 0.5, 0.75), missing),
)
