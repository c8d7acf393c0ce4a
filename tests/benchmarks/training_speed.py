"""Training through the app against plain PyTorch loops: same model, same batches, one table.

    python tests/benchmarks/training_speed.py [--rows 2000] [--rounds 12]

Each contestant has a process of its own; they train an epoch each in turn while the others wait, so
that a machine that is slower for a minute is slower for all of them. The table shows the medians of
the rounds, and of each round's ratio. The app's window is open and shows the live plots while it
trains (where there is no screen, on Xvfb, which is started and ended here).

- ``memory``: a hand-written loop over tensors already in memory, as most tutorials write it. Its
  model is the app's with torch's own GRU and dropout in place of mmstudio's.
- ``decode``: the same loop, decoding each file anew in each epoch.
- ``memory+`` and ``decode+``: the same two with mmstudio's GRU and dropout, as a loop has them
  that trains a model taken from this package: what remains is the app's own doing.
- ``app``: the Train page's *Start training*.
- ``gaps``: one more epoch of the app, with a timer that asks its event loop for an answer every
  10 ms. That takes 1 to 3 % of training's speed on two cores, so this epoch's speed is not in the
  table; its gaps are printed, up to its validation, its weights' saving and its drawing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

LOOPS = ("memory", "decode", "memory+", "decode+")
TURNS = (*LOOPS, "app", "gaps")
WARM_UP = 2
"""Rounds that don't count: the first epochs of a process find no memory to use again."""
EXPERIMENT = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
encoder = { name = "cnn" }
[inputs.words]
column = "text"
modality = "text"
encoder = { name = "rnn" }
[inputs.sound]
column = "audio"
modality = "audio"
encoder = { name = "crnn" }
[targets.label]
task = "classification"
[training]
augment = false
input_loss = 0.0
modality_dropout = 0.0
device = "cpu"
batch_size = 64
"""


def turns() -> Iterator[str]:
    """The turns that the parent process gives this one."""
    return (line.strip() for line in sys.stdin)


def tell(figures: dict[str, Any]) -> None:
    """A turn is over, and this process at rest."""
    print(json.dumps(figures), flush=True)


def use_torch_layers() -> None:
    """Have torch's own layers where mmstudio has written its own; parameters stay the same."""
    import torch
    from torch import nn

    from mmstudio.encoders import recurrent
    from mmstudio.encoders.dropout import Dropout

    def paired_gru(first: nn.GRU, second: nn.GRU, tokens: torch.Tensor) -> torch.Tensor:
        return torch.stack([first(tokens[0])[0], second(tokens[1])[0]])

    setattr(recurrent, "paired_gru", paired_gru)  # noqa: B010  what is imported there is not its own
    setattr(Dropout, "forward", nn.Dropout.forward)  # noqa: B010


