"""Sounds in which nothing is heard, pictures on which nothing is seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmstudio.data.checks.examined import Examined
from mmstudio.data.checks.problem import Problem, problem


def content_problems(examined: Examined) -> Iterator[Problem]:
    """Silent or constant sounds, blank pictures."""
    for content in examined.inputs.values():
        settings = content.settings
        for row in np.flatnonzero(content.empty).tolist():
            name = examined.table.cell(row, settings.column)
            if settings.modality == "audio":
                yield problem(row, settings.column, "silent",
                              f"{name} is silent, or the same level throughout.",
                              "Replace it, empty the cell, or leave the row out.")
            else:
                yield problem(row, settings.column, "blank", f"{name} is of one colour.",
                              "Replace it, empty the cell, or leave the row out.")
