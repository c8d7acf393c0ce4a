"""When a run's state is written: after each epoch, and within long ones as often as is cheap."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmstudio.training.events import RunEvent
from mmstudio.training.resuming import save_run
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.step import Run

SHARE = 0.005
"""Of the training's time that checkpoints within epochs may take."""
LEAST_S, MOST_S = 2.0, 50.0
"""Between two checkpoints: more often gains nothing, and at most a minute is to be lost, the
step at hand and the writing included."""


class Checkpoints:
    """Writes a run's state, and measures what that costs.

    Args:
        run: What is trained.
        files: The run's.
        clock: Seconds.

    Attributes:
        spent_s: What all writing of states took.
    """

    def __init__(
        self, run: Run, files: RunFolder, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._run, self._files, self._clock = run, files, clock
        self._latest, self._cost_s = clock(), 0.0
        self._asked, self._step_s = clock(), 0.0
        self.spent_s = 0.0

    def due(self) -> bool:
        """Whether to write now, within an epoch; asked after each step."""
        now = self._clock()
        # the next step is as long as the last few: one of many seconds must not exceed the minute
        self._step_s, self._asked = max(0.5 * self._step_s, now - self._asked), now
        pause_s = max(LEAST_S, self._cost_s / SHARE)
        return now - self._latest >= min(pause_s, MOST_S - self._step_s)

    def save(
        self, within: Mapping[str, Any] | None = None, told: Sequence[RunEvent] = ()
    ) -> None:
        """Write the state, see ``save_run``. Raises OSError."""
        began = self._clock()
        save_run(self._run, self._files, within, told)
        self._latest = self._asked = self._clock()
        self._cost_s = self._latest - began
        self.spent_s += self._cost_s
