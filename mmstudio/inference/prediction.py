"""What a model answers for one sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmstudio.inference.contributions import (
    Contributions,
)
from mmstudio.tasks.base import Answer

NOTHING_THERE = "No input is present: the answer rests on the training rows' labels alone."


@dataclass(frozen=True)
class Prediction:
    """The answers for one sample, the inputs that were there, and the time that it took.

    ``contributions`` tells per task what each input added; empty where the sample is a row of a
    table, or has more than six inputs. ``error`` tells of a row of a table which of its cells can't
    be read, where others gave the answer. Without any input the training rows' labels are the
    answer, and ``note`` says so.
    """

    tasks: dict[str, Answer]
    present: tuple[str, ...]
    seconds: float
    contributions: dict[str, Contributions] = field(default_factory=dict)
    error: str = ""

    @property
    def note(self) -> str:
        """What people should know of the answer; "" of most."""
        return "" if self.present else NOTHING_THERE

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        data: dict[str, Any] = {
            "tasks": {n: a.to_json() for n, a in self.tasks.items()},
            "present": list(self.present),
        }
        if self.error:
            data["error"] = self.error
        if self.note:
            data["note"] = self.note
        return data | ({"contributions": {n: c.to_json() for n, c in self.contributions.items()}}
             if self.contributions else {})
