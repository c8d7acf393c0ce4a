"""Steps are nearly all lines of a run's log: those are read together, and far quicker."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from mmstudio.training.events import StepDone, event_from_json

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

BEGIN = b'{"event": "step_done"'
"""How the line of a step begins."""
# possessive: what does not fit is not tried in other ways, which takes half the time
_COUNT = rb"(?>0|[1-9][0-9]{0,14}+)"
_FIGURE = rb"(?>-?(?>0|[1-9][0-9]{0,14}+)(?:\.[0-9]{1,30}+)?+(?:e[-+]?[0-9]{1,2}+)?+|null)"
_LINE = re.compile(
    rb'\{"event": "step_done", "epoch": %b, "step": (%b), "loss": (%b), "learning_rate": %b, '
    rb'"samples_per_s": %b\}\r?\n?' % (_COUNT, _COUNT, _FIGURE, _FIGURE, _FIGURE))
"""A line as it is written here, its numbers within what ``event_from_json`` takes."""


class StepLines:
    """Gathers steps until another event follows.

    A line that is written in another way is not taken: only ``event_from_json`` can tell what is
    in it, and what is not.
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._last = b""

    def take(self, line: bytes) -> bool:
        """Take a line of the log, if it is a step's."""
        match = _LINE.fullmatch(line)
        if match is None:
            return False
        step, loss = match.groups()
        self._steps.append(int(step))
        self._losses.append(math.nan if loss == b"null" else float(loss))
        self._last = line
        return True

    def give(self, history: RunHistory) -> None:
        """Have a history take in what was gathered."""
        last = event_from_json(json.loads(self._last)) if self._steps else None
        if isinstance(last, StepDone):
            history.apply_steps(self._steps, self._losses, last)
        self._steps, self._losses = [], []
