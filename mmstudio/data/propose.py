"""A first guess at what a table's columns are: inputs, targets, the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmstudio.data.split import SPELLINGS
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import (
    Component,
    DataSettings,
    Experiment,
    InputSettings,
    SplitShares,
    TargetSettings,
)
from mmstudio.modalities import MODALITIES, modality_of_file

LOOKED_AT = 2000
"""Cells per column that the guess rests on."""


@dataclass(frozen=True)
class Column:
    """What a column is taken for.

    Attributes:
        name: Its name.
        role: ``input``, ``target``, ``split``, ``group`` or ``ignore``.
        modality: Of an input.
        task: Of a target.
        distinct: Different values among the rows.
        missing: Empty cells.
        examples: Some values.
    """

    name: str
    role: str
    modality: str | None
    task: str | None
    distinct: int
    missing: int
    examples: tuple[str, ...]


def propose_columns(table: Table) -> list[Column]:
    """One guess per column. At most one split; at least one target where that is possible."""
    columns = [_guess(table, name) for name in table.columns]
    splits = [c for c in columns if c.role == "split"]
    chosen = min(splits, key=lambda c: (c.name.lower() != "split", len(c.name)), default=None)
    return [
        c if c.role != "split" or c is chosen else _changed(c, "ignore") for c in columns
    ]


def _changed(column: Column, role: str) -> Column:
    return Column(column.name, role, None, None, column.distinct, column.missing, column.examples)


def _guess(table: Table, name: str) -> Column:
    series = table.column(name)
    known = series.drop_nulls()
    distinct = known.n_unique()
    unique = known.unique(maintain_order=True).head(LOOKED_AT).to_list()

    def made(role: str, modality: str | None = None, task: str | None = None) -> Column:
        return Column(name, role, modality, task, distinct, series.null_count(),
                      tuple(unique[:3]))

    if not unique:
        return made("ignore")
    kinds = [modality_of_file(v) if len(v) < 500 else None for v in unique[:200]]
    files = [k for k in kinds if k is not None]
    if len(files) > 0.8 * len(kinds):
        return made("input", max(set(files), key=files.count))
    if distinct <= 6 and all(v.lower() in SPELLINGS for v in unique):
        return made("split")
    if name.lower() in ("id", "index", "uid", "uuid", "row", "unnamed: 0", ""):
        return made("ignore")
    if name.lower() in ("speaker", "person", "patient", "subject", "family", "author", "user"):
        return made("group")
    words = sum(len(v.split()) for v in unique) / len(unique)
    repeated = len(known) / distinct
    if (repeated >= 4 and distinct >= 2 and words < 4) or (distinct < 30 and repeated > 20):
        return made("target", task="classification") if distinct >= 2 else made("ignore")
    if words >= 1.5:
        return made("input", "text")
    return made("ignore")


def experiment_from_columns(table_text: str, columns: Sequence[Column]) -> Experiment:
    """The experiment with default settings that these roles mean.

    Args:
        table_text: The table as the experiment file names it.
        columns: The roles, as proposed or as the user changed them.

    Raises:
        UserError: No input or no target among them.
    """
    inputs, targets = {}, {}
    split: str | SplitShares = SplitShares()
    group = next((c.name for c in columns if c.role == "group"), None)
    if group is not None:
        split = SplitShares(group=group)
    for column in columns:
        if column.role == "input" and column.modality is not None:
            encoder = Component(MODALITIES.get(column.modality).default_encoder)
            plain = column.name in ("file_name", "filename", "file", "path")
            name = column.modality if plain and column.modality not in inputs else column.name
            inputs[name] = InputSettings(column.name, column.modality, encoder)
        elif column.role == "target":
            name = "loss label" if column.name == "loss" else column.name  # "loss" is taken
            targets[name] = TargetSettings(column.task or "classification", column.name)
        elif column.role == "split":
            split = column.name
    if not inputs:
        raise UserError("No column holds pictures, texts or sounds.",
                        "Mark at least one column as an input.")
    if not targets:
        raise UserError("No column says what to predict.", "Mark at least one as a target.")
    experiment = Experiment(DataSettings(table_text, split), inputs, targets)
    return Experiment.from_dict(experiment.to_dict())
