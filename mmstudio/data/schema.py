"""What is learnt from the training rows before training: classes, vocabularies, sizes, rates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmstudio.data.fitted import fitted
from mmstudio.data.input_cells import input_cells
from mmstudio.data.labels import fit_labels
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment, InputSettings
from mmstudio.modalities import MODALITIES, Modality
from mmstudio.modalities.base import Value
from mmstudio.pretrained.preprocessing import wanted
from mmstudio.reading import read_json, reading
from mmstudio.shapes import fitted_to
from mmstudio.tasks.kinds import kind_of

MOST_BYTES = 1 << 26
MOST_SIDE = 8192
"""Pixels of a picture that a model takes."""
SHAPE = {
    "inputs": {"**": {
        "size?": [range(1, MOST_SIDE + 1)], "channels?": range(1, 65),
        "sample_rate_hz?": range(1, 1_000_000), "max_seconds?": (1e-4, 3600.0),
        "tokenizer?": str, "counts?": [int], "max_tokens?": range(1, 1_000_000), "pad?": int,
        "columns?": [{
            "name": str, "kind": str, "middle?": float, "width?": float, "knots?": [float],
            "ranks?": [float], "levels?": [float], "usual?": [float], "unit?": str,
            "thousands?": bool, "missing?": bool, "words?": [str], "counts?": [int]}]}},
    "targets": {"**": {
        "classes?": [str], "counts?": [int], "rows?": int, "separator?": str,
        "mean?": float, "deviation?": float, "unit?": str}},
}
"""Of ``schema.json``: sizes and lengths within what a model may ask for."""


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
        with reading(path, "The run is not complete; train it again."):
            data = fitted_to(read_json(path, MOST_BYTES), SHAPE, "schema")
            return cls(data["inputs"], data["targets"])


def check_schema(schema: Schema, experiment: Experiment, path: Path) -> None:
    """Look whether a schema is of an experiment's inputs and targets.

    Args:
        schema: Of the run.
        experiment: Of the run.
        path: The schema's file, for the message.

    Raises:
        UserError: It lacks one, or something of it.
    """
    told = [(n, n in schema.inputs and MODALITIES.get(i.modality).is_whole(schema.inputs[n]))
            for n, i in experiment.active_inputs.items()]
    told += [(n, n in schema.targets and all(
        key in schema.targets[n] for key in kind_of(t.task, f"targets.{n}.task").needs))
        for n, t in experiment.active_targets.items()]
    for name, whole in told:
        if not whole:
            raise UserError(
                f"{path} does not fit the run's experiment: '{name}' is incomplete.",
                "The run is not complete; train it again.")


def modality_of(settings: InputSettings) -> Modality:
    """The modality object of an input, with its options."""
    modality = MODALITIES.get(settings.modality)(**settings.options)
    modality.chosen = dict(settings.options)
    return modality


def values_of(table: Table, settings: InputSettings) -> list[Value | None]:
    """Every row's value of an input: a path or a text, None where the cell is empty.

    Where an input reads several columns, a row's cells are a record; None where all are empty.

    Raises:
        UserError: There is no such column.
    """
    modality = modality_of(settings)
    cells = input_cells(table, settings).to_list()
    if modality.several_columns:
        return list(cells)
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
        for column in target.columns:
            table.column(column)  # names the one that is missing
        cells = table.column(target.column).to_list()
        targets[name] = fit_labels(target.task, target.options, cells, rows, name)
    return Schema(inputs, targets)
