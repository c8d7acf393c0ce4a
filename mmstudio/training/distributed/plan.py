"""What the first process chose, told to the others."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mmstudio.data.schema import Schema
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.training.distributed.ranks import Ranks


@dataclass(frozen=True)
class Plan:
    """What is trained, once nothing of it is left open.

    Attributes:
        experiment: With all that was chosen.
        schema: What was learnt from the training rows.
        limit_s: How long it may take; None has no limit.
    """

    experiment: Experiment
    schema: Schema
    limit_s: float | None


def tell_plan(ranks: Ranks, plan: Plan | None) -> None:
    """Tell the other processes what is trained; None where it was stopped before.

    Args:
        ranks: The processes, of which this is the first.
        plan: What is trained.
    """
    ranks.first_says(None if plan is None else [
        plan.experiment.to_toml(), plan.schema.to_text(), plan.limit_s])


def heard_plan(ranks: Ranks) -> Plan | None:
    """What ``tell_plan`` tells; waits for it as long as it takes."""
    said = ranks.first_says(None)
    if said is None:
        return None
    schema = json.loads(said[1])
    return Plan(Experiment.parse(said[0]), Schema(schema["inputs"], schema["targets"]), said[2])


def shareable(experiment: Experiment, ranks: Ranks) -> Experiment:
    """The experiment in a number format that is the same in every process.

    Timing, by which one process alone would choose, promises that nowhere.

    Raises:
        UserError: A batch has fewer rows than there are processes.
    """
    settings = experiment.training
    if settings.batch_size < ranks.size:
        raise UserError(f"training.batch_size = {settings.batch_size}, but {ranks.size} processes "
                        "share a batch.", f"Set it to {ranks.size} or more, or take fewer devices.")
    if settings.precision == "auto" and ranks.device.type == "cpu":
        return experiment.replaced("training.precision", "float32")
    return experiment
