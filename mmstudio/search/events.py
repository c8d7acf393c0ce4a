"""What a search tells while it runs."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

from mmstudio.training.events import RunEvent, without_nan


@dataclass(frozen=True)
class SearchEvent:
    """Something that happened in a search."""

    def to_json(self) -> dict[str, Any]:
        """Plain data, ``event`` first: the class's name in snake case."""
        fields = {f.name: without_nan(getattr(self, f.name)) for f in dataclasses.fields(self)}
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()
        return {"event": name, **fields}


@dataclass(frozen=True)
class SearchStarted(SearchEvent):
    """What may vary is known; ``done`` trials are there already, from before."""

    search: str
    vary: list[str]
    minutes: float | None
    trials: int | None
    done: int


@dataclass(frozen=True)
class TrialStarted(SearchEvent):
    """A trial is next; ``values`` are its own, per key that varies."""

    trial: int
    values: dict[str, Any]
    remaining_s: float | None


@dataclass(frozen=True)
class SearchTold(SearchEvent):
    """An event of the training that is going on; ``run`` is a trial's number or a run's name."""

    run: str
    told: RunEvent

    def to_json(self) -> dict[str, Any]:
        """The training's own event, with the trial or run that it belongs to."""
        return self.told.to_json() | {"searched_run": self.run}


@dataclass(frozen=True)
class TrialEnded(SearchEvent):
    """A trial is over: ``done``, ``pruned`` or ``failed``; ``figure`` is its validation's."""

    trial: int
    state: str
    figure: float
    seconds: float
    best: int
    message: str = ""


@dataclass(frozen=True)
class FinalStarted(SearchEvent):
    """One of the best is trained again, with another seed; ``number`` counts from 1.

    ``remaining_s`` is left of the whole search, None where only its trials are counted.
    """

    run: str
    trial: int
    seed: int
    number: int
    total: int
    remaining_s: float | None = None


@dataclass(frozen=True)
class FinalFailed(SearchEvent):
    """A final could not be trained; its trial is out, and the others go on."""

    run: str
    trial: int
    message: str
    hint: str


@dataclass(frozen=True)
class SearchFinished(SearchEvent):
    """The last event.

    Attributes:
        reason: ``completed`` or ``stopped``.
        search: Its name.
        trial: The number of the trial whose settings were found the best; None where it was
            stopped before that was known.
        values: What these settings are.
        changes: In which keys they differ from the experiment, as ``key: before → now``.
        sentence: What was found, for people.
        finals: Per trial that was trained again its figures.
        ensemble: The models that answer together, where that was asked for: ``run``, ``members``,
            ``figures`` and ``best_alone`` on the validation rows, and who is ``left_out``.
    """

    reason: str
    search: str
    trial: int | None = None
    values: dict[str, Any] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    sentence: str = ""
    finals: list[dict[str, Any]] = field(default_factory=list)
    ensemble: dict[str, Any] = field(default_factory=dict)
