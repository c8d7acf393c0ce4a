"""Decoding 20,000 small JPEGs: against Pillow alone, at the second start, and in memory.

    python tests/benchmarks/decode_speed.py [--files 20000] [--rounds 3]

The pictures (96×96, a few KB each) are made first, in a temporary folder. Each round lets Pillow
alone decode them all to RGB, 64 files at a time, by a thread per core and by a process per core
(started before the clock), and then the store, into an empty cache; the order changes from round
to round. What counts is the median of the ratios to the better of the two. The second start
is `prepare()` on what is there, in a process that has imported torch. Memory is the peak of a
fresh process that prepares so many files for the first time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

SIDE = 96
CHUNK = 64
TOML = """\
[data]
table = "{table}"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[targets.label]
task = "classification"
"""


def make_files(folder: Path, count: int) -> list[Path]:
    """Pictures of waves in noise, a table of them all and one of the first quarter."""
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    down, across = np.mgrid[:SIDE, :SIDE, :3][:2]
    paths = []
    for number in range(count):
        slope, steep = chance.uniform(0, 0.3, 2)
        levels = 128 + 100 * np.sin(slope * down + steep * across + number)
        levels += chance.normal(0, 8, levels.shape)
        path = folder / "pictures" / f"{number:06d}.jpg"
        Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    for name, rows in (("all", count), ("quarter", count // 4)):
        lines = [f"pictures/{i:06d}.jpg,{i % 3},{'test' if i % 10 == 9 else 'train'}"
                 for i in range(rows)]
        (folder / f"{name}.csv").write_text(
            "\n".join(["file_name,label,split", *lines]), encoding="utf-8")
        (folder / f"{name}.toml").write_text(TOML.format(table=f"{name}.csv"), encoding="utf-8")
    return paths


def decode_with_pillow(paths: list[Path]) -> None:
    """Pillow alone: to RGB, as a training program would."""
    from PIL import Image

    for path in paths:
        with Image.open(path) as picture:
            picture.convert("RGB")


def time_threads(paths: list[Path]) -> float:
    """Pictures per second of Pillow alone, in threads."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return _time_pillow(pool, paths)


def time_processes(paths: list[Path]) -> float:
    """Pictures per second of Pillow alone, in processes."""
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        return _time_pillow(pool, paths)


def _time_pillow(pool: Executor, paths: list[Path]) -> float:
    chunks = [paths[at : at + CHUNK] for at in range(0, len(paths), CHUNK)]
    list(pool.map(decode_with_pillow, chunks[: 4 * (os.cpu_count() or 1)]))  # all are started
    began = time.perf_counter()
    list(pool.map(decode_with_pillow, chunks))
    return len(paths) / (time.perf_counter() - began)


def time_store(paths: list[Path]) -> float:
    """Pictures per second of the store, into an empty cache."""
    from mmstudio.data.store import decode_all
    from mmstudio.modalities.image import ImageModality

    shutil.rmtree(os.environ["MMSTUDIO_CACHE"], ignore_errors=True)
    began = time.perf_counter()
    for _ in decode_all(ImageModality(), {"size": [SIDE, SIDE], "channels": 3}, paths):
        pass
    return len(paths) / (time.perf_counter() - began)


def prepare_in_process(name: str) -> None:
    """What the child process does: prepare the table, tell the time and the memory."""
    import resource

    import torch  # noqa: F401  # its import is no part of the figures

    from mmstudio.data.prepare import prepare
    from mmstudio.experiment import Experiment

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    experiment = Experiment.load(Path(f"{name}.toml"))
    began = time.perf_counter()
    for _ in prepare(experiment, Path.cwd()):
        pass
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1e6 if sys.platform == "darwin" else 1e3
    print(json.dumps({"seconds": seconds, "before_mb": before / scale, "peak_mb": peak / scale}))


def prepare(folder: Path, name: str) -> dict[str, float]:
    """Prepare a table in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--prepare", name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prepare", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare_in_process(options.prepare)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["MMSTUDIO_CACHE"] = str(folder / "cache")
        paths = make_files(folder, options.files)
        time_threads(paths), time_store(paths)  # files into the system's memory, code loaded
        ratios = []
        for number in range(options.rounds):
            order = [time_threads, time_processes, time_store][:: 1 if number % 2 else -1]
            speeds = {measure: measure(paths) for measure in order}
            better = max(speeds[time_threads], speeds[time_processes])
            ratios.append(speeds[time_store] / better)
            print(f"round {number + 1}: Pillow alone in threads {speeds[time_threads]:6.0f} "
                  f"pictures/s, in processes {speeds[time_processes]:6.0f}, the store "
                  f"{speeds[time_store]:6.0f}: {ratios[-1]:.2f} of the better", flush=True)
        print(f"first decode: {statistics.median(ratios):.2f} of Pillow alone (median)")
        shutil.rmtree(folder / "cache")
        quarter, whole = prepare(folder, "quarter"), prepare(folder, "all")
        for count, told in ((options.files // 4, quarter), (options.files, whole)):
            print(f"{count:6,} files: first start {told['seconds']:5.2f} s, "
                  f"peak memory {told['peak_mb']:.0f} MB, "
                  f"of which {told['peak_mb'] - told['before_mb']:.0f} MB for the data")
        print(f"second start: {prepare(folder, 'all')['seconds']:.2f} s")


if __name__ == "__main__":
    main()
