"""Columns of yes and no that can be one target of several labels: offered, made, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mmstudio.column_cells import SWITCHES
from mmstudio.data.columns import Column
from mmstudio.data.merged_labels import free_separator
from mmstudio.errors import UserError
from mmstudio.experiment import TargetSettings
from mmstudio.tasks.kinds import LABEL_SET, ONE_LABEL, find_kind

INTO = "into"
"""The option of a column that is one label of a target: that target's name."""
APART = "A label of its own: applies or not."


def joinable(columns: Sequence[Column]) -> list[Column]:
    """The targets that say yes or no, where they are several."""
    found = [c for c in columns if c.role == "target" and is_one_label(c)
             and _is_switch(c)]
    return found if len(found) > 1 else []


def joined_of(columns: Sequence[Column]) -> list[Column]:
    """The columns that are labels of one target."""
    return [c for c in columns if c.role == "target" and INTO in c.options]


def joined(columns: Sequence[Column]) -> list[Column]:
    """With all columns that say yes or no as the labels of one target.

    Where none of them is to be predicted, because a surer label is there, it is those left aside.

    Raises:
        UserError: There are not two or more.
    """
    aside = [c for c in columns if c.role == "ignore" and _is_switch(c)]
    found = joinable(columns) or aside
    if len(found) < 2:
        raise UserError("No two columns say yes or no.",
                        "Only such columns can be one target of several labels.")
    name = _name([c.name for c in found], [c.name for c in columns])
    reason = f"One of {len(found)} labels of the target '{name}': applies or not."
    changes: dict[str, Any] = {"role": "target", "task": LABEL_SET.task, "options": {INTO: name},
                               "reason": reason}
    return [replace(c, **changes) if c in found else c for c in columns]


def separated(columns: Sequence[Column]) -> list[Column]:
    """With each of the joined columns as a target of its own."""
    found = joined_of(columns)
    return [replace(c, task=ONE_LABEL.task, options={}, reason=APART) if c in found else c
            for c in columns]


def joined_targets(columns: Sequence[Column]) -> dict[str, TargetSettings]:
    """The targets that columns are joined into."""
    names: dict[str, list[str]] = {}
    for column in joined_of(columns):
        names.setdefault(str(column.options[INTO]), []).append(column.name)
    targets = {}
    for name, labels in names.items():
        if len(labels) < 2:
            raise UserError(f"The target '{name}' has one column only, '{labels[0]}'.",
                            "Let it be a label of its own, or join two or more.")
        separator = free_separator(labels)
        options = {} if separator == ";" else {"separator": separator}
        targets[name] = TargetSettings(LABEL_SET.task, name, options=options, columns=tuple(labels))
    return targets


def is_one_label(column: Column) -> bool:
    """Whether a column is a target of one label per row."""
    kind = find_kind(column.task)
    return kind is not None and kind.one_label


def _is_switch(column: Column) -> bool:
    return {e.lower() for e in column.examples} in SWITCHES


def _name(labels: Sequence[str], taken: Sequence[str]) -> str:
    """What all labels' names begin with, as in genre_drama and genre_comedy; else "labels"."""
    first, last = min(labels), max(labels)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
                min(len(first), len(last)))
    start = first[:same].rstrip(" _-.:/=0123456789")
    name = start if len(start) > 2 and all(label[len(start):] for label in labels) else "labels"
    while name in taken or name == "loss":
        name += " labels"
    return name
