"""What a cross-validation tells while it runs."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

from mmstudio.training.events import RunEvent, without_nan


@dataclass(frozen=True)
class FoldsEvent:
    """Something that happened in a cross-validation."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, ``event`` first: the class's name in snake case."""
        fields = {f.name: without_nan(getattr(self, f.name)) for f in dataclasses.fields(self)}
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        return {"event": name, **fields}


@dataclass(frozen=True)
class CrossValidationStarted(FoldsEvent):
    """The folds are drawn; ``done`` of them were trained before."""

    run: str
    folds: int
    rows: int
    done: int


@dataclass(frozen=True)
class FoldStarted(FoldsEvent):
    """A fold is held out and the others are trained on; ``fold`` counts from 1."""

    fold: int
    of: int
    run: str


@dataclass(frozen=True)
class FoldRunEvent(FoldsEvent):
    """An event of the fold's own run."""

    fold: int
    event: RunEvent

    def to_json(self) -> dict[str, Any]:
        """The run's own event, with the fold that it belongs to."""
        return self.event.to_json() | {"fold": self.fold}


@dataclass(frozen=True)
class FoldDone(FoldsEvent):
    """A fold's held-out rows are answered: how many have a label, and the figures of each task."""

    fold: int
    run: str
    samples: int
    tasks: dict[str, dict[str, float]]


@dataclass(frozen=True)
class CrossValidationFinished(FoldsEvent):
    """The last event.

    Attributes:
        reason: ``completed`` or ``stopped``.
        run: The folder, such as ``runs/first``.
        folds: How many there are.
        samples: How many rows were answered, each by the one model that had not seen it.
        tasks: Per target the figures of all these rows, with ``interval``, ``confusion`` and
            ``per_class`` as ``mmstudio evaluate`` tells them.
        each: Per fold its run, samples and figures.
    """

    reason: str
    run: str
    folds: int
    samples: int = 0
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    each: list[dict[str, Any]] = field(default_factory=list)
