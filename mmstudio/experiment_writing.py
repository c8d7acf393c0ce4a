"""From frozen values to the plain tables of an experiment file, and into its text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mmstudio.experiment_settings import (
    DataSettings,
    InputSettings,
    SplitShares,
    TargetSettings,
    TrainingSettings,
)
from mmstudio.modalities import MODALITIES
from mmstudio.registry import options_of


def data_table(settings: DataSettings, full: bool) -> dict[str, Any]:
    """The table ``[data]``; without ``full``, what equals its default is left out."""
    split = settings.split
    table: dict[str, Any] = {"table": settings.table}
    if not isinstance(split, SplitShares):
        table["split"] = split
    elif full or split != SplitShares():
        table["split"] = {k: v for k, v in dataclasses.asdict(split).items() if v is not None}
    for key in ("group", "leave_out"):
        if (value := getattr(settings, key)) is not None:
            table[key] = value
    if settings.fold is not None:
        table["fold"] = dataclasses.asdict(settings.fold)
    return table


def input_table(settings: InputSettings, full: bool) -> dict[str, Any]:
    """One of the tables ``[inputs.NAME]``."""
    defaults = {k: o.default for k, o in options_of(MODALITIES.get(settings.modality)).items()}
    data: dict[str, Any] = {
        **({"columns": list(settings.columns)} if settings.columns
           else {"column": settings.column}),
        "modality": settings.modality,
        "encoder": settings.encoder.to_dict(),
    }
    if full or not settings.use:
        data["use"] = settings.use
    if settings.modality_dropout is not None:
        data["modality_dropout"] = settings.modality_dropout
    if settings.augment is not None:
        data["augment"] = settings.augment
    if settings.folder is not None:
        data["folder"] = settings.folder
    return data | {k: v for k, v in settings.options.items() if full or v != defaults[k]}


def target_table(settings: TargetSettings, name: str, full: bool) -> dict[str, Any]:
    """One of the tables ``[targets.NAME]``."""
    data: dict[str, Any] = {"task": settings.task}
    if settings.columns:
        data["columns"] = list(settings.columns)
    elif full or settings.column != name:
        data["column"] = settings.column
    if full or settings.weight != 1.0:
        data["weight"] = settings.weight
    if full or not settings.use:
        data["use"] = settings.use
    if settings.merge:
        data["merge"] = dict(settings.merge)
    return data | settings.options


def training_table(settings: TrainingSettings, full: bool) -> dict[str, Any]:
    """The table ``[training]``."""
    defaults = dataclasses.asdict(TrainingSettings())
    return {k: v for k, v in dataclasses.asdict(settings).items() if full or v != defaults[k]}


def bring_to(document: Any, data: Mapping[str, Any], full: Mapping[str, Any]) -> None:
    """Bring a tomlkit table to ``data``; a key that stands in it and only in ``full`` is kept."""
    import tomlkit

    for key in list(document):
        if key not in data and key not in full:
            del document[key]
    for key in [*data, *(k for k in full if k in document and k not in data)]:
        value = data.get(key, full.get(key))
        if not isinstance(value, Mapping):
            if key not in document or document[key] != value:
                document[key] = value
            continue
        # an inline table can hold no other kind
        inline = (key in ("encoder", "split", "merge", "fold")
                  or isinstance(document, tomlkit.items.InlineTable))
        if not isinstance(document.get(key), Mapping):
            document[key] = tomlkit.inline_table() if inline else tomlkit.table(
                is_super_table=key in ("inputs", "targets"))
        bring_to(document[key], data.get(key, {}), full.get(key, {}))
