"""Ctrl-C and the signals that end programs: a wish first, an order when it is repeated.

A batch system's SIGTERM and a terminal that was closed (SIGHUP) are taken as Ctrl-C is.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from mmstudio.cli.output import say
from mmstudio.signals import HANG_UP, handled


@contextmanager
def interrupts(quiet: bool = False) -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C, SIGTERM or SIGHUP as the wish to stop, so that work keeps what it has.

    Args:
        quiet: Say nothing: another process does.

    Yields:
        Whether there was one; what ``should_stop`` wants.

    Raises:
        KeyboardInterrupt: At the second one. Of a closed terminal the shell and the system tell
            alike, so that counts once.
    """
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed and number != HANG_UP:
            raise KeyboardInterrupt
        if not pressed:
            pressed = True
            if quiet:
                return
            with suppress(OSError, RuntimeError):  # no terminal any more, or in the midst of a line
                say("Stopping; Ctrl-C once more ends it at once.")

    with handled(press, interrupt=True):
        yield lambda: pressed


@contextmanager
def after_the_epoch(quiet: bool = False) -> Iterator[Callable[[], bool]]:
    """Take SIGUSR1 as the wish to stop after the epoch at hand; batch systems can send it.

    Args:
        quiet: Say nothing: another process does.

    Yields:
        Whether there was one; what ``stop_after_epoch`` wants.
    """
    number = getattr(signal, "SIGUSR1", None)
    wished = False

    def wish(_: int, frame: FrameType | None) -> None:
        nonlocal wished
        if not wished:
            wished = True
            if quiet:
                return
            with suppress(OSError, RuntimeError):  # as above
                say("Stopping after this epoch.")

    if number is None or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(number, wish)
    # who started this process may have held it back until now
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    try:
        yield lambda: wished
    finally:
        signal.signal(number, before)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end a command as Ctrl-C does: what was begun is tidied up.

    Raises:
        KeyboardInterrupt: At the first of them.
    """
    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with handled(end, interrupt=False):
        yield
