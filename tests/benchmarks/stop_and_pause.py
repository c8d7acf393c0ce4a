"""Milliseconds from a wish to pause or to stop until no step is made, and to a usable model.

    python tests/benchmarks/stop_and_pause.py [--project FOLDER] [--times 12] [--combine]

Trains the project (the sample project by default) as the window does, in a thread whose steps
another one holds, asks at random moments, and goes on with the same run. A stopped run is usable
when all is written, which it tells with the event `stopped`; after it, it looks at its model once
more. The last column says how long the steps themselves were, which nothing can shorten.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmstudio.data.demo import write_demo
from mmstudio.experiment import Experiment
from mmstudio.training.device import prepare_process
from mmstudio.training.events import EpochDone, RunFinished, StepDone, Stopped
from mmstudio.training.loop import train

LATEST_S = 3.0
"""At most this long after the first step somebody asks."""
PATIENCE_S = 120.0


class Walker:
    """Walks a training in a thread, and notes when each event came."""

    def __init__(self, events: Callable[[Callable[[], bool], Callable[[], bool]], Iterator[Any]]):
        self.go, self.stop, self.after_epoch = (threading.Event() for _ in range(3))
        self.go.set()
        self.times: list[tuple[float, Any]] = []
        self.steps_s: list[float] = []
        self.failure: BaseException | None = None
        self.stepping, self.holding, self.over = (threading.Event() for _ in range(3))
        self._events = events(self.stop.is_set, self.after_epoch.is_set)
        self._thread = threading.Thread(target=self._walk)
        self._thread.start()

    def _walk(self) -> None:
        try:
            while True:
                if not self.go.is_set():
                    self.held_at = time.perf_counter()
                    self.holding.set()
                    self.go.wait()
                began = time.perf_counter()
                event = next(self._events, None)
                if event is None:
                    break
                self.times.append((time.perf_counter(), event))
                if isinstance(event, StepDone):
                    self.steps_s.append(time.perf_counter() - began)
                    self.stepping.set()
        except BaseException as error:
            self.failure = error
        finally:
            self.over.set()
            self.holding.set()

    def wait(self, what: threading.Event) -> None:
        """Wait for one of its events; its failure is raised here."""
        if not what.wait(PATIENCE_S):
            raise SystemExit("the training does not go on")
        if self.failure is not None:
            raise self.failure

    def join(self) -> None:
        """Wait for its end."""
        self.wait(self.over)
        self._thread.join()

    def last(self, kind: type[Any]) -> float:
        """When the last event of a kind came."""
        return max(at for at, event in self.times if isinstance(event, kind))


def measured(experiment: Experiment, folder: Path, times: int) -> dict[str, list[float]]:
    """Seconds of each kind of wish, one list per figure."""
    run = folder / "runs" / "asked"
    chance = random.Random(0)
    figures: dict[str, list[float]] = {name: [] for name in (
        "pause: to no step", "stop now: to no step", "stop now: to a usable model",
        "stop now: to the end of the run", "after the epoch: to a usable model", "one step")}
    for turn in range(times):
        walker = Walker(lambda stop, after: train(
            experiment, run, folder=folder, resume=run.exists(), should_stop=stop,
            stop_after_epoch=after))
        walker.wait(walker.stepping)
        time.sleep(chance.random() * LATEST_S)
        asked = time.perf_counter()
        walker.go.clear()
        walker.wait(walker.holding)
        figures["pause: to no step"].append(walker.held_at - asked)
        walker.go.set()
        time.sleep(chance.random() * LATEST_S / 2)
        asked = time.perf_counter()
        if turn % 4 == 3:
            walker.after_epoch.set()
            walker.join()
            done = walker.last(EpochDone)
            figures["after the epoch: to a usable model"].append(walker.last(Stopped) - done)
        else:
            walker.stop.set()
            walker.join()
            for name, kind in (("to no step", StepDone), ("to a usable model", Stopped),
                               ("to the end of the run", RunFinished)):
                figures[f"stop now: {name}"].append(max(0.0, walker.last(kind) - asked))
        figures["one step"] += walker.steps_s
    return figures


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, help="a project's folder; the sample by default")
    parser.add_argument("--times", type=int, default=12)
    parser.add_argument("--combine", action="store_true",
                        help="with the quick models, which take a while before each training")
    options = parser.parse_args()
    prepare_process()
    with tempfile.TemporaryDirectory() as place:
        folder = options.project or Path(place) / "sample"
        if options.project is None:
            write_demo(folder)
        experiment = Experiment.load(folder / "experiment.toml")
        for key, value in (("epochs", 10_000), ("patience", 1000), ("combine", options.combine)):
            experiment = experiment.replaced(f"training.{key}", value)
        figures = measured(experiment, folder, options.times)
    print(f"{'milliseconds':40} {'median':>8} {'slowest':>8} {'times':>6}")
    for name, seconds in figures.items():
        if seconds:
            print(f"{name:40} {1000 * statistics.median(seconds):8.0f} "
                  f"{1000 * max(seconds):8.0f} {len(seconds):6}")


if __name__ == "__main__":
    main()
