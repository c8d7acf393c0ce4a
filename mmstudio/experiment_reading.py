"""From the plain tables of an experiment file to frozen values; what is wrong is named by its key.

Each function takes a table, or one value, and its path in the file, which messages begin with.
All raise UserError where a key is unknown or missing, or a value is not what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmstudio.errors import UserError, nearest
from mmstudio.experiment_settings import (
    AUTO,
    MODALITY_DROPOUT,
    Component,
    DataSettings,
    Fold,
    InputSettings,
    SplitShares,
    TargetSettings,
)
from mmstudio.modalities import MODALITIES
from mmstudio.registry import Option, checked_options, options_of
from mmstudio.tasks.kinds import LABEL_SET, ONE_LABEL, find_kind

INPUT_KEYS = {"column", "columns", "modality", "encoder", "use", "modality_dropout", "augment",
              "folder"}
"""Keys of an input that are not its modality's options."""
TARGET_KEYS = {"task", "column", "columns", "weight", "use", "merge"}
"""Keys of a target that are not its task's options."""

_USE = Option("use", "bool", True, "")
_WEIGHT = Option("weight", "float", 1.0, "", 0.0, 1e6)
_SHARE = Option("share", "float", 0.1, "", 0.0, 1.0)
FEWEST_FOLDS, MOST_FOLDS = 2, 100
_FOLDS = Option("of", "int", 5, "", FEWEST_FOLDS, MOST_FOLDS)


def only_known(table: Mapping[str, Any], path: str, known: set[str]) -> None:
    """Refuse a table that holds another key than those known."""
    for key in table:
        if key not in known:
            raise UserError(f"{path}{'.' if path else ''}{key} is not a known key.",
                            nearest(key, known))


