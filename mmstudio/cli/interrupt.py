"""Ctrl-C and the signals that end programs: a wish first, an order when it is repeated.

A batch system's SIGTERM and a terminal that was closed (SIGHUP) are taken as Ctrl-C is.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from mmstudio.cli.output import say

_HANG_UP = getattr(signal, "SIGHUP", None)
_Handler = Callable[[int, FrameType | None], None]


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C, SIGTERM or SIGHUP as the wish to stop, so that work keeps what it has.

    Yields:
        Whether there was one; what ``should_stop`` wants.

    Raises:
        KeyboardInterrupt: At the second one. Of a closed terminal the shell and the system tell
            alike, so that counts once.
    """
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed and number != _HANG_UP:
            raise KeyboardInterrupt
        if not pressed:
            pressed = True
            with suppress(OSError, RuntimeError):  # no terminal any more, or in the midst of a line
                say("Stopping; Ctrl-C once more ends it at once.")

    with _handled(press, interrupt=True):
        yield lambda: pressed


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end a command as Ctrl-C does: what was begun is tidied up.

    Raises:
        KeyboardInterrupt: At the first of them.
    """
    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(end, interrupt=False):
        yield


@contextmanager
def _handled(handler: _Handler, *, interrupt: bool) -> Iterator[None]:
    """Handle the signals, Ctrl-C among them or not; one that ``nohup`` has set aside stays so."""
    terminal = [fd for fd in (1, 2) if _is_terminal(fd)]

    def handle(number: int, frame: FrameType | None) -> None:
        if number == _HANG_UP:
            _leave(terminal)
        handler(number, frame)

    before = {}
    for number in (signal.SIGTERM, _HANG_UP):
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handle)
    if interrupt:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


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
