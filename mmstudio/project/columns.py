"""A table's columns and the experiment that uses them: each follows when the other changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmstudio.tasks import LABEL_SET

if TYPE_CHECKING:
    from mmstudio.data.propose import Column
    from mmstudio.experiment import DataSettings, Experiment, InputSettings


def columns_as_used(columns: Sequence[Column], experiment: Experiment) -> list[Column]:
    """The columns with the roles that the experiment gives them."""
    inputs = {c: (n, i) for n, i in experiment.inputs.items() for c in i.read_columns}
    targets = {t.column: t for t in experiment.targets.values() if not t.columns}
    labels = {c: t.column for t in experiment.targets.values() for c in t.columns}
    split = experiment.data.split
    result = []
    for column in columns:
        changes: dict[str, Any]
        role, changes = "ignore", {}
        if column.name in inputs:
            name, used = inputs[column.name]
            role, changes = "input", {"modality": used.modality}
            changes["options"] = {} if used.folder is None else {"folder": used.folder}
            if used.columns:
                changes["options"] = {"input": name}
        elif column.name in targets:
            target = targets[column.name]
            role, changes = "target", {"task": target.task, "options": target.options}
        elif column.name in labels:
            role = "target"
            changes = {"task": LABEL_SET.task, "options": {"into": labels[column.name]}}
        elif column.name == split:
            role = "split"
        elif column.name == (experiment.data.group if isinstance(split, str) else split.group):
            role = "group"
        result.append(replace(column, role=role, **changes))
    return result


def experiment_with_columns(
    table_name: str, before: Experiment | None, columns: Sequence[Column]
) -> Experiment:
    """The experiment for these columns; names and choices of those that stay are kept.

    Raises:
        UserError: No column is an input, or none is a target.
    """
    from mmstudio.data.propose import experiment_from_columns

    fresh = experiment_from_columns(table_name, columns)
    if before is None:
        return fresh
    old_inputs = {(i.column, i.modality): (name, i) for name, i in before.inputs.items()}
    old_targets = {(t.column, t.task): (name, t) for name, t in before.targets.items()}
    inputs = dict(
        old_inputs.get((i.column, i.modality), (name, i)) for name, i in fresh.inputs.items()
        if not i.columns
    ) | {name: _with_columns(before.inputs.get(name), i)
         for name, i in fresh.inputs.items() if i.columns}
    targets = dict(
        old_targets.get((t.column, t.task), (name, t)) for name, t in fresh.targets.items()
    )
    said = {t.column: t for t in fresh.targets.values()}
    targets = {
        name: replace(t, options=t.options | said[t.column].options,
                      columns=said[t.column].columns)
        for name, t in targets.items()
    }
    return replace(
        fresh, data=_data_settings(fresh, before, columns), inputs=inputs, targets=targets,
        fusion=before.fusion, training=before.training
    )


def _with_columns(before: InputSettings | None, fresh: InputSettings) -> InputSettings:
    """An input of several columns: what was chosen before stays, only its columns change."""
    if before is None or before.modality != fresh.modality:
        return fresh
    kept = [c for c in before.columns if c in fresh.columns]
    return replace(before, columns=(*kept, *(c for c in fresh.columns if c not in kept)))


def _data_settings(
    fresh: Experiment, before: Experiment, columns: Sequence[Column]
) -> DataSettings:
    """Where the rows come from: shares and the list of rows left out are kept."""
    split, old = fresh.data.split, before.data.split
    group = next((c.name for c in columns if c.role == "group"), None)
    if not isinstance(split, str):
        if not isinstance(old, str):
            there = old.stratify in {c.name for c in columns}
            split = replace(old, group=split.group,
                            stratify=old.stratify if there else split.stratify)
        group = None
    return replace(fresh.data, split=split, group=group, leave_out=before.data.leave_out)
