"""A project's rows: their splits, and the inputs and labels of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.table import Table
    from mmstudio.experiment import Experiment


def splits_of(table: Table, experiment: Experiment, project: Path) -> np.ndarray:
    """Per row "train", "validation", "test" or ""."""
    from mmstudio.data.merged_labels import merged
    from mmstudio.data.split import split_of

    return split_of(experiment, merged(table, experiment), project)


def inputs_of(table: Table, experiment: Experiment, row: int) -> dict[str, str | Path | None]:
    """A row's inputs by name: a path, a text, or None where the cell is empty."""
    from mmstudio.data.input_cells import is_there
    from mmstudio.modalities import MODALITIES
    from mmstudio.modalities.records import record_of

    result: dict[str, str | Path | None] = {}
    for name, settings in experiment.active_inputs.items():
        modality = MODALITIES.get(settings.modality)
        if not is_there(table, settings):
            result[name] = None
        elif modality.several_columns:
            result[name] = record_of({c: table.cell(row, c) for c in settings.read_columns
                                      if c in table.columns})
        elif modality.in_cells:
            result[name] = text_of(table, settings.column, row)
        else:
            result[name] = table.path_of(row, settings.column)
    return result


def text_of(table: Table, column: str, row: int) -> str | Path | None:
    """A cell's text, or the text file that it names; None where it is empty."""
    from mmstudio.modalities import modality_of_file, names_medium

    text = table.cell(row, column)
    if text and "\n" not in text and modality_of_file(text) and not names_medium(text):
        path = table.path_of(row, column)
        if path is not None and path.is_file():
            return path
    return text


def truth_of(table: Table, experiment: Experiment, row: int) -> dict[str, str | None]:
    """A row's true labels by task."""
    from mmstudio.data.merged_labels import merged

    of_row = merged(table.with_frame(table.frame.slice(row, 1)), experiment)
    return {
        name: of_row.cell(0, settings.column) if settings.column in of_row.columns else None
        for name, settings in experiment.active_targets.items()
    }
