"""Signals end the window as closing it does: what is being trained is kept.

Qt's loop runs no Python while nothing happens, so a handler alone would be called at the next move
of the mouse. The interpreter writes each signal into a socket too, and Qt wakes up at that.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from PySide6.QtCore import QSocketNotifier

from mmstudio.signals import HANG_UP, handled


@contextmanager
def ending_by_signals(end: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Call ``end`` in Qt's loop at the first Ctrl-C, SIGTERM or SIGHUP.

    The second one ends the process at once, as if nobody handled it: files of runs are whole at any
    moment. Of a closed terminal the shell and the system tell alike, so that counts once.

    Args:
        end: Begins to close the window; may return before that is done.

    Yields:
        Whether there was a signal.
    """
    numbers: list[int] = []
    begun = False

    def told(number: int, frame: FrameType | None) -> None:
        if numbers and number != HANG_UP:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        numbers.append(number)

    def woken() -> None:
        nonlocal begun
        theirs.recv(64)
        if numbers and not begun:  # other signals than ours come here too
            begun = True
            end()

    ours, theirs = socket.socketpair()
    with ours, theirs:
        for one in (ours, theirs):
            one.setblocking(False)
        bell = QSocketNotifier(theirs.fileno(), QSocketNotifier.Type.Read)
        bell.activated.connect(woken)
        before = signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
        try:
            with handled(told, interrupt=True):
                yield lambda: bool(numbers)
        finally:
            signal.set_wakeup_fd(before)
            bell.setEnabled(False)