def plain_loop(folder: Path, decode: bool) -> None:
    """A hand-written loop, an epoch per turn."""
    import numpy as np
    import torch

    from mmstudio.data.batches import collate_input, row_batches
    from mmstudio.data.prepare import Dataset, prepare
    from mmstudio.data.schema import modality_of
    from mmstudio.experiment import Experiment
    from mmstudio.training.model import build_model, completed

    experiment = completed(Experiment.load(folder / "experiment.toml"))
    dataset = next(d for d in prepare(experiment, folder) if isinstance(d, Dataset))
    settings = experiment.training
    torch.manual_seed(settings.seed)
    model = build_model(experiment, dataset.schema)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    modalities = {n: modality_of(i) for n, i in experiment.active_inputs.items()}
    targets = torch.from_numpy(dataset.labels["label"].values)
    rows = dataset.rows("train")
    specs = dataset.schema.inputs
    if not decode:
        held = {n: collate_input(m, [dataset.decoded[n].row(r) for r in range(len(targets))],
                                 specs[n]) for n, m in modalities.items()}
        # the layout in which Pillow's pixels become tensors in tutorials: channels first
        held = {n: type(h)(h.values.contiguous(), h.mask, h.present) for n, h in held.items()}
    for epoch, _ in enumerate(turns()):
        model.train()
        began = time.perf_counter()
        for batch in row_batches(rows, settings.batch_size, np.random.default_rng([0, epoch])):
            if decode:
                inputs = {n: collate_input(
                    m, [m.decode(dataset.values[n][r], specs[n]) for r in batch], specs[n])
                    for n, m in modalities.items()}
            else:
                at = torch.from_numpy(batch)
                inputs = {n: type(h)(h.values[at], None if h.mask is None else h.mask[at],
                                     h.present[at]) for n, h in held.items()}
            inputs = {n: type(i)(modalities[n].prepare(i.values), i.mask, i.present)
                      for n, i in inputs.items()}
            outputs = model(inputs)
            loss = torch.nn.functional.cross_entropy(
                outputs["label"], targets[torch.from_numpy(batch)], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
            optimiser.step()
            loss.item()
        tell({"samples_per_s": len(rows) / (time.perf_counter() - began)})


def app_run(folder: Path, epochs: int) -> None:
    """The same through the app's window, with its event loop's gaps where the turn asks."""
    from PySide6.QtCore import QObject, QTimer, Signal
    from PySide6.QtWidgets import QApplication, QPushButton

    from mmstudio.gui import style
    from mmstudio.gui.main_window import MainWindow
    from mmstudio.gui.state.session import Session
    from mmstudio.training import epoch_loop
    from mmstudio.training.device import prepare_process
    from mmstudio.training.epoch import train_epoch

    prepare_process()
    sys.setswitchinterval(0.001)
    app = QApplication(sys.argv[:1])
    style.apply(app)
    session = Session()
    window = MainWindow(session)
    window.stood.connect(window.prepare_pages)
    window.prepared.connect(session.libraries.warm_up)
    window.resize(1280, 800)
    window.show()

    class Meter(QObject):
        """Measures the gaps between its ticks, on the window's thread."""

        switched = Signal(bool)

        def __init__(self) -> None:
            super().__init__()
            self.gaps_ms: list[float] = []
            self.last = 0.0
            self.timer = QTimer(self, interval=10)
            self.timer.timeout.connect(self.tick)
            self.switched.connect(self.switch)

        def switch(self, on: bool) -> None:
            self.last = time.perf_counter()
            if on:
                self.timer.start()
            else:
                self.timer.stop()

        def tick(self) -> None:
            now = time.perf_counter()
            self.gaps_ms.append(1000 * (now - self.last))
            self.last = now

    meter, given, last = Meter(), turns(), list[dict[str, Any]]()

    def epoch_in_turn(*arguments: Any) -> Generator[Any, None, Any]:
        if last:  # its validation is over and its weights are saved, but it is still being drawn
            time.sleep(0.5)
            meter.switched.emit(False)
            tell(last.pop())
        metered = next(given) == "gaps"
        meter.gaps_ms = []
        if metered:
            meter.switched.emit(True)
        began = time.perf_counter()
        done = yield from train_epoch(*arguments)
        seconds = time.perf_counter() - began
        last.append({"samples_per_s": len(arguments[3]) / seconds, "gaps_ms": meter.gaps_ms})
        return done

    mock.patch.object(epoch_loop, "train_epoch", epoch_in_turn).start()

    def wait(ready: Any, seconds: float = 600) -> None:
        end = time.perf_counter() + seconds
        while not ready() and time.perf_counter() < end:
            app.processEvents()
            time.sleep(0.001)

    wait(lambda: session.libraries.ready)
    session.opener.open(folder)
    wait(lambda: session.project.table is not None and not session.check.running)
    session.project.edit("training.epochs", epochs)
    session.project.edit("training.patience", epochs)
    window.go_to("Train")
    wait(lambda: False, 1)
    session.training.ended.connect(app.quit)
    start = window.findChild(QPushButton, "Start training")
    assert start is not None
    start.click()
    app.exec()
    tell(last.pop())
    window.close()
    session.shutdown()


def contest(folder: Path, rounds: int) -> Iterator[dict[str, dict[str, Any]]]:
    """Each contestant trains an epoch in turn, `rounds` times after the rounds of warming up."""
    environment = os.environ | {"MMSTUDIO_CONFIG": str(folder / "config")}
    processes: dict[str, subprocess.Popen[str]] = {}

    def turn(name: str) -> dict[str, Any]:
        which = "app" if name == "gaps" else name
        if which not in processes:
            processes[which] = subprocess.Popen(
                [sys.executable, __file__, "--only", which, "--folder", str(folder),
                 "--rounds", str(rounds)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        process = processes[which]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            sys.exit(f"{which} failed.")
        figures: dict[str, Any] = json.loads(answer)
        return figures

    try:
        for number in range(WARM_UP + rounds):
            results = {name: turn(name) for name in TURNS}
            if number >= WARM_UP:
                speeds = (f"{name} {results[name]['samples_per_s']:.0f}" for name in TURNS)
                print(f"round {number - WARM_UP + 1}: {', '.join(speeds)}", file=sys.stderr)
                yield results
    finally:  # at the end, and when one of them failed and the others wait for a turn
        for process in processes.values():
            process.kill()
            process.communicate()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=(*LOOPS, "app"))
    options = parser.parse_args()
    if options.only == "app":
        app_run(options.folder, 2 * (WARM_UP + options.rounds))
        return
    if options.only:
        if not options.only.endswith("+"):
            use_torch_layers()
        plain_loop(options.folder, options.only.startswith("decode"))
        return
    from make_data import make
    from virtual_screen import screen

    with screen(), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, options.rows)
        (folder / "experiment.toml").write_text(EXPERIMENT)
        os.environ.setdefault("MMSTUDIO_CACHE", str(folder / "cache"))
        rounds = list(contest(folder, options.rounds))
    print(f"{'':10}{'samples/s':>12}{'app / it':>12}{'quarters of the rounds':>28}")
    for name in (*LOOPS, "app"):
        speed = statistics.median(r[name]["samples_per_s"] for r in rounds)
        ratios = [r["app"]["samples_per_s"] / r[name]["samples_per_s"] for r in rounds]
        low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive")
        print(f"{name:10}{speed:12.0f}{ratio:12.2f}{low:16.2f} to {high:.2f}")
    gaps = sorted(gap for r in rounds for gap in r["gaps"]["gaps_ms"])
    print(f"event loop's gaps while training: 99 % below {gaps[int(0.99 * len(gaps))]:.1f} ms, "
          f"longest {gaps[-1]:.1f} ms, of {len(gaps)}")


if __name__ == "__main__":
    main()
