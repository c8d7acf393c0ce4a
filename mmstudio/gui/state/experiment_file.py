"""The open project's experiment file, which other programs may change too."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QFileSystemWatcher, QObject, Signal

from mmstudio.project.places import EXPERIMENT_FILE
from mmstudio.reading import read_bytes
from mmstudio.safe_files import write_whole

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment

MOST_BYTES = 1 << 24
THEIRS = "experiment.changed-elsewhere"
"""What another program wrote is kept under this name, numbered, where it would be written over."""


class ExperimentFile(QObject):
    """Notices when somebody else writes the file, and never writes over what it hasn't seen.

    ``changed`` is sent once for each content that another program has given it.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._known: str | None = None
        self._told: str | None = None
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(self.look)
        self._watcher.fileChanged.connect(self.look)

    def follow(self, project: Path | None) -> None:
        """Watch another project's file, as it is now; None watches none."""
        watched = [*self._watcher.directories(), *self._watcher.files()]
        if watched:
            self._watcher.removePaths(watched)
        self._path = None if project is None else project / EXPERIMENT_FILE
        self.accept()
        if project is not None:  # a file that is replaced is watched no more, its folder still is
            places = (project, project / EXPERIMENT_FILE)
            self._watcher.addPaths([str(path) for path in places if path.exists()])

    def accept(self) -> None:
        """Take what is on the disk as seen."""
        self._known = self._told = self._digest()

    def look(self) -> None:
        """See whether somebody else has changed the file; a shared disk may not tell by itself."""
        if self._path is None:
            return
        now = self._digest()
        if now is not None and now not in (self._known, self._told):
            self._told = now
            self.changed.emit()
        if now is not None and str(self._path) not in self._watcher.files():
            self._watcher.addPath(str(self._path))

    def save(self, experiment: Experiment, path: Path) -> Path | None:
        """Write the file.

        Returns:
            Where what another program had written meanwhile is kept; None where there was none.

        Raises:
            OSError: It can't be written.
        """
        kept = None
        now = self._digest() if path == self._path else None
        if now is not None and now != self._known:
            kept = _free_name(path.parent)
            write_whole(kept, read_bytes(path, MOST_BYTES))
        experiment.save(path)
        if path == self._path:
            self.accept()
        return kept

    def _digest(self) -> str | None:
        """Of the file's content; None where it isn't there, or can't be read."""
        if self._path is None:
            return None
        try:
            return hashlib.sha256(read_bytes(self._path, MOST_BYTES)).hexdigest()
        except OSError:
            return None


def _free_name(folder: Path) -> Path:
    number = 1
    while (path := folder / f"{THEIRS}-{number}.toml").exists():
        number += 1
    return path
