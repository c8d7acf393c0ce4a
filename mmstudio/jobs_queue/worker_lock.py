"""One process works a queue off: the others are told who it is."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from mmstudio.reading import read_json
from mmstudio.safe_files import remove_begun, write_whole

if TYPE_CHECKING:
    from filelock import BaseFileLock

WORKING, HOLDER = "working.lock", "working.json"
MOST_BYTES = 4096


class WorkerLock:
    """A lock on a queue's folder; it ends with its process, however that ends.

    Whoever looks whether it is held takes it for a moment: a worker that begins in that moment
    would be refused. So both are done while the queue is locked for a change.

    Args:
        folder: The queue's, which must be there when the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: BaseFileLock | None = None

    def take(self) -> bool:
        """Hold it; False where another process does. Raises OSError."""
        lock = self._acquired()
        if lock is None:
            return False
        self._lock = lock
        remove_begun(self._folder)
        write_whole(self._folder / HOLDER,
                    json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        return True

    def release(self) -> None:
        """Let go; harmless where it is not held."""
        lock, self._lock = self._lock, None
        if lock is not None:
            (self._folder / HOLDER).unlink(missing_ok=True)
            lock.release()

    def is_held(self) -> bool:
        """Whether some process holds it."""
        if not (self._folder / WORKING).is_file():
            return False
        lock = self._acquired()
        if lock is not None:
            lock.release()
        return lock is None

    def holder(self) -> str:
        """Who holds it: "process 4711 on tower"."""
        try:
            data = read_json(self._folder / HOLDER, MOST_BYTES)
            where = "" if data["host"] == socket.gethostname() else f" on {data['host']}"
            return f"process {int(data['pid'])}{where}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "another process"

    def _acquired(self) -> BaseFileLock | None:
        from filelock import FileLock, Timeout

        # a generator may be closed by another thread than the one that began it
        lock = FileLock(self._folder / WORKING, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock
