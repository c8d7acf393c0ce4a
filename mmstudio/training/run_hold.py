"""One process trains a run: the others are told who it is."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mmstudio.errors import UserError
from mmstudio.safe_files import remove_begun, write_whole

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = "training.lock"
HOLDER = "training.json"
MOST_BYTES = 4096


class RunHold:
    """A lock on a run's folder; it ends with its process, however that ends.

    While it is held, ``training.json`` in the folder names the process and its machine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: BaseFileLock | None = None

    def take(self) -> None:
        """Hold the folder, which must be there; what killed writers left in it is removed.

        Raises:
            UserError: Another training holds it; names its process and machine.
            OSError: The folder can't be written to.
        """
        if self._lock is not None:
            return
        from filelock import FileLock, Timeout

        # a generator may be closed by another thread than the one that began it
        lock = FileLock(self._folder / LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise self._refusal() from None
        self._lock = lock
        remove_begun(self._folder)
        write_whole(self._folder / HOLDER,
                    json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))

    def release(self) -> None:
        """Let go; harmless where it is not held."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        with suppress(OSError):
            (self._folder / HOLDER).unlink(missing_ok=True)
        # a waiting process sees that the file it has locked has no name any more, and asks again
        if os.name != "nt":
            with suppress(OSError):
                (self._folder / LOCK).unlink(missing_ok=True)
        lock.release()

    def refuse_if_held(self) -> None:
        """Raise UserError where another training holds the folder."""
        if not (self._folder / LOCK).is_file():
            return
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder / LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise self._refusal() from None
        except OSError:
            return  # nobody can say
        lock.release()

    def _refusal(self) -> UserError:
        return UserError(f"{self._folder} is being trained by {self._holder()}.",
                         "Wait until it ends or stop it, or take another name.")

    def _holder(self) -> str:
        try:
            with (self._folder / HOLDER).open("rb") as file:
                told = json.loads(file.read(MOST_BYTES))
            where = "" if told["host"] == socket.gethostname() else f" on {told['host']}"
            return f"process {int(told['pid'])}{where}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "another process"
