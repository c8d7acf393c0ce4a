"""A job of the queue: a training, a comparison or a cross-validation, as its file tells it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmstudio.experiment_reading import FEWEST_FOLDS, MOST_FOLDS
from mmstudio.shapes import fitted_to
from mmstudio.training.run_identity import identity_of

KINDS = ("train", "compare", "folds")
STATES = ("waiting", "held", "running", "done", "failed", "stopped")
USUAL_FOLDS = 5
COMPARISON = ("fusions", "single", "combination", "seeds", "target")
"""What a comparison may be added with; the rest is as of `make_plan`."""
_OPTIONS = {"fusions?": [str], "single?": bool, "combination?": bool, "seeds?": int,
            "target?": str, "folds?": range(FEWEST_FOLDS, MOST_FOLDS + 1)}
SHAPE = {"job": int, "kind": str, "name": str, "state": str, "place": float, "options": _OPTIONS,
         "begun": bool, "run?": str, "wish": str, "message": str, "hint": str, "added": str,
         "ended": str}


@dataclass(frozen=True)
class Job:
    """A training, a comparison or a cross-validation that waits, runs or is over.

    Attributes:
        job: Its number.
        kind: ``train``, ``compare`` or ``folds``.
        name: Of its run or its comparison.
        state: One of ``STATES``.
        place: The jobs run in the order of their places.
        options: Of a comparison, by the names in ``COMPARISON``; those that are absent are the
            usual ones. Of a cross-validation the number of ``folds``.
        begun: Whether it was begun; then it goes on with what is there.
        run: The mark of the run that it began, see ``run_identity``; "" before.
        wish: ``stop`` where it is to be stopped; else "".
        message: Why it failed.
        hint: What can be done about it.
        added: When, in ISO 8601.
        ended: Likewise; "" before.
    """

    job: int
    kind: str
    name: str
    state: str
    place: float
    options: dict[str, Any] = field(default_factory=dict)
    begun: bool = False
    run: str = ""
    wish: str = ""
    message: str = ""
    hint: str = ""
    added: str = ""
    ended: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing becomes of it unless somebody releases it."""
        return self.state in ("done", "failed", "stopped")

    def began(self, run: Path) -> bool:
        """Whether a run of its name is the one that it began, as far as that is known."""
        return not self.run or identity_of(run) == self.run

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Job:
        """Of what ``to_json`` gave.

        Raises:
            ValueError: It is damaged, or names a place outside of the project.
        """
        found = fitted_to(data, SHAPE, "the job")
        if found["kind"] not in KINDS or found["state"] not in STATES:
            raise ValueError(f"it is not a {' or '.join(KINDS)}, or in no known state")
        if not is_name(found["name"]) or found["place"] is None:
            raise ValueError(f"{found['name']!r} is not a name, or it has no place")
        return cls(**{f.name: found[f.name] for f in dataclasses.fields(cls) if f.name in found})


def is_name(name: str) -> bool:
    """Whether a run or a comparison may have this name."""
    return bool(name) and Path(name).name == name and name not in (".", "..")
