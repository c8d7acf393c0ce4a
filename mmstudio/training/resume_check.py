"""A run that goes on must have the model that it began with."""

from __future__ import annotations

import dataclasses
from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.training.model import completed
from mmstudio.training.run_folder import RunFolder


def check_same_model(files: RunFolder, experiment: Experiment) -> None:
    """A run that goes on must have the model that it began with.

    Raises:
        UserError: Other inputs, another fusion or other targets; names which.
    """
    old = completed(files.experiment())
    for key, before, now in (
        ("inputs", _read(old), _read(experiment)),
        ("fusion", old.fusion, experiment.fusion),
        ("targets", _learnt(old), _learnt(experiment)),
        ("training.alignment", old.training.alignment > 0, experiment.training.alignment > 0),
        ("training.balancing", old.training.balancing, experiment.training.balancing),
    ):
        if before != now:
            raise UserError(f"{files.path} was begun with other settings of [{key}].",
                            "Set them back, or start a new run.")


def _read(experiment: Experiment) -> dict[str, Any]:
    """The inputs, without how often training hides them."""
    return {n: dataclasses.replace(i, modality_dropout=None, augment=None)
            for n, i in experiment.active_inputs.items()}


def _learnt(experiment: Experiment) -> dict[str, Any]:
    """Per target what must stay as it is when a run goes on."""
    return {n: (t.task, t.column, t.columns, t.options.get("separator"))
            for n, t in experiment.active_targets.items()}