def table_at(data: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    """The table under a key, empty where there is none; ``path`` ends with a dot, or is empty."""
    value = data.get(key, {})
    if not isinstance(value, Mapping):
        raise UserError(f"{path}{key} = {value!r} is not a table.", f"Write it as [{key}].")
    return value


def _text(table: Mapping[str, Any], key: str, path: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if value is None:
        raise UserError(f"{path}.{key} is missing.", f'Add {key} = "…".')
    if not isinstance(value, str) or not value:
        raise UserError(f"{path}.{key} = {value!r} is not a text.", "Put it in quotes.")
    return value


def _input_columns(table: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The columns of an input that may read several; ``column`` says the only one."""
    if "columns" not in table:
        return (_text(table, "column", path),)
    if "column" in table:
        raise UserError(f"{path} has both column and columns.", "Keep one of them.")
    names = table["columns"]
    if not isinstance(names, list) or not names or not all(
            isinstance(name, str) and name for name in names):
        raise UserError(f"{path}.columns = {names!r} is not a list of columns.",
                        f'Write it as {path}.columns = ["…", "…"].')
    if len(set(names)) < len(names):
        raise UserError(f"{path}.columns names a column twice.", "Keep one of each.")
    return tuple(names)


def read_component(value: Any, path: str, default: str) -> Component:
    """An encoder or a fusion: its name, or a table that may leave out the ``default`` name."""
    if isinstance(value, str):
        return Component(_text({"name": value}, "name", path))
    if not isinstance(value, Mapping):
        raise UserError(f"{path} = {value!r} is not a table.",
                        f'Write {path.rpartition(".")[2]} = {{ name = "{default}" }}.')
    name = _text(value, "name", path, default)
    return Component(name, {k: v for k, v in value.items() if k != "name"})


def read_data(table: Mapping[str, Any]) -> DataSettings:
    """The table ``[data]``."""
    only_known(table, "data", {"table", "split", "group", "leave_out", "fold"})
    more: dict[str, Any] = {
        k: _text(table, k, "data") for k in ("group", "leave_out") if k in table}
    if "fold" in table:
        more["fold"] = _fold(table_at(table, "fold", "data."))
    split = table.get("split", {})
    if isinstance(split, Mapping):
        columns = ("group", "stratify", "id")
        only_known(split, "data.split", {"train", "validation", "test", *columns})
        values: dict[str, Any] = {
            k: _text(split, k, "data.split") if k in columns
            else _SHARE.checked(v, f"data.split.{k}") for k, v in split.items()}
        shares = SplitShares(**values)
        total = shares.train + shares.validation + shares.test
        if abs(total - 1) > 0.001 or shares.train <= 0:
            raise UserError(f"The shares in data.split add up to {total:g}.",
                            "Let train, validation and test add up to 1, with train above 0.")
        return DataSettings(_text(table, "table", "data"), shares, **more)
    return DataSettings(_text(table, "table", "data"), _text(table, "split", "data"), **more)


def _fold(table: Mapping[str, Any]) -> Fold:
    only_known(table, "data.fold", {"number", "of"})
    for key in ("number", "of"):
        if key not in table:
            raise UserError(f"data.fold.{key} is missing.",
                            "Write fold = { number = 1, of = 5 }.")
    folds = _FOLDS.checked(table["of"], "data.fold.of")
    return Fold(Option("number", "int", 1, "", 1, folds).checked(
        table["number"], "data.fold.number"), folds)


def read_input(table: Any, path: str) -> InputSettings:
    """One of the tables ``[inputs.NAME]``."""
    if not isinstance(table, Mapping):
        raise UserError(f"{path} = {table!r} is not a table.", f"Write it as [{path}].")
    modality = _text(table, "modality", path)
    cls = MODALITIES.get(modality, f"{path}.modality")
    options = options_of(cls)
    only_known(table, path, {*INPUT_KEYS, *options})
    given = {k: v for k, v in table.items() if k in options}
    dropout = table.get("modality_dropout")
    encoder = table.get("encoder", {})
    # options without a name are those of the usual encoder
    usual = cls.default_encoder if encoder else AUTO
    columns = _input_columns(table, path) if cls.several_columns else ()
    if not cls.several_columns and "columns" in table:
        raise UserError(f"{path}.columns: an input of {cls.plural} reads one column.",
                        'Write column = "…" in its place.')
    return InputSettings(
        column="" if columns else _text(table, "column", path),
        columns=columns,
        modality=modality,
        encoder=read_component(encoder, f"{path}.encoder", usual),
        use=_USE.checked(table.get("use", True), f"{path}.use"),
        options=checked_options(options, given, path),
        modality_dropout=None if dropout is None else MODALITY_DROPOUT.checked(
            dropout, f"{path}.modality_dropout"),
        augment=_USE.checked(table["augment"], f"{path}.augment") if "augment" in table else None,
        folder=_text(table, "folder", path) if "folder" in table else None,
    )


def read_target(table: Any, name: str, path: str) -> TargetSettings:
    """One of the tables ``[targets.NAME]``."""
    if not isinstance(table, Mapping):
        raise UserError(f"{path} = {table!r} is not a table.", f"Write it as [{path}].")
    merge = table_at(table, "merge", f"{path}.")
    for label in merge:
        _text(merge, label, f"{path}.merge")
    columns = _label_columns(table, path)
    return TargetSettings(
        task=_text(table, "task", path, LABEL_SET.task if columns else ONE_LABEL.task),
        column=_text(table, "column", path, name),
        weight=_WEIGHT.checked(table.get("weight", 1.0), f"{path}.weight"),
        use=_USE.checked(table.get("use", True), f"{path}.use"),
        options={k: v for k, v in table.items() if k not in TARGET_KEYS},
        merge=dict(merge),
        columns=columns,
    )


def _label_columns(table: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The columns that are one label each of a target; none where it has a column of its own."""
    if "columns" not in table:
        return ()
    value, key = table["columns"], f"{path}.columns"
    if not isinstance(value, list) or not all(isinstance(c, str) and c for c in value):
        raise UserError(f"{key} = {value!r} is not a list of columns.",
                        'Write columns = ["first", "second"].')
    if len(value) < 2 or len(set(value)) < len(value):
        raise UserError(f"{key} needs two or more different columns.",
                        "Name one column with column instead.")
    task = table.get("task", LABEL_SET.task)
    kind = find_kind(task) if isinstance(task, str) else None
    if kind is not None and not kind.several:
        raise UserError(f"{key} needs task = \"{LABEL_SET.task}\"; it is {table['task']!r}.",
                        "Each column is a label that applies or not.")
    if "column" in table:
        raise UserError(f"{path} has both column and columns.", "Keep one of them.")
    return tuple(value)
