"""Project folders: opening and making them, their data and its rows.

Plain functions without widgets or threads; the session's jobs call them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QStandardPaths

from mmstudio.errors import UserError
from mmstudio.own_components import load_components
from mmstudio.tasks import LABEL_SET

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.new_project import Proposal
    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table
    from mmstudio.experiment import DataSettings, Experiment, InputSettings

EXPERIMENT_FILE = "experiment.toml"


@dataclass(frozen=True)
class Opened:
    """A project as it was read; `problem` says what is missing, for the banner."""

    project: Path | None
    experiment: Experiment | None
    table: Table | None
    splits: np.ndarray | None
    columns: tuple[Column, ...]
    table_name: str = ""
    problem: tuple[str, str] | None = None


def projects_dir() -> Path:
    """Where new projects go: MMSTUDIO_PROJECTS, or a folder in the user's documents."""
    if override := os.environ.get("MMSTUDIO_PROJECTS"):
        return Path(override)
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / "Multimodal Studio"


def free_folder(folder: Path) -> Path:
    """The folder, or the first of "folder 2", "folder 3", … that does not exist yet."""
    number = 1
    result = folder
    while result.exists() and (not result.is_dir() or any(result.iterdir())):
        number += 1
        result = folder.with_name(f"{folder.name} {number}")
    return result


def project_of(path: Path) -> Path:
    """The project folder that a path means: the folder, its experiment file, a run in it.

    Raises:
        UserError: There is no project there.
    """
    path = path.absolute()
    folder = path.parent if path.is_file() else path
    if not folder.exists():
        raise UserError(f"There is no folder {folder}.", "It may have been moved or renamed.")
    for candidate in (folder, *folder.parents[:2]):
        inside_run = candidate.parent.name == "runs"
        if (candidate / EXPERIMENT_FILE).is_file() and not inside_run:
            return candidate
    raise UserError(
        f"{folder} is not a project: it has no {EXPERIMENT_FILE}.",
        "Choose a project folder, or make a new project from your data.",
    )


def open_project(path: Path, wanted: Callable[[], bool] = lambda: True) -> Opened:
    """Read a project. Raises UserError where there is none.

    A project whose table is missing, or whose own components fail, is opened all the same, with a
    problem to show. Components that are not trusted are left out. Where it is not `wanted` any
    more, the components that are there stay.
    """
    from mmstudio.experiment import Experiment

    project = project_of(path)
    loaded = load_components(project, wanted)
    try:
        experiment = Experiment.load(project / EXPERIMENT_FILE)
    except UserError:
        if loaded.problems:
            raise loaded.problems[0] from None
        raise
    opened = _with_data(project, experiment)
    if loaded.problems and opened.problem is None:
        problem = loaded.problems[0]
        return replace(opened, problem=(problem.message, problem.hint))
    return opened


def _with_data(project: Path, experiment: Experiment) -> Opened:
    from mmstudio.data.propose import propose_columns
    from mmstudio.data.table import read_table

    try:
        table = read_table(project / experiment.data.table)
        table.told = {i.column: i.folder for i in experiment.inputs.values() if i.folder}
        columns = columns_as_used(propose_columns(table), experiment)
        splits = splits_of(table, experiment, project)
    except UserError as error:
        problem = (error.message, error.hint)
        return Opened(project, experiment, None, None, (), experiment.data.table, problem)
    return Opened(project, experiment, table, splits, tuple(columns), experiment.data.table)


def new_project(
    folder: Path, source: Path | None, proposal: Proposal | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> Opened:
    """Make a project folder, on data or empty; `wanted` as in `open_project`. Raises UserError."""
    if (folder / EXPERIMENT_FILE).exists():
        raise UserError(
            f"{folder} is a project already.", "Open it, or choose another name for the new one."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} could not be made: {error.strerror}.", "Choose another place."
        ) from error
    load_components(folder, wanted)  # those of the project that was open go
    if source is None:
        return Opened(folder.absolute(), None, None, None, ())
    try:
        return import_data(folder.absolute(), source, None, proposal)
    except UserError:
        if not any(folder.iterdir()):
            folder.rmdir()  # made above, and of no use without data
        raise


def import_data(
    project: Path, source: Path, before: Experiment | None, proposal: Proposal | None = None
) -> Opened:
    """Set the project up for a table file or a folder, and write its experiment file.

    The fusion and the training settings of the experiment before are kept. A proposal that a
    person saw, and may have changed, is taken as it is.
    """
    from mmstudio.data.new_project import experiment_for, path_from, propose

    proposal = proposal or propose(source)
    table, columns = proposal.table, proposal.columns
    name = path_from(project, table.path)
    try:
        experiment = experiment_for(project, table, columns)
    except UserError as error:
        # The guess found no input or no target: the person chooses the columns on the Data page.
        problem = (error.message, error.hint)
        return Opened(project, None, table, None, columns, name, problem)
    if before is not None:
        experiment = replace(experiment, fusion=before.fusion, training=before.training)
    try:
        splits = splits_of(table, experiment, project)
    except UserError as error:
        problem = (error.message, error.hint)
        experiment.save(project / EXPERIMENT_FILE)
        return Opened(project, experiment, table, None, columns, name, problem)
    experiment.save(project / EXPERIMENT_FILE)
    return Opened(project, experiment, table, splits, columns, name)


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
