"""Runs handed to what the user keeps experiments in: a CSV table, MLflow, Weights & Biases.

A run's log is replayed, so a run of long ago can be handed on. MLflow and wandb are the user's own
installed packages, set up and logged in as the user has them.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mmstudio.data.formulas import guarded
from mmstudio.errors import UserError
from mmstudio.experiment_keys import by_key
from mmstudio.safe_files import written_whole
from mmstudio.training.run_folder import RunFolder

CSV, MLFLOW, WANDB = "csv", "mlflow", "wandb"
MOST_PARAMETER = 500
"""Characters of a setting that MLflow takes."""


Value = TypeVar("Value")

@dataclass(frozen=True)
class TrackedRun:
    """What is handed on of a run.

    Attributes:
        project: The project's name.
        name: The run's.
        settings: Its experiment, flat: ``{"training.epochs": 20}``.
        epochs: Per epoch its number and its figures: ``{"validation digit accuracy": 0.9}``.
        answered: The validation figures of what the run answers with: ``{"digit accuracy": 0.9}``.
    """

    project: str
    name: str
    settings: Mapping[str, Any]
    epochs: Sequence[tuple[int, Mapping[str, float]]]
    answered: Mapping[str, float]


def tracked(run: Path) -> TrackedRun:
    """Read a run.

    Raises:
        UserError: It is no run, can't be read, or has no epoch yet.
    """
    files = RunFolder.existing(run)
    history = files.history()
    table = history.to_polars()
    epochs = [(int(row["epoch"]), {n: v for n, v in row.items()
                                   if n != "epoch" and math.isfinite(v)})
              for row in table.to_dicts()]
    if not epochs:
        raise UserError(f"{run} has no whole epoch yet.", "Train it first.")
    answered = {f"{task} {figure}": value for task, figures in history.answered().items()
                for figure, value in figures.items() if math.isfinite(value)}
    settings = by_key(files.experiment().seen_from(Path()).to_dict())
    return TrackedRun(files.path.resolve().parent.parent.name, files.name, settings, epochs,
                      answered)


def to_csv(runs: Sequence[TrackedRun], path: Path) -> None:
    """A row per run and epoch, a column per figure and setting; empty where a run has none.

    Raises:
        OSError: It can't be written.
    """
    import csv

    figures = list(dict.fromkeys(name for run in runs for _, told in run.epochs for name in told))
    settings = list(dict.fromkeys(key for run in runs for key in run.settings))
    with written_whole(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        heads = ("project", "run", "epoch", *figures, *settings)
        writer.writerow([guarded(name) for name in heads])
        for run in runs:
            own = [guarded(str(run.settings.get(key, ""))) for key in settings]
            for epoch, told in run.epochs:
                writer.writerow([guarded(run.project), guarded(run.name), epoch,
                                 *(told.get(name, "") for name in figures), *own])


def to_mlflow(runs: Sequence[TrackedRun]) -> str:
    """Each as a run of the MLflow experiment that is called like the project; says where.

    Raises:
        UserError: MLflow is not installed, or refuses.
    """
    mlflow = _package(MLFLOW)

    def hand_over() -> str:
        for run in runs:
            mlflow.set_experiment(run.project)
            with mlflow.start_run(run_name=run.name):
                mlflow.log_params(_named({name: str(value)[:MOST_PARAMETER]
                                          for name, value in run.settings.items()}))
                for epoch, told in run.epochs:
                    mlflow.log_metrics(_named(told), step=epoch)
                mlflow.log_metrics({f"answered {n}": v for n, v in _named(run.answered).items()})
        return str(mlflow.get_tracking_uri())

    return _refusals_told(MLFLOW, hand_over)


def _named(told: Mapping[str, Value]) -> dict[str, Value]:
    """MLflow takes letters, digits, and few signs in the name of a figure or a setting."""
    return {"".join(c if c.isalnum() or c in "_-. /" else "_" for c in name): value
            for name, value in told.items()}


def to_wandb(runs: Sequence[TrackedRun]) -> str:
    """Each as a run of the project that is called like this one; says where.

    Raises:
        UserError: wandb is not installed, or refuses.
    """
    wandb = _package(WANDB)

    def hand_over() -> str:
        place = ""
        for run in runs:
            session = wandb.init(project=run.project, name=run.name, config=dict(run.settings),
                                 reinit=True)
            try:
                for epoch, told in run.epochs:
                    session.log(dict(told), step=epoch)
                for name, value in run.answered.items():
                    session.summary[f"answered {name}"] = value
                place = str(getattr(session, "url", "") or getattr(session, "dir", ""))
            finally:
                session.finish()
        return place

    return _refusals_told(WANDB, hand_over)


def _package(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise UserError(f"The package {name} is not installed.",
                        f"Install it:  pip install {name}, or take --to csv.") from None


def _refusals_told(name: str, hand_over: Callable[[], str]) -> str:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output may hold JSON
            return hand_over()
    except Exception as error:  # of whatever kind the package has
        told = str(error) or type(error).__name__
        raise UserError(f"{name} did not take the runs: {told.splitlines()[0][:300]}",
                        f"Check that {name} is set up and logged in.") from error
