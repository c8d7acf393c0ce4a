"""Ctrl-C in long work of the command line: a wish first, an order when it is repeated."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mmstudio.cli.output import say


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C as the wish to stop, so that work keeps what it has.

    Yields:
        Whether there was one; what ``should_stop`` wants.

    Raises:
        KeyboardInterrupt: At the second one.
    """
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        say("Stopping; Ctrl-C once more ends it at once.")

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
