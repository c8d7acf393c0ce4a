"""From the command to a trained model: seconds and peak memory, beside Ludwig where it is there.

    python tests/benchmarks/train_from_command.py [--ludwig LUDWIG_ENVIRONMENT/bin/python]

2,000 rows of 64×64 pictures, 1 s sounds at 16 kHz and 12-word texts; 3 epochs; nothing decoded
before. Both run as whole processes, in turn; see ``ludwig_baseline.py`` for Ludwig's environment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ludwig_baseline import measure as measure_ludwig
from ludwig_baseline import why_not
from make_data import make
from training_speed import EXPERIMENT


def measure(folder: Path) -> dict[str, float]:
    """Train in a process of its own, with an empty store."""
    with tempfile.TemporaryDirectory(prefix="store-") as cache:
        command = [sys.executable, "-m", "mmstudio", "train", str(folder / "experiment.toml"),
                   "--set", "training.epochs=3", "--set", "training.augment=true", "--json"]
        with tempfile.TemporaryFile() as output:
            began = time.perf_counter()
            process = subprocess.Popen(command, stdout=output,
                                       env=os.environ | {"MMSTUDIO_CACHE": cache})
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            events = [json.loads(line) for line in output]
    if process.returncode:
        sys.exit("mmstudio train failed")
    epochs = [e for e in events if e["event"] == "epoch_done"]
    return {"seconds": seconds, "peak_rss_mb": usage.ru_maxrss / 1024,
            "validation_accuracy": epochs[-1]["validation"]["label"]["accuracy"]}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ludwig", default="", help="a Python that has Ludwig 0.11")
    options = parser.parse_args()
    reason = why_not(options.ludwig) if options.ludwig else "name its Python with --ludwig"
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        table = make(folder, options.rows)
        (folder / "experiment.toml").write_text(EXPERIMENT)
        for _ in range(options.rounds):
            ours = measure(folder)
            print(f"mmstudio  {ours['seconds']:6.1f} s  {ours['peak_rss_mb']:6.0f} MB  validation "
                  f"accuracy {ours['validation_accuracy']:.3f}", flush=True)
            if reason:
                print(f"Ludwig    skipped: {reason}")
                continue
            theirs = measure_ludwig(options.ludwig, table)
            seconds = float(theirs["seconds_until_trained"])  # type: ignore[arg-type]
            print(f"Ludwig    {seconds:6.1f} s  {theirs['peak_rss_mb']:6.0f} MB  ratio "
                  f"{ours['seconds'] / seconds:.2f}", flush=True)


if __name__ == "__main__":
    main()
