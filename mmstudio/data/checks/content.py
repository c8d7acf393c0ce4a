"""Sounds in which nothing is heard, pictures on which nothing is seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmstudio.data.checks.examined import Examined
from mmstudio.data.checks.problem import Problem, problem
from mmstudio.modalities import MODALITIES


def content_problems(examined: Examined) -> Iterator[Problem]:
    """Silent or constant sounds, blank pictures."""
    for content in examined.inputs.values():
        settings = content.settings
        kind, wrong = MODALITIES.get(settings.modality).empty
        for row in np.flatnonzero(content.empty).tolist():
            name = examined.table.cell(row, settings.column)
            yield problem(row, settings.column, kind, f"{name} {wrong}.",
                          "Replace it, empty the cell, or leave the row out.")
