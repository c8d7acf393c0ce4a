"""The run folder of a process that trains along: another one writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmstudio.experiment import Experiment
from mmstudio.training.events import RunEvent
from mmstudio.training.run_folder import RunFolder


class FollowedFolder(RunFolder):
    """A run folder that is read and never written: what would write does nothing."""

    writes = False

    def check_free(self) -> None:
        """Looked at by the one that writes."""

    def claim(self, *, resume: bool = False) -> None:
        """Held by the one that writes."""

    def check_can_go_on(self) -> None:
        """Looked at by the one that writes."""

    def end_torn_line(self) -> None:
        """Done by the one that writes."""

    def log_event(self, event: RunEvent, folders: Sequence[Path] = ()) -> None:
        """Done by the one that writes."""

    def rewind_log(self, length: int, told: Sequence[str]) -> None:
        """Done by the one that writes."""

    def write_experiment(self, experiment: Experiment) -> None:
        """Done by the one that writes."""

    def write_text(self, name: str, text: str) -> None:
        """Done by the one that writes."""
