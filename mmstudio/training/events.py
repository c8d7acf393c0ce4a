"""What training tells while it runs. Frozen values, the same in the app, the log and the JSON."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any

from mmstudio.shapes import fitted_to


@dataclass(frozen=True)
class RunEvent:
    """Something that happened in a run. A failure is an exception, not an event."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, ``event`` first: the class's name in snake case; nan becomes null."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"event": _event_name(type(self)),
                **{name: without_nan(value) for name, value in fields.items()}}


@dataclass(frozen=True)
class Preparing(RunEvent):
    """Data is being read or decoded."""

    message: str
    done: int
    total: int


@dataclass(frozen=True)
class Started(RunEvent):
    """The first step is about to be made.

    ``tasks`` names each task's main metric; ``samples`` counts the rows per split;
    ``first_epoch`` is above 1 when a run goes on, and ``first_step``, counted over all epochs,
    where it goes on within an epoch; 0 in a log of a version that never did.
    """

    run: str
    device: str
    precision: str
    parameters: int
    epochs: int
    steps_per_epoch: int
    first_epoch: int
    samples: dict[str, int]
    inputs: list[str]
    tasks: dict[str, str]
    first_step: int = 0


@dataclass(frozen=True)
class StepDone(RunEvent):
    """One step; ``step`` counts from 1 over all epochs."""

    epoch: int
    step: int
    loss: float
    learning_rate: float
    samples_per_s: float


@dataclass(frozen=True)
class EpochDone(RunEvent):
    """One epoch with its validation.

    ``train`` and ``validation`` hold ``loss`` and per task a dictionary of figures; ``inputs``,
    where there are several, per input its own ``loss``, its ``gradient_share`` and, where
    gradient modulation is on, ``modulation``, the mean of what its gradient was multiplied with.
    ``alignment``, where the inputs are aligned, holds ``train`` and ``validation``, each with its
    ``loss``, the ``temperature``, and ``retrieval``, the validation's recall per ordered pair of
    inputs: the fields of ``training.retrieval.Retrieval.to_json``.
    """

    epoch: int
    train: dict[str, Any]
    validation: dict[str, Any]
    seconds: float
    samples_per_s: float
    remaining_s: float
    memory_bytes: int
    inputs: dict[str, dict[str, float]] = field(default_factory=dict)
    alignment: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckpointSaved(RunEvent):
    """The weights were written; ``best`` when they are the best so far."""

    epoch: int
    best: bool


