"""The signals that end a program, handled for a while: Ctrl-C, SIGTERM, and SIGHUP."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

HANG_UP = getattr(signal, "SIGHUP", None)
"""A terminal that was closed; none on Windows."""
Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handled(handler: Handler, *, interrupt: bool) -> Iterator[None]:
    """Handle the signals, Ctrl-C among them or not; one that ``nohup`` has set aside stays so."""
    terminal = [fd for fd in _outputs() if _is_terminal(fd)]

    def handle(number: int, frame: FrameType | None) -> None:
        if number == HANG_UP:
            _leave(terminal)
        handler(number, frame)

    before = {}
    for number in (signal.SIGTERM, HANG_UP):
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    if interrupt:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _outputs() -> set[int]:
    """Where the program writes: ``sys.stderr`` may have a descriptor of its own."""
    found = {1, 2}
    with suppress(AttributeError, OSError, ValueError):
        found.add(sys.stderr.fileno())
    return found


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def _leave(terminal: list[int]) -> None:
    """Write nowhere in place of a terminal that is gone: each line would be an error."""
    if not terminal:
        return
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for fd in terminal:
            os.dup2(nowhere, fd)
        os.close(nowhere)
    with suppress(OSError, RuntimeError, ValueError):
        sys.stdout.flush()
