"""t-SNE in a process of its own: scikit-learn's can't be left off, a process can be ended."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmstudio.errors import UserError
from mmstudio.evaluation.map_points import placed_near

LOOK_S = 0.1
"""So often it is asked whether to leave off."""
PROGRAM = ("import sys; sys.path[:0] = sys.argv[1:]; "
           "from mmstudio.evaluation.placed_apart import answer; answer()")


def placed_apart(values: np.ndarray, should_stop: Callable[[], bool]) -> np.ndarray:
    """As ``placed_near``, which ends soon after ``should_stop`` says so.

    Where no process can be started, or it fails, the places are worked out in this one.

    Args:
        values: ``(N, D)``.
        should_stop: Asked every ``LOOK_S``.

    Raises:
        UserError: It was left off.
    """
    ours = Path(__file__).absolute().parents[2]
    # an installed one is where Python looks, and must not come before its own modules
    places = [] if ours.name in ("site-packages", "dist-packages") else [str(ours)]
    # -P: the folder where the app was started may hold code that nobody trusts
    command = [sys.executable, "-P", "-X", "utf8", "-c", PROGRAM, *places]
    try:
        # of a pipe, what doesn't fit into it at once is not sent where one looks away meanwhile
        with tempfile.TemporaryFile() as question:
            question.write(_packed(values))
            question.seek(0)
            process = subprocess.Popen(
                command, stdin=question, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=dict(os.environ), creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
    except OSError:
        return placed_near(values)
    try:
        out = _answer_of(process, should_stop)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode != 0:
        return placed_near(values)
    return _unpacked(out)


def _answer_of(process: subprocess.Popen[bytes], should_stop: Callable[[], bool]) -> bytes:
    while True:
        try:
            return process.communicate(timeout=LOOK_S)[0]
        except subprocess.TimeoutExpired:
            if should_stop():
                raise UserError("The map was cancelled.") from None


def answer() -> None:
    """What the process does: values from its input, their places to its output."""
    places = placed_near(_unpacked(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(_packed(places))


def _packed(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, np.float32), allow_pickle=False)
    return buffer.getvalue()


def _unpacked(content: bytes) -> np.ndarray:
    found: np.ndarray = np.load(io.BytesIO(content))
    return found
