"""Several processes against one: are the numbers the same, how much faster is it, what is a plan?

    python tests/benchmarks/distributed.py [equal] [killed] [scaling] [plan] [--processes 2]

``equal``: per fusion, the largest difference of the losses of the first 20 steps and of the weights
after two epochs, of several processes and one with the same batches, at all defaults: dropout,
augmentation and modality dropout are drawn per row. ``killed``: one of two is killed after a step
by chance, ten times: how soon the other ends, and how far the weights of the resumed run are from
those of one that was never killed. ``scaling``: samples per second of one process
with one thread, of several with one thread each and as many times the batch, and of one process
with as many threads; pictures, texts and sounds of ``make_data.py``. ``plan``: time and memory of
what each of 64 processes plans for an epoch of 10 million rows. All of them where none is named.
Close other programs first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
STEPS = 20
RANKS, MANY_ROWS, BATCH = 64, 10_000_000, 4096


def equal(processes: int) -> None:
    """Print how much the losses and the weights differ, per fusion."""
    import torch
    from safetensors.torch import load_file

    from mmstudio.fusion import FUSIONS
    from mmstudio.training.events import StepDone
    from tests.small_project import train_small, write_small_project
    from tests.training.distributed.processes import train_together

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        project = write_small_project(Path(folder) / "project")
        jobs: dict[str, dict[str, Any]] = {
            name: {"fusion": {"name": name}, "training.epochs": 2, "training.batch_size": 4,
                   "training.learning_rate": 1e-3, "training.precision": "float32"}
            for name in FUSIONS.classes()}
        found = train_together(project, processes, jobs, timeout_s=3600)
        if any(found.codes):
            raise SystemExit(found.said)
        print(f"{'fusion':20} {'steps':>5} {'first loss':>10} {f'loss {STEPS}':>10} "
              f"{'and together':>12} {'losses differ':>13} {'weights differ':>14}")
        for name, changes in jobs.items():
            events = train_small(project, changes, run=f"{name}-alone")
            alone = [e.loss for e in events if isinstance(e, StepDone)][:STEPS]
            many = [e["loss"] for e in found.events[name] if e["event"] == "step_done"][:STEPS]
            one, other = (load_file(project / "runs" / run / "last.safetensors")
                          for run in (f"{name}-alone", name))
            weights = max(float((one[n].double() - other[n].double()).abs().max()) for n in one)
            losses = max(abs(a - b) for a, b in zip(alone, many, strict=True))
            print(f"{name:20} {len(many):5} {alone[0]:10.6f} {alone[-1]:10.6f} {many[-1]:12.6f} "
                  f"{losses:13.1e} {weights:14.1e}", flush=True)


def killed(times: int = 10) -> None:
    """Print what comes of runs that lose a process after a step by chance."""
    import random

    import torch
    from safetensors.torch import load_file

    from tests.small_project import train_small, write_small_project
    from tests.training.distributed.processes import train_together

    torch.set_num_threads(1)
    changes = {"training.epochs": 2, "training.batch_size": 4, "training.learning_rate": 1e-3,
               "training.precision": "float32"}
    with tempfile.TemporaryDirectory() as folder:
        project = write_small_project(Path(folder) / "project")
        train_small(project, changes, run="whole")
        whole = load_file(project / "runs/whole/last.safetensors")
        print(f"{'killed after step':>17} {'exit codes':>10} {'s to the end':>12} "
              f"{'weights differ':>14}")
        for number in range(times):
            step, run = random.Random(number).randint(1, 20), f"killed-{number}"
            found = train_together(project, 2, {run: changes}, dies_at=step)
            ended_s = time.time() - float((project / "died").read_text(encoding="utf-8"))
            train_small(project, changes, run=run, resume=True)
            after = load_file(project / "runs" / run / "last.safetensors")
            differ = max(float((whole[n].double() - after[n].double()).abs().max()) for n in whole)
            print(f"{step:17} {found.codes!s:>10} {ended_s:12.1f} {differ:14.1e}", flush=True)


def scaling(processes: int, rows: int) -> None:
    """Print samples per second of one process and of several."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        subprocess.run([sys.executable, ROOT / "tests/benchmarks/make_data.py", data, "--rows",
                        str(rows)], check=True, stdout=subprocess.DEVNULL, env=_environment(1))
        (data / "experiment.toml").write_text(EXPERIMENT, encoding="utf-8")
        print(f"{'processes':>9} {'threads each':>12} {'batch':>6} {'samples/s':>10} {'of one':>7}")
        first = 0.0
        for count, threads, batch in (
            (1, 1, 32), (processes, 1, 32 * processes), (1, processes, 32 * processes)
        ):
            speed = _speed(data, count, threads, batch)
            first = first or speed
            print(f"{count:9} {threads:12} {batch:6} {speed:10.0f} {speed / first:7.2f}",
                  flush=True)


EXPERIMENT = """\
data = { table = "metadata.csv", split = "split" }
inputs.image = { column = "file_name", modality = "image", encoder = { name = "cnn" } }
inputs.words = { column = "text", modality = "text", encoder = { name = "rnn" } }
inputs.sound = { column = "audio", modality = "audio", encoder = { name = "crnn" } }
fusion.name = "concat"
targets.label.task = "classification"
training = { epochs = 3, combine = false, device = "cpu", precision = "float32" }
"""


def _environment(threads: int) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}


def _speed(data: Path, processes: int, threads: int, batch: int) -> float:
    """Training samples per second, of the faster of the epochs after the first."""
    name = f"{processes}-{threads}-{batch}"
    done = subprocess.run(
        [sys.executable, "-m", "mmstudio", "train", "experiment.toml", "--run", name, "--json",
         "--devices", str(processes), "--set", f"training.batch_size={batch}",
         "--set", f"training.threads={threads}"],
        cwd=data, env=_environment(threads), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return max(e["samples_per_s"] for e in events if e["event"] == "epoch_done" and e["epoch"] > 1)


def plan() -> None:
    """Print what the plan of an epoch of many rows takes, in each of many processes."""
    import numpy as np

    from mmstudio.data.alike import training_batches
    from mmstudio.training.within_epoch import order_of

    rows = np.arange(MANY_ROWS)
    tracemalloc.start()
    began = time.perf_counter()
    batches = training_batches(rows, BATCH, np.random.default_rng([0, 0]), None)
    drawn_s = time.perf_counter() - began
    order_of(batches, "")
    named_s = time.perf_counter() - began - drawn_s
    share = [batch[len(batch) // RANKS : 2 * len(batch) // RANKS] for batch in batches]
    held, peak = (size / 2**20 for size in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    print(f"{MANY_ROWS:,} rows, {RANKS} processes, batches of {BATCH}: {len(batches)} steps, "
          f"{sum(map(len, share)):,} rows for the second process")
    print(f"drawn in {drawn_s:.2f} s, named in {named_s:.2f} s; {held:.0f} MiB held, "
          f"{peak:.0f} MiB at the most, the table's {rows.nbytes / 2**20:.0f} MiB apart")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help="equal, killed, scaling, plan")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", type=int, default=1000)
    wanted = parser.parse_args()
    parts = wanted.parts or ["equal", "killed", "scaling", "plan"]
    if "equal" in parts:
        equal(wanted.processes)
    if "killed" in parts:
        killed()
    if "scaling" in parts:
        scaling(wanted.processes, wanted.rows)
    if "plan" in parts:
        plan()


if __name__ == "__main__":
    main()
