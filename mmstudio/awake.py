"""Keeps the system from going to sleep while something long is under way.

A small process asks the system for it and lasts as long as its input is open: however this one
ends, the wish ends with it. The screen may go dark, and a laptop's lid does what it always does.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

SETTLE_S = 0.5
"""A process that can't ask the system has ended by then."""
LEAVE_S = 5.0
WHO, WHY = "mmstudio", "A model is being trained"
# ES_CONTINUOUS | ES_SYSTEM_REQUIRED, which hold as long as the thread that sets them
_WINDOWS = ("import ctypes, sys; "
            "ok = ctypes.windll.kernel32.SetThreadExecutionState(0x80000001); "
            "sys.exit(1) if not ok else sys.stdin.read()")

log = logging.getLogger("mmstudio")
Commands = Sequence[Sequence[str]]


def commands() -> list[list[str]]:
    """What asks this system to stay awake, the best first; none where nothing is known."""
    if sys.platform == "win32":
        return [[sys.executable, "-S", "-c", _WINDOWS]]
    if sys.platform == "darwin":
        return [["caffeinate", "-i", "cat"]]
    known = [["systemd-inhibit", "--what=sleep:idle", f"--who={WHO}", f"--why={WHY}",
              "--mode=block", "cat"]]
    if "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "").upper():
        known.append(["gnome-session-inhibit", "--inhibit", "suspend", "--app-id", WHO,
                      "--reason", WHY, "cat"])
    return [command for command in known if shutil.which(command[0]) is not None]


class StayingAwake:
    """A wish that the system stays awake. What fails is logged, and nothing else.

    Args:
        find: Gives the commands to try.
        settle_s: How long a command is given to fail.
    """

    def __init__(
        self, find: Callable[[], Commands] = commands, settle_s: float = SETTLE_S
    ) -> None:
        self._find, self._settle_s = find, settle_s
        self._changing = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def held(self) -> bool:
        """Whether the system was asked, and listens."""
        process = self._process
        return process is not None and process.poll() is None

    def follow(self, wanted: Callable[[], bool]) -> None:
        """Do what is wanted by now; takes a moment. May be called from any thread.

        Args:
            wanted: Asked once no other call is at it, so that of several the last one counts.
        """
        with self._changing:
            if wanted():
                if not self.held:
                    self._hold()
            else:
                self._let_go()

    def release(self) -> None:
        """Let the system sleep."""
        self.follow(lambda: False)

    def _hold(self) -> None:
        self._let_go()
        for command in self._find():
            try:
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
            except OSError as error:
                log.info("%s can't keep the system awake: %s", command[0], error)
                continue
            self._process = process
            try:
                code = process.wait(self._settle_s)
            except subprocess.TimeoutExpired:
                return
            log.info("%s can't keep the system awake: it ended with %s", command[0], code)
            self._let_go()
        log.info("the system may go to sleep while it trains")

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
