"""What is learnt from the training rows before training: classes, vocabularies, sizes, rates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.fitted import fitted
from mmstudio.data.labels import fit_labels
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, InputSettings
from mmstudio.modalities import MODALITIES, Modality
from mmstudio.modalities.base import Value
from mmstudio.pretrained.preprocessing import wanted


@dataclass(frozen=True)
class Schema:
    """Plain data per input and per target, kept in the run as ``schema.json``.

    Attributes:
        inputs: Per input what its modality's ``fit`` learnt.
        targets: Per target what its task needs: classes and their counts, or mean and deviation.
    """

    inputs: dict[str, dict[str, Any]]
    targets: dict[str, dict[str, Any]]

    def to_text(self) -> str:
        """As JSON text."""
        return json.dumps({"inputs": self.inputs, "targets": self.targets}, ensure_ascii=False,
                          indent=1)

    @classmethod
    def load(cls, path: Path) -> Schema:
        """Read ``schema.json``.

        Raises:
            UserError: Missing or damaged.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(dict(data["inputs"]), dict(data["targets"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} can't be read: {error}.",
                            "The run is not complete; train it again.") from None


def modality_of(settings: InputSettings) -> Modality:
    """The modality object of an input, with its options."""
    return MODALITIES.get(settings.modality)(**settings.options)


def values_of(table: Table, settings: InputSettings) -> list[Value | None]:
    """Every row's value of an input: a path or a text, None where the cell is empty.

    Raises:
        UserError: There is no such column.
    """
    modality = modality_of(settings)
    cells = table.column(settings.column).to_list()
    if modality.looks_at is None and not any(map(modality.names_file, cells)):
        return list(cells)
    places = table.places(settings.column, settings.folder)
    folder = places.folder
    values: list[Value | None] = []
    for cell in cells:
        value = None if cell is None else modality.locate(cell, folder)
        values.append(places.path(str(cell)) if isinstance(value, Path) else value)
    return values


def fit_schema(
    experiment: Experiment,
    table: Table,
    splits: np.ndarray,
    values: Mapping[str, list[Value | None]],
) -> Schema:
    """Learn the schema from the training rows only.

    Args:
        experiment: Its active inputs and targets are looked at.
        table: All rows.
        splits: ``(N,)`` the split of each row.
        values: Per active input every row's value.

    Raises:
        UserError: No content in the training rows, or no labels that the task can learn.
    """
    rows = np.flatnonzero(splits == "train")
    inputs = {}
    for name, settings in experiment.active_inputs.items():
        known = [v for v in (values[name][r] for r in rows) if v is not None]
        if not known:
            raise UserError(f"Input '{name}' is empty in every training row.",
                            f"Switch it off (inputs.{name}.use = false) or choose another column.")
        try:
            inputs[name] = fitted(modality_of(settings), known, wanted(settings))
        except UserError as error:
            raise UserError(f"Input '{name}': {error.message}", error.hint) from None
    targets = {}
    for name, target in experiment.active_targets.items():
        cells = table.column(target.column).to_list()
        targets[name] = fit_labels(target.task, target.options, cells, rows, name)
    return Schema(inputs, targets)
