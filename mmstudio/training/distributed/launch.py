"""Starts one process for each device of this machine, by torchrun's own launcher."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError


def launch(command: Sequence[str], devices: int) -> int:
    """Run a command of mmstudio in several processes that train together, until they end.

    Args:
        command: Its words, such as ``train``.
        devices: How many processes.

    Returns:
        The exit code: 0, 1 where one has told an error, or 130 where it was stopped.

    Raises:
        UserError: A process died, and none has said why.
    """
    _pass_on("SIGUSR1")
    # before torch is loaded: its C++ side says at every start that no gradient was missing
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // devices)))
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    # a port of its own for each such training, so that two can share a machine; and without the
    # second "--", torchrun's parser takes options of the command for its own
    words = ["--standalone", f"--nproc-per-node={devices}", "--no-python", "--", sys.executable,
             "-m", "mmstudio"]
    try:
        run(parse_args([*words, *command]))  # type: ignore[no-untyped-call]
    except SignalException:
        return 130
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode in (1, 130):
            return int(failure.exitcode)
        how = (f"was killed: {failure.signal_name()}" if failure.exitcode < 0
               else f"ended with exit code {failure.exitcode}")
        raise UserError(f"Process {rank + 1} of {devices} {how}.",
                        "The run's last checkpoint is intact: add --resume. Where the memory "
                        "was full, take fewer devices or a smaller training.batch_size.") from None
    return 0


def _pass_on(name: str) -> None:
    """Have a signal that reaches this process reach those that it starts.

    It is held back in all of them until they take it as a wish: before, it would end them.
    """
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        return

    def send(*_: Any) -> None:
        for process in _started_here():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(process, number)

    def wait() -> None:
        while True:
            signal.sigwait({number})
            send()

    # a thread that a library began earlier does not hold it back
    signal.signal(number, send)
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    threading.Thread(target=wait, daemon=True).start()


def _started_here() -> list[int]:
    """The processes that this one has started and that run; none where the system is not Linux."""
    found: list[int] = []
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended
            found += map(int, file.read_text(encoding="ascii").split())
    return found
