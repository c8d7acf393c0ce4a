"""Time Ludwig 0.11 from the command to a trained model, on the table of ``make_data``.

    python tests/benchmarks/ludwig_baseline.py --python LUDWIG_ENVIRONMENT/bin/python

Ludwig pins other versions than this project, so it lives in an environment of its own:
``pip install torch==2.13.0 ludwig==0.11.* soundfile``. Where torchvision or torchaudio there have
no build for the installed torch, the few native functions that Ludwig calls (decode a PNG, read a
WAV, filter a signal) are put in from Pillow, soundfile and SciPy, which are as fast.

Without such an environment the script says so and measures nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = {
    "input_features": [
        {"name": "file_name", "type": "image", "encoder": {"type": "stacked_cnn"}},
        {
            "name": "audio",
            "type": "audio",
            "encoder": {"type": "parallel_cnn"},
            # Ludwig would pad every sound to 7.5 s; the benchmark's are 1 s long
            "preprocessing": {"type": "fbank", "audio_file_length_limit_in_s": 1.0},
        },
        {"name": "text", "type": "text", "encoder": {"type": "parallel_cnn"}},
    ],
    "combiner": {"type": "concat"},
    "output_features": [{"name": "label", "type": "category"}],
    "preprocessing": {"split": {"type": "fixed", "column": "split"}},
    "trainer": {"epochs": 3, "batch_size": 64},
    "backend": {"type": "local"},
}
SPLITS = {"train": 0, "validation": 1, "test": 2}  # Ludwig's names for them


def stand_in_for_native_parts() -> list[str]:
    """Put in what torchvision's and torchaudio's native code would do, where it does not load.

    Returns:
        The names of the packages that were helped.
    """
    import torch

    helped = []
    try:
        import torchvision
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
        import torchvision
    if not torchvision.extension._has_ops():
        torchvision.io.decode_image = _decode_image
        helped.append("torchvision")
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        _install_torchaudio()
        helped.append("torchaudio")
    return helped


def _decode_image(data, mode=None):  # type: ignore[no-untyped-def]
    import io

    import numpy as np
    import torch
    from PIL import Image

    picture = Image.open(io.BytesIO(data.numpy().tobytes())).convert("RGB")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def _install_torchaudio() -> None:
    import importlib.machinery
    import types

    import scipy.signal
    import soundfile
    import torch

    def load(source, backend=None):  # type: ignore[no-untyped-def]
        samples, rate_hz = soundfile.read(source, dtype="float32", always_2d=True)
        return torch.from_numpy(samples.T.copy()), rate_hz

    def lfilter(wave, a, b, clamp=True):  # type: ignore[no-untyped-def]
        return torch.from_numpy(scipy.signal.lfilter(b.numpy(), a.numpy(), wave.numpy()))

    package = types.ModuleType("torchaudio")
    package.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    package.__version__ = "2.11.0"  # type: ignore[attr-defined]
    package.load = load  # type: ignore[attr-defined]
    package.functional = types.SimpleNamespace(lfilter=lfilter)  # type: ignore[attr-defined]
    sys.modules["torchaudio"] = package


def train(table: Path, output: Path) -> None:
    """Train with Ludwig and write the seconds of each phase to ``output/phases.json``."""
    start = time.perf_counter()
    helped = stand_in_for_native_parts()
    from ludwig.api import LudwigModel
    from ludwig.callbacks import Callback

    times = {"imports": time.perf_counter() - start}

    class Clock(Callback):
        def on_preprocess_start(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            self.started = time.perf_counter()

        def on_preprocess_end(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            times["preparation"] = time.perf_counter() - self.started

        def on_train_start(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            self.started = time.perf_counter()

        def on_train_end(self, *args, **kwargs):  # type: ignore[no-untyped-def]
            times["training"] = time.perf_counter() - self.started
            times["trained_at"] = time.time()

    model = LudwigModel(CONFIG, callbacks=[Clock()])
    statistics = model.train(dataset=str(table), output_directory=str(output)).train_stats
    accuracy = statistics["validation"]["label"]["accuracy"][-1]
    phases = {"seconds": times, "validation_accuracy": float(accuracy), "helped": helped}
    (output / "phases.json").write_text(json.dumps(phases))


def ludwig_table(table: Path, folder: Path) -> Path:
    """The table as Ludwig reads it: full paths, the split as a number."""
    target, media = folder / "table.csv", table.resolve().parent
    with table.open(encoding="utf-8") as source, target.open("w", newline="") as file:
        reader = csv.DictReader(source)
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        for row in reader:
            paths = {name: str(media / row[name]) for name in ("file_name", "audio")}
            writer.writerow(row | paths | {"split": SPLITS[row["split"]]})
    return target


def why_not(python: str) -> str:
    """Why Ludwig can't run there, or nothing."""
    code = "import importlib.metadata as m; print(m.version('ludwig'))"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    if found.returncode:
        return "ludwig is not installed there"
    return "" if found.stdout.startswith("0.11") else f"it has ludwig {found.stdout.strip()}"


def measure(python: str, table: Path) -> dict[str, object]:
    """Run the training as a process of its own.

    Returns:
        Seconds from the command to the trained model (and to the end of the process, which
        evaluates the model too), the peak memory, and the seconds of each phase.

    Raises:
        RuntimeError: The process failed; the end of its log is in the message.
    """
    with tempfile.TemporaryDirectory(prefix="ludwig-") as name:
        folder = Path(name)
        script, ludwigs_table = Path(__file__).resolve(), ludwig_table(table, folder)
        command = [python, str(script), "--train", str(ludwigs_table), name]
        with (folder / "log.txt").open("wb") as log:
            start = time.time()
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.time() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError((folder / "log.txt").read_text(errors="replace")[-4000:])
        phases = json.loads((folder / "phases.json").read_text())
    return {
        "seconds_until_trained": phases["seconds"].pop("trained_at") - start,
        "seconds_of_the_process": seconds,
        "peak_rss_mb": usage.ru_maxrss / 1024,
        "phases": phases,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=os.environ.get("LUDWIG_PYTHON", sys.executable))
    parser.add_argument("--data", type=Path, help="a table of make_data; made when missing")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--train", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(*options.train)
        return
    if reason := why_not(options.python):
        print(f"skipped: no Ludwig 0.11 at {options.python} ({reason}); name one with --python")
        return
    with tempfile.TemporaryDirectory(prefix="ludwig-data-") as name:
        table = options.data
        if table is None:
            from make_data import make

            table = make(Path(name), options.rows)
        print(json.dumps(measure(options.python, table), indent=2))


if __name__ == "__main__":
    main()
