"""Keeps what C libraries print of damaged files off the terminal.

libmpg123 (within libsndfile) and libtiff (within Pillow) write to file descriptor 2 by themselves,
and neither library lets a program say otherwise from Python. So the descriptor is led nowhere while
such a file is read. It belongs to the whole process: what Python itself writes meanwhile, in other
threads, must go another way, which `keep_own_stderr` gives it.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STDERR = 2
_lock = threading.Lock()
_inside = 0
_kept = -1


def open_missing() -> None:
    """Open the null device on those of descriptors 0 to 2 that a process began without.

    Else the next file that is opened gets their number, and what C libraries print goes into it. To
    be called at the program's start, before anything is opened.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if _identity(number) is None:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_RDWR)
                if nowhere != number:
                    os.dup2(nowhere, number)
                    os.close(nowhere)
                os.set_inheritable(number, True)
                if getattr(sys, name) is None:  # print would take standard output in its place
                    setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8",
                                            errors="backslashreplace", closefd=False))


def keep_own_stderr() -> None:
    """Let ``sys.stderr`` write into a copy of descriptor 2, so that `quiet` swallows none of it.

    To be called once, before threads are begun; does nothing where there is no such descriptor, or
    ``sys.stderr`` writes elsewhere already.
    """
    if _stderr_fd() != STDERR:
        return
    with suppress(OSError):
        sys.stderr.flush()
        copy = os.dup(STDERR)
        sys.stderr = io.TextIOWrapper(
            io.FileIO(copy, "w"), encoding=sys.stderr.encoding, errors="backslashreplace",
            line_buffering=True, write_through=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Lead descriptor 2 nowhere; may be entered by many threads at once, and within itself.

    Where ``sys.stderr`` writes into the descriptor itself, as in a program that only imports this
    package, nothing is led away: its lines are worth more than silence. Nor is it where there is
    no standard error, or the descriptor is another file than when this module was loaded.
    """
    global _inside, _kept
    if sys.stderr is None or _stderr_fd() == STDERR:
        yield
        return
    with _lock:
        if _inside == 0:
            _kept = _led_nowhere()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _kept >= 0:
                os.dup2(_kept, STDERR)
                os.close(_kept)
                _kept = -1


def _led_nowhere() -> int:
    """A copy of descriptor 2, which leads nowhere now; -1 where that can't be done."""
    now = _identity(STDERR)
    if sys.__stderr__ is None or now is None or now != _AT_START:
        return -1
    try:
        kept = os.dup(STDERR)
    except OSError:
        return -1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except OSError:
        os.close(kept)
        return -1
    os.dup2(nowhere, STDERR)
    os.close(nowhere)
    return kept


def _stderr_fd() -> int:
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # none, or one that is not a file
        return -1


def _identity(descriptor: int) -> tuple[int, int] | None:
    """What file a descriptor is; None where it is closed."""
    try:
        state = os.fstat(descriptor)
    except OSError:
        return None
    return state.st_dev, state.st_ino


_AT_START = _identity(STDERR)
