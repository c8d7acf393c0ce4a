"""Opening a project, making one on data, and taking other data into it.

Plain functions without threads; the window's jobs call them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmstudio.errors import UserError
from mmstudio.own_components import load_components
from mmstudio.project.columns import columns_as_used
from mmstudio.project.places import EXPERIMENT_FILE, check_free, path_from, project_of
from mmstudio.project.rows import splits_of

if TYPE_CHECKING:
    import numpy as np

    from mmstudio.data.propose import Column
    from mmstudio.data.table import Table
    from mmstudio.experiment import Experiment
    from mmstudio.project.proposal import Proposal


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
    check_free(folder)
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
    from mmstudio.project.proposal import experiment_for, propose

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
        _save(experiment, project)
        return Opened(project, experiment, table, None, columns, name, problem)
    _save(experiment, project)
    return Opened(project, experiment, table, splits, columns, name)


def with_table(project: Path, experiment: Experiment, path: Path) -> Opened:
    """The project with another table of the same columns; all settings stay. Raises UserError."""
    name = path_from(project, path)
    changed = replace(experiment, data=replace(experiment.data, table=name))
    opened = _with_data(project, changed)
    if opened.problem is not None:
        raise UserError(*opened.problem)
    return opened


def _save(experiment: Experiment, project: Path) -> None:
    try:
        experiment.save(project / EXPERIMENT_FILE)
    except OSError as error:
        raise UserError(
            f"{EXPERIMENT_FILE} could not be written in {project}: {error.strerror}.",
            "Make room there and allow writing, or choose another folder for the project.",
        ) from error