@dataclass(frozen=True)
class Warned(RunEvent):
    """Training goes on, but the user should know."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class WentBack(RunEvent):
    """A step's loss was no number: training goes on from its last checkpoint, with a lower rate.

    ``epoch`` and ``step`` come next; what was told of them and of what followed no longer counts.
    ``rows`` are those of the batch, counted from 1.
    """

    epoch: int
    step: int
    learning_rate: float
    rows: list[int]
    reason: str


@dataclass(frozen=True)
class InputsScored(RunEvent):
    """What each input is worth to the best model, on the rows of one split.

    The fields are those of ``training.input_scores.InputScores``, in plain data.
    """

    split: str
    samples: int
    subsets: list[dict[str, Any]]
    contributions: dict[str, dict[str, dict[str, float]]]
    interactions: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Combined(RunEvent):
    """The answers were weighed: from here on the run answers with what they say together.

    ``shares`` holds per target a list of ``{"kind", "inputs", "name", "share"}``, the largest
    share first, for samples that have all inputs; kinds are ``fusion``, ``head`` (one input's own)
    and ``machine``. ``validation`` holds per target its figures; the weights were found on the
    same rows. ``trained`` is False as long as only the quick models can answer.
    """

    shares: dict[str, list[dict[str, Any]]]
    validation: dict[str, dict[str, float]]
    trained: bool


@dataclass(frozen=True)
class EncoderChosen(RunEvent):
    """An encoder that the experiment left open was chosen, and why."""

    input: str
    encoder: str
    model: str
    reason: str


@dataclass(frozen=True)
class WeightsTaken(RunEvent):
    """The model started from another run's weights.

    ``run`` is that run, ``taken`` of ``total`` numbers are its; ``fresh`` names the parts of the
    model that begin anew, wholly or in part: ``["head shape"]``, where there is a new label.
    """

    run: str
    taken: int
    total: int
    fresh: list[str]


@dataclass(frozen=True)
class Tuned(RunEvent):
    """How steps are made from here on: the fastest way of those that were tried on real steps.

    ``threads`` of torch; ``precision``, the number format of the layers; ``step_s`` per way that
    was tried, such as ``1 thread, float32``, the seconds of a step; ``reason`` is ``start``, or
    ``load`` where the number of threads follows what else the machine does; ``layout``, how
    pictures and the weights of convolutions lie in memory, empty where that was never measured.
    """

    threads: int
    precision: str
    step_s: dict[str, float] = field(default_factory=dict)
    reason: str = "start"
    layout: str = ""


@dataclass(frozen=True)
class Shortened(RunEvent):
    """The training gets fewer epochs, so that it ends within its minutes."""

    epochs: int
    minutes: float


@dataclass(frozen=True)
class Stopped(RunEvent):
    """The training was stopped, and all that a resume and an answer need is written.

    What follows, up to RunFinished, is a last look at the model; who can't wait may leave now.
    ``epoch`` and ``step`` are the last that were done.
    """

    epoch: int
    step: int


@dataclass(frozen=True)
class RunFinished(RunEvent):
    """The last event of a run: ``completed``, ``early_stopped`` or ``stopped``."""

    reason: str
    run: str
    best_epoch: int
    epochs: int
    seconds: float


def _event_name(cls: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


_BY_NAME = {_event_name(cls): cls for cls in RunEvent.__subclasses__()}


_FIGURES = {"*": {"*": float}}
_ALIGNED = {"loss?": float, "retrieval?": [{"from": str, "to": str, "*": float}]}
_SCORED = {"mean": float, "mean_absolute": float, "samples": int}
_POSITIVE = range(1, 2**53)
_SHAPES: dict[str, Any] = {
    "preparing": {"message": str, "done": int, "total": int},
    "started": {
        "run": str, "device": str, "precision": str, "parameters": int, "epochs": _POSITIVE,
        "steps_per_epoch": _POSITIVE, "first_epoch": _POSITIVE, "samples": {"train": int, "*": int},
        "inputs": [str], "tasks": {"*": str}, "first_step?": int},
    "step_done": {"epoch": int, "step": int, "loss": float, "learning_rate": float,
                  "samples_per_s": float},
    "epoch_done": {
        "epoch": int, "train": {"loss": float, **_FIGURES},
        "validation": {"loss": float, **_FIGURES}, "seconds": float, "samples_per_s": float,
        "remaining_s": float, "memory_bytes": int, "inputs?": _FIGURES,
        "alignment?": {"train?": _ALIGNED, "validation?": _ALIGNED, "temperature?": float,
                       "retrieval?": _ALIGNED["retrieval?"]}},
    "checkpoint_saved": {"epoch": int, "best": bool},
    "warned": {"message": str, "hint?": str},
    "went_back": {"epoch": _POSITIVE, "step": _POSITIVE, "learning_rate": float, "rows": [int],
                  "reason": str},
    "inputs_scored": {
        "split": str, "samples": int,
        "subsets": [{"inputs": [str], "samples": int, "tasks": _FIGURES}],
        "contributions": {"*": {"*": _SCORED}},
        "interactions": {"*": [{"inputs": [str], **_SCORED}]}},
    "combined": {
        "shares": {"*": [{"kind": str, "inputs": [str], "name": str, "share": float}]},
        "validation": _FIGURES, "trained": bool},
    "encoder_chosen": {"input": str, "encoder": str, "model": str, "reason": str},
    "weights_taken": {"run": str, "taken": int, "total": int, "fresh": [str]},
    "tuned": {"threads": int, "precision": str, "step_s?": {"*": float}, "reason?": str,
              "layout?": str},
    "shortened": {"epochs": _POSITIVE, "minutes": float},
    "stopped": {"epoch": int, "step": int},
    "run_finished": {"reason": str, "run": str, "best_epoch": int, "epochs": int,
                     "seconds": float},
}
"""Of each event's line, see ``mmstudio.shapes``."""


def event_from_json(data: dict[str, Any]) -> RunEvent | None:
    """The event of a line of the log; None for one of a kind not known here.

    Raises:
        ValueError: A field is missing, or holds something else than it should.
    """
    name = fitted_to(data, {"event": str}, "the line")["event"]
    cls = _BY_NAME.get(name)
    if cls is None:
        return None
    known = {f.name for f in dataclasses.fields(cls)}
    fields = fitted_to(data, _SHAPES[name], name)
    event: RunEvent = cls(**{k: v for k, v in fields.items() if k in known})
    return event


def without_nan(value: Any) -> Any:
    """Plain data with None, JSON's null, for every number that is none."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
