"""The share of a training's time that goes into checkpoints: weights, states, syncing and renaming.

    python tests/benchmarks/checkpoint_share.py [--project FOLDER] [--epochs 5] [--set KEY=VALUE …]
                                                [--json]

Trains the project (the sample project by default, all its settings as they are) for so many epochs,
once as it is and once with a model of more than four times as many numbers; with --set, once with
these settings. Counted is all writing but that of the log, from the first step to the end; the disk
is the one that TMPDIR is on, and a state is synced to it. Aim: under 2 %.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from mmstudio.data.demo import write_demo
from mmstudio.experiment import Experiment
from mmstudio.training import epoch_loop
from mmstudio.training.checkpoints import Checkpoints
from mmstudio.training.device import prepare_process
from mmstudio.training.events import RunFinished, Started, StepDone
from mmstudio.training.loop import train

MOST_SHARE = 0.02
BIGGER = {"inputs.words.encoder": {"name": "rnn", "width": 512},
          "inputs.sound.encoder": {"name": "crnn", "width": 512},
          "fusion": {"name": "concat", "hidden": 1024}}
WRITERS = ((Checkpoints, "save"), (epoch_loop, "save_weights"), (epoch_loop, "link_whole"),
           (epoch_loop, "write_best"), (epoch_loop, "save_run"))
"""None of them calls another one by these names."""


@contextmanager
def watched() -> Iterator[tuple[Counter[str], Counter[str]]]:
    """Seconds, and how often, per writer."""
    seconds: Counter[str] = Counter()
    times: Counter[str] = Counter()

    def timed(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def write(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return plain(*arguments, **options)
            finally:
                seconds[name] += time.perf_counter() - began
                times[name] += 1

        return write

    with ExitStack() as stack:
        for place, name in WRITERS:
            stack.enter_context(
                mock.patch.object(place, name, timed(name, getattr(place, name))))
        yield seconds, times


def measured(experiment: Experiment, folder: Path, run: str) -> dict[str, Any]:
    """Train, and tell what the writing took."""
    path, began, steps, parameters = folder / "runs" / run, 0.0, 0, 0
    with watched() as (seconds, times):
        for event in train(experiment, path, folder=folder):
            if isinstance(event, Started):
                began, parameters = time.perf_counter(), event.parameters
            steps += isinstance(event, StepDone)
            if isinstance(event, RunFinished):
                whole_s = time.perf_counter() - began
    return {"run": run, "parameters": parameters, "steps": steps, "seconds": whole_s,
            "states": times["save"], "writing_s": seconds.total(),
            "share": seconds.total() / whole_s, "seconds_of": dict(seconds),
            "state_mb": (path / "state.pt").stat().st_size / 1e6,
            "weights_mb": (path / "last.safetensors").stat().st_size / 1e6}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, help="a project's folder; the sample by default")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    prepare_process()
    from mmstudio.cli.changes import changed

    found = []
    with tempfile.TemporaryDirectory() as place:
        folder = options.project or Path(place) / "sample"
        if options.project is None:
            write_demo(folder)
        plain = Experiment.load(folder / "experiment.toml").replaced(
            "training.epochs", options.epochs)
        plain = changed(plain, options.set, "")
        found.append(measured(plain, folder, f"share-{time.time_ns()}"))
        if not options.set and options.project is None:
            bigger = plain
            for key, value in BIGGER.items():
                bigger = bigger.replaced(key, value)
            found.append(measured(bigger, folder, f"share-{time.time_ns()}"))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'parameters':>12} {'steps':>6} {'seconds':>8} {'states':>7} {'state MB':>9} "
          f"{'weights MB':>11} {'writing s':>10} {'share':>7}  (aim: under {MOST_SHARE:.0%})")
    for one in found:
        print(f"{one['parameters']:12,} {one['steps']:6} {one['seconds']:8.1f} {one['states']:7} "
              f"{one['state_mb']:9.1f} {one['weights_mb']:11.1f} {one['writing_s']:10.2f} "
              f"{one['share']:7.2%}")


if __name__ == "__main__":
    main()
