"""The heavy libraries: loaded in the background once the window stands."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state import loading
from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.registry import PROBLEMS


class Libraries(QObject):
    """Loads what is slow to import, and says when it is there.

    `tables_ready` is sent when tables can be read, `components_ready` when torch and all
    components are there; it carries the name of the device that "auto" means.
    """

    tables_ready = Signal()
    components_ready = Signal(str)

    def __init__(self, jobs: JobRunner) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self.ready = False
        self.device_name = ""
        self._loaded = threading.Event()

    def load_table_reader(self) -> None:
        """Import what reads tables in the background; `tables_ready` says when."""
        self._jobs.start(loading.load_table_reader, lambda _: self.tables_ready.emit())

    def warm_up(self) -> None:
        """Import torch and the components in the background; call once the window stands."""
        self._jobs.start(loading.load_components, self._on_ready, self._on_failed)

    def wait(self) -> None:
        """Block a job's thread until torch is loaded, or the window is closed."""
        self._loaded.wait()

    def release(self) -> None:
        """Let all threads that wait go on: the window closes."""
        self._loaded.set()

    def _on_ready(self, device_name: str) -> None:
        self.device_name = device_name
        self.ready = True
        self._loaded.set()
        self.components_ready.emit(device_name)
        if PROBLEMS:
            self._jobs.problem.emit(
                " ".join(PROBLEMS), self.tr("Update that package, or remove it."))

    def _on_failed(self, message: str, hint: str) -> None:
        self._loaded.set()
        self._jobs.problem.emit(message, hint)
