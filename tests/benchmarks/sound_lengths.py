"""Samples per second by how long sounds are: training here, and a plain PyTorch loop beside it.

    python tests/benchmarks/sound_lengths.py [--seconds 0.5 2.5 5 10] [--rows 320]

Made-up sounds at 16 kHz, whose lengths vary as those of recordings do (log-normal, cut at 10 s),
one input, two classes, one thread. Both train the same model on the same rows; the plain loop keeps
all sounds in memory, shuffles them, and pads each batch to its longest, with torch's own GRU. The
second pair of columns counts the process's own time on the processor, which what else the machine
does changes little.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

RATE_HZ = 16_000
LONGEST_S = 10.0
EXPERIMENT = """
[data]
table = "metadata.csv"
split = "split"
[inputs.sound]
column = "audio"
modality = "audio"
encoder = { name = "crnn" }
[targets.label]
task = "classification"
[training]
device = "cpu"
batch_size = 64
precision = "float32"
threads = 1
combine = false
patience = 100
"""


def make(folder: Path, rows: int, seconds: float) -> None:
    """Write sounds of so many seconds on average, a chirp up or down in noise, and their table."""
    import numpy as np
    import soundfile

    chance = np.random.default_rng(0)
    lengths = np.exp(chance.normal(0, 0.5, rows))
    lengths = np.clip(lengths * seconds / lengths.mean(), 0.2, LONGEST_S)
    table = []
    for row in range(rows):
        at = np.arange(int(lengths[row] * RATE_HZ)) / RATE_HZ
        way = row % 2
        pitch = 500 + 300 * (at if way else at[-1] - at) / max(at[-1], 0.1)
        sound = 0.3 * np.sin(2 * np.pi * pitch * at) + chance.normal(0, 0.05, len(at))
        soundfile.write(folder / f"{row}.wav", sound.astype(np.float32), RATE_HZ)
        table.append({"audio": f"{row}.wav", "label": "up" if way else "down",
                      "split": "validation" if row % 10 == 9 else "train"})
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    (folder / "experiment.toml").write_text(EXPERIMENT, encoding="utf-8")


def app_epochs(folder: Path, epochs: int) -> list[dict[str, float]]:
    """Per epoch of a training the seconds of its steps, by the clock and on the processor."""
    from mmstudio.experiment import Experiment
    from mmstudio.training import epoch_loop, loop
    from mmstudio.training.epoch import train_epoch

    found: list[dict[str, float]] = []

    def timed(*arguments: Any) -> Any:
        began, used = time.perf_counter(), time.process_time()
        figures = yield from train_epoch(*arguments)
        found.append({"rows": len(arguments[3]), "clock": time.perf_counter() - began,
                      "processor": time.process_time() - used})
        return figures

    mock.patch.object(epoch_loop, "train_epoch", timed).start()
    experiment = Experiment.load(folder / "experiment.toml").replaced("training.epochs", epochs)
    for _ in loop.train(experiment, folder / "runs" / "a", folder=folder):
        pass
    return found


def plain_epochs(folder: Path, epochs: int) -> list[dict[str, float]]:
    """The same of a hand-written loop, which varies no sounds."""
    import numpy as np
    import torch
    from torch import nn

    from mmstudio.data.batches import collate_input, row_batches
    from mmstudio.data.prepare import Dataset, prepare
    from mmstudio.data.schema import modality_of
    from mmstudio.encoders import recurrent
    from mmstudio.encoders.dropout import Dropout
    from mmstudio.experiment import Experiment
    from mmstudio.training.model import build_model, completed

    def paired_gru(first: nn.GRU, second: nn.GRU, tokens: torch.Tensor) -> torch.Tensor:
        return torch.stack([first(tokens[0])[0], second(tokens[1])[0]])

    setattr(recurrent, "paired_gru", paired_gru)  # noqa: B010
    setattr(Dropout, "forward", nn.Dropout.forward)  # noqa: B010
    torch.set_num_threads(1)
    experiment = completed(Experiment.load(folder / "experiment.toml"))
    dataset = next(d for d in prepare(experiment, folder) if isinstance(d, Dataset))
    model = build_model(experiment, dataset.schema)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    modality, spec = modality_of(experiment.inputs["sound"]), dataset.schema.inputs["sound"]
    arrays = [dataset.decoded["sound"].row(r) for r in range(len(dataset.table))]
    labels = torch.from_numpy(dataset.labels["label"].values)
    rows, found = dataset.rows("train"), []
    model.train()
    for epoch in range(epochs):
        began, used = time.perf_counter(), time.process_time()
        for batch in row_batches(rows, experiment.training.batch_size,
                                 np.random.default_rng(epoch)):
            item = collate_input(modality, [arrays[r] for r in batch], spec)
            item = type(item)(modality.prepare(item.values), item.mask, item.present)
            loss = nn.functional.cross_entropy(
                model({"sound": item})["label"], labels[torch.from_numpy(batch)])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            loss.item()
        found.append({"rows": len(rows), "clock": time.perf_counter() - began,
                      "processor": time.process_time() - used})
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.5, 2.5, 5.0, 10.0])
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", choices=("app", "plain"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.only:
        epochs = app_epochs if options.only == "app" else plain_epochs
        print(json.dumps(epochs(options.folder, options.epochs)))
        return
    print(f"{'seconds':>8}{'app':>8}{'plain':>8}{'app, processor':>18}{'plain, processor':>18}"
          "   samples/s")
    for seconds in options.seconds:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            make(folder, options.rows, seconds)
            environment = os.environ | {"MMSTUDIO_CACHE": str(folder / "cache")}
            speeds: dict[str, dict[str, float]] = {}
            for only in ("app", "plain"):
                answer = subprocess.run(
                    [sys.executable, __file__, "--only", only, "--folder", str(folder),
                     "--epochs", str(options.epochs)],
                    check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
                # the first epoch of a process finds no memory to use again
                epochs = json.loads(answer.splitlines()[-1])[1:]
                speeds[only] = {kind: statistics.median(e["rows"] / e[kind] for e in epochs)
                                for kind in ("clock", "processor")}
        print(f"{seconds:8g}{speeds['app']['clock']:8.0f}{speeds['plain']['clock']:8.0f}"
              f"{speeds['app']['processor']:18.0f}{speeds['plain']['processor']:18.0f}",
              flush=True)


if __name__ == "__main__":
    main()
