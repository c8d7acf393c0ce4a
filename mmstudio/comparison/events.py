"""What a comparison tells while it runs."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from mmstudio.comparison.ranking import Ranking
from mmstudio.training.events import RunEvent, without_nan


@dataclass(frozen=True)
class ComparisonEvent:
    """Something that happened in a comparison."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, ``event`` first: the class's name in snake case."""
        fields = {f.name: without_nan(getattr(self, f.name)) for f in dataclasses.fields(self)}
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        return {"event": name, **fields}


@dataclass(frozen=True)
class ComparisonStarted(ComparisonEvent):
    """The rows to compare on are known; ``done`` of the ``total`` runs are there already."""

    comparison: str
    split: str
    rows: int
    done: int
    total: int


@dataclass(frozen=True)
class ComparedRunStarted(ComparisonEvent):
    """A training is next; ``number`` counts from 1."""

    run: str
    contestant: str
    title: str
    seed: int
    number: int
    total: int


@dataclass(frozen=True)
class RunTold(ComparisonEvent):
    """An event of the training that is going on; ``run`` is "" while data is being read."""

    run: str
    told: RunEvent

    def to_json(self) -> dict[str, Any]:
        """The training's own event, with the run that it belongs to."""
        return self.told.to_json() | {"compared_run": self.run}


@dataclass(frozen=True)
class RunScored(ComparisonEvent):
    """A run was trained and has answered; means of its row scores."""

    run: str
    contestant: str
    seed: int
    score: float
    validation: float
    seconds: float


@dataclass(frozen=True)
class RunFailed(ComparisonEvent):
    """A run could not be trained; the comparison goes on without it."""

    run: str
    contestant: str
    message: str
    hint: str


@dataclass(frozen=True)
class RankingChanged(ComparisonEvent):
    """The ranking with what was scored last."""

    ranking: Ranking

    def to_json(self) -> dict[str, Any]:
        """The whole ranking."""
        return {"event": "ranking_changed", **self.ranking.to_json()}


@dataclass(frozen=True)
class ComparisonFinished(ComparisonEvent):
    """The last event: ``completed`` or ``stopped``."""

    reason: str
    comparison: str
    sentence: str
    report: str
