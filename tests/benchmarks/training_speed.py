"""Training through the app against plain PyTorch loops: same model, same batches, one table.

    python tests/benchmarks/training_speed.py [--rows 2000] [--epochs 3] [--rounds 3]

Each contestant runs in a process of its own, in turn, several rounds; the table shows medians and
the ratio per round. The app's window is open and shows the live plots while it trains (under Xvfb
where there is no screen, see the README). Also prints the gaps of the app's event loop meanwhile.

- ``memory``: a hand-written loop over tensors already in memory, as most tutorials write it.
- ``decode``: the same loop, decoding each file anew in each epoch.
- ``app``: the Train page's *Start training*.
- ``gaps``: the same, with a timer that asks the event loop for an answer every 10 ms. On two cores
  that interrupts training by itself (about 4 % fewer samples per second), so it has a run of its
  own, and its speed is not in the table.
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
from collections.abc import Iterator
from pathlib import Path

CONTESTANTS = ("memory", "decode", "app", "gaps")
EXPERIMENT = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[inputs.sound]
column = "audio"
modality = "audio"
[targets.label]
task = "classification"
[training]
augment = false
input_loss = 0.0
modality_dropout = 0.0
device = "cpu"
"""


def plain_loop(folder: Path, epochs: int, decode: bool) -> dict[str, float]:
    """Samples per second of the best epoch but the first, of a hand-written loop."""
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
    speeds = []
    for epoch in range(epochs):
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
        speeds.append(len(rows) / (time.perf_counter() - began))
    return {"samples_per_s": max(speeds[1:] or speeds)}


def app_run(folder: Path, epochs: int, metered: bool) -> dict[str, float]:
    """The same through the app's window; metered, with its event loop's gaps in milliseconds."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication, QPushButton

    from mmstudio.gui import style
    from mmstudio.gui.main_window import MainWindow
    from mmstudio.gui.session import Session
    from mmstudio.training.device import prepare_process

    prepare_process()
    sys.setswitchinterval(0.001)
    app = QApplication(sys.argv[:1])
    style.apply(app)
    session = Session()
    window = MainWindow(session)
    window.stood.connect(window.prepare_pages)
    window.prepared.connect(session.warm_up)
    window.resize(1280, 800)
    window.show()
    gaps: list[float] = []
    last = [time.perf_counter()]

    def tick() -> None:
        now = time.perf_counter()
        if session.training and session.history is not None and session.history.started:
            gaps.append(now - last[0])
        last[0] = now

    timer = QTimer(interval=10, timeout=tick)
    if metered:
        timer.start()

    def wait(ready: object, seconds: float = 600) -> None:
        end = time.perf_counter() + seconds
        while not ready() and time.perf_counter() < end:  # type: ignore[operator]
            app.processEvents()
            time.sleep(0.001)

    wait(lambda: session.ready)
    session.open_project(folder)
    wait(lambda: session.table is not None and not session.is_checking)
    session.edit("training.epochs", epochs)
    window.go_to("Train")
    wait(lambda: False, 1)
    start = window.findChild(QPushButton, "Start training")
    start.click()
    speeds = []
    QTimer.singleShot(0, lambda: None)
    session.run_events.connect(
        lambda events: speeds.extend(e.samples_per_s for e in events if hasattr(e, "remaining_s")))
    loop_end = [False]
    session.run_ended.connect(lambda _: loop_end.__setitem__(0, True))
    session.run_ended.connect(app.quit)
    if not loop_end[0]:
        app.exec()
    window.close()
    session.shutdown()
    found: dict[str, float] = {"samples_per_s": max(speeds[1:] or speeds)}
    if metered:
        gaps.sort()
        found |= {"gap_p99_ms": 1000 * gaps[int(0.99 * len(gaps))], "gap_max_ms": 1000 * gaps[-1],
                  "gaps": len(gaps)}
    return found


def contest(folder: Path, epochs: int, rounds: int) -> Iterator[dict[str, dict[str, float]]]:
    """One round after the other, each contestant in a fresh process."""
    for number in range(rounds):
        results = {}
        for name in CONTESTANTS:
            environment = os.environ | {"MMSTUDIO_CONFIG": str(folder / "config")}
            done = subprocess.run(
                [sys.executable, __file__, "--only", name, "--folder", str(folder),
                 "--epochs", str(epochs)],
                capture_output=True, text=True, env=environment)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr}")
            results[name] = json.loads(done.stdout.splitlines()[-1])
            print(f"round {number + 1} {name}: {results[name]}", file=sys.stderr)
        yield results


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=CONTESTANTS)
    options = parser.parse_args()
    if options.only:
        run = (app_run(options.folder, options.epochs, options.only == "gaps")
               if options.only in ("app", "gaps")
               else plain_loop(options.folder, options.epochs, options.only == "decode"))
        print(json.dumps(run))
        return
    from make_data import make

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, options.rows)
        (folder / "experiment.toml").write_text(EXPERIMENT)
        os.environ.setdefault("MMSTUDIO_CACHE", str(folder / "cache"))
        rounds = list(contest(folder, options.epochs, options.rounds))
    print(f"{'':10}{'samples/s':>12}{'app / it':>12}")
    for name in CONTESTANTS[:3]:
        speed = statistics.median(r[name]["samples_per_s"] for r in rounds)
        ratio = statistics.median(
            r["app"]["samples_per_s"] / r[name]["samples_per_s"] for r in rounds)
        print(f"{name:10}{speed:12.0f}{ratio:12.2f}")
    for key in ("gap_p99_ms", "gap_max_ms"):
        worst = statistics.median(r["gaps"][key] for r in rounds)
        print(f"event loop {key}: {worst:.1f} (all rounds: "
              f"{', '.join(format(r['gaps'][key], '.1f') for r in rounds)})")


if __name__ == "__main__":
    main()
