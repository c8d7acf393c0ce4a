"""Starts one process for each device of this machine, by torchrun's own launcher."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

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
    # before torch is loaded: its C++ side says at every start that no gradient was missing
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // devices)))
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    # without the "--", its parser takes options of the command for its own
    words = [f"--nproc-per-node={devices}", "--no-python", "--", sys.executable, "-m", "mmstudio"]
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
                        "The run's last checkpoint is whole: go on with --resume. Where the memory "
                        "was full, take fewer devices or a smaller training.batch_size.") from None
    return 0
