"""Steps are nearly all lines of a run's log: those are read together, and far quicker."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from mmstudio.training.events import StepDone

if TYPE_CHECKING:
    from mmstudio.training.history import RunHistory

BEGIN = b'{"event": "step_done"'
"""How the line of a step begins."""
_COUNT = rb"(0|[1-9][0-9]{0,14})"
_FIGURE = rb"(-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,30})?(?:e[-+]?[0-9]{1,2})?|null)"
_LINE = re.compile(
    rb'\{"event": "step_done", "epoch": %b, "step": %b, "loss": %b, "learning_rate": %b, '
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
        self._last: tuple[bytes, ...] = ()

    def take(self, line: bytes) -> bool:
        """Take a line of the log, if it is a step's."""
        match = _LINE.fullmatch(line)
        if match is None:
            return False
        self._last = match.groups()
        self._steps.append(int(self._last[1]))
        self._losses.append(_number(self._last[2]))
        return True

    def give(self, history: RunHistory) -> None:
        """Have a history take in what was gathered."""
        if not self._steps:
            return
        epoch, step, loss, rate, speed = self._last
        # null stays None here, as in what ``event_from_json`` gives
        told = [None if value == b"null" else float(value) for value in (loss, rate, speed)]
        last = StepDone(int(epoch), int(step), *told)  # type: ignore[arg-type]
        history.apply_steps(self._steps, self._losses, last)
        self._steps, self._losses = [], []


def _number(value: bytes) -> float:
    return math.nan if value == b"null" else float(value)
