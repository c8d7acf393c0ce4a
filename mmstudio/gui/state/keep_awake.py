"""The system does not go to sleep while heavy work is under way, unless that is switched off."""

from __future__ import annotations

from PySide6.QtCore import QObject

from mmstudio.awake import StayingAwake
from mmstudio.gui.state.heavy_work import HeavyWork
from mmstudio.gui.state.job_runner import JobRunner


class KeepAwake(QObject):
    """Follows the heavy work.

    Args:
        jobs: Asks the system in a thread.
        heavy: The work.
        switched_on: Whether the user wants it.
        awake: Asks the system.
    """

    def __init__(
        self, jobs: JobRunner, heavy: HeavyWork, switched_on: bool, awake: StayingAwake
    ) -> None:
        super().__init__(jobs)
        self._jobs, self._heavy, self._awake = jobs, heavy, awake
        self._switched_on = switched_on
        self._wanted = False
        heavy.changed.connect(self._follow)
        self._follow()

    def switch(self, on: bool) -> None:
        """Have it from now on, or no more."""
        self._switched_on = on
        self._follow()

    def _follow(self) -> None:
        wanted = self._switched_on and self._heavy.running is not None
        if wanted != self._wanted:
            self._wanted = wanted
            self._jobs.start(lambda: self._awake.follow(lambda: self._wanted), lambda _: None)
