"""What the parts of a search share: each is done by one process, and trains runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from mmstudio.experiment import Experiment
from mmstudio.search.clock import Stopwatch
from mmstudio.search.events import SearchEvent, SearchTold
from mmstudio.search.folder import SearchFolder
from mmstudio.training.events import Preparing, RunEvent
from mmstudio.training.loop import train
from mmstudio.training.run_folder import RunFolder

if TYPE_CHECKING:
    from filelock import FileLock

ShouldStop = Callable[[], bool]
WAIT_S = 0.5


def alone(
    files: SearchFolder, lock: str, over: Callable[[], bool], should_stop: ShouldStop
) -> Generator[SearchEvent, None, FileLock | None]:
    """Wait until no other process does a part of the search.

    Args:
        files: Of the search.
        lock: The part's name.
        over: Whether it has been done.
        should_stop: Asked while it waits.

    Returns:
        The lock, held; None where the part is done, or the search was stopped.
    """
    from filelock import FileLock, Timeout

    held = FileLock(files.path / f"{lock}.lock")
    told = False
    while not over() and not should_stop():
        try:
            held.acquire(timeout=0)
        except Timeout:
            if not told:
                yield SearchTold("", Preparing("Another process is at work on this", 0, 0))
            told = True
            time.sleep(WAIT_S)
            continue
        if not over():
            return held
        held.release()
    return None


def trained(
    experiment: Experiment, run: RunFolder, name: str, *, folder: Path, should_stop: ShouldStop,
    watch: Callable[[RunEvent], None] = lambda _: None, clock: Stopwatch | None = None,
) -> Generator[SearchEvent, None, bool]:
    """Train a run, or what is left of it; False where it was stopped.

    Args:
        experiment: What to train.
        run: The run folder.
        name: What the run is called in the events.
        folder: What ``data.table`` is relative to.
        should_stop: Asked at every step.
        watch: Is given each event of the training.
        clock: Counts how long it works.
    """
    begun = (run.path / "experiment.toml").is_file()
    finished = run.history(steps=False).finished if begun else None
    if finished is not None and finished.reason != "stopped" and run.has_model():
        return True
    clock = clock or Stopwatch()
    for event in clock.timed(train(experiment, run.path, folder=folder, resume=begun,
                                   should_stop=should_stop)):
        watch(event)
        yield SearchTold(name, event)
    finished = run.history(steps=False).finished
    return finished is not None and finished.reason != "stopped"
