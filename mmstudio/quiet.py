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
    package, nothing is led away: its lines are worth more than silence.
    """
    global _inside, _kept
    if _stderr_fd() == STDERR:
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
    except (AttributeError, OSError, ValueError):  # none, or one that is no file
        return -1
