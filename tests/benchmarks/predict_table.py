"""How fast a table is answered, against a bare loop over the same model; and its memory.

    python tests/benchmarks/predict_table.py [--rows 10000] [--turns 3] [--json]

The small project is trained for an epoch and its table made as long as was asked for. Then, by
turns, in this process and with one model: ``bare`` decodes the rows and calls the model, 64 at a
time, and does nothing else; ``all`` is what ``mmstudio predict --table`` does: answers, kept as
they come, written as CSV. The peak memory is that of processes of their own, for a fifth of the
rows and for all, so that it is seen to be flat. The processor's own time is told beside.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "2")

from tests.small_project import read_rows, train_small, write_small_project, write_table

AIM = 0.9


def made(folder: Path, counts: list[int]) -> Path:
    """The small project, trained, with tables of so many rows; the run."""
    write_small_project(folder)
    train_small(folder, {"training.epochs": 1})
    few = read_rows(folder)
    for count in counts:
        write_table(folder / f"rows{count}.csv", [
            few[i % len(few)] | {"text": f"{few[i % len(few)]['text']} {i}"}
            for i in range(count)])
    return folder / "runs" / "first"


def bare(predictor: Any, table: Any) -> None:
    """Decode and call the model, and nothing else."""
    import torch

    from mmstudio.data.schema import values_of

    values = {n: values_of(table, i) for n, i in predictor.experiment.active_inputs.items()}
    for start in range(0, len(table), 64):
        arrays = {n: [predictor.decode(n, v) for v in values[n][start : start + 64]]
                  for n in predictor.inputs}
        with torch.inference_mode():
            for outputs in predictor.model(
                    predictor._batch(arrays), rows=len(arrays[next(iter(arrays))])).values():
                outputs.cpu()


def whole(predictor: Any, run: Path, table: Path, output: Path) -> None:
    """What the command does once the model is there."""
    from mmstudio.cli.predict import _predict_table

    _predict_table(predictor, run, table, output, False)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and the processor's."""
    began, busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - busy


def peak_mb(run: Path, table: Path, output: Path) -> float:
    """The most memory that the command held."""
    program = ("import resource, sys; sys.argv = ['mmstudio', *sys.argv[1:]]\n"
               "from mmstudio import cli\n"
               "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
               "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    process = subprocess.run(
        [sys.executable, "-c", program, "predict", str(run), "--table", str(table),
         "--output", str(output)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).resolve().parents[2])
    return int(process.stdout.split()[-1]) / (1024 if sys.platform == "linux" else 1024**2)


def measured(run: Path, counts: list[int], turns: int) -> dict[str, float]:
    """The figures."""
    from mmstudio.data.table import read_table
    from mmstudio.inference.predictor import Predictor

    predictor = Predictor(run)
    folder = run.parent.parent
    some, many = (folder / f"rows{count}.csv" for count in counts)
    table = read_table(many)
    bare(predictor, read_table(some))  # warm
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "all": []}
    for _ in range(turns):
        times["bare"].append(timed(lambda: bare(predictor, table)))
        times["all"].append(timed(lambda: whole(predictor, run, many, folder / "out.csv")))
    figures = {}
    for name, some_times in times.items():
        clock, busy = zip(*some_times, strict=True)
        figures[f"{name}_rows_per_s"] = counts[1] / statistics.median(clock)
        figures[f"{name}_processor_rows_per_s"] = counts[1] / statistics.median(busy)
    figures["ratio"] = figures["all_rows_per_s"] / figures["bare_rows_per_s"]
    figures["processor_ratio"] = (figures["all_processor_rows_per_s"]
                                / figures["bare_processor_rows_per_s"])
    for count in counts:
        figures[f"peak_mb_of_{count}"] = peak_mb(
            run, folder / f"rows{count}.csv", folder / "peak.csv")
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    counts = [arguments.rows // 5, arguments.rows]
    with tempfile.TemporaryDirectory() as place:
        figures = measured(made(Path(place) / "Many", counts), counts, arguments.turns)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        aim = f"  (aim: {AIM} or more)" if name == "ratio" else ""
        print(f"{name.replace('_', ' '):30} {value:10.2f}{aim}")


if __name__ == "__main__":
    main()
