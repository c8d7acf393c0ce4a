"""Contrastive alignment on real data: recall on the test rows, both ways, against chance.

    python tests/benchmarks/alignment.py [--data FOLDER] [--text-model FOLDER] [--alone]
                                         [--epochs N] [--set KEY=VALUE …]

FOLDER holds ``metadata.csv`` with the columns file_name, text, group, subgroup and split: by
default ``shared/data/emoji`` beside the checkout, or in MMSTUDIO_TEST_DATA. The picture's encoder
is ``cnn``, the text's ``rnn``, or a published one, frozen, where --text-model names it. --alone
trains the alignment and no task.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from command_line import command_line, linked_project
from real_data import data_folder

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
[targets.group]
task = "classification"
[targets.subgroup]
task = "classification"
[training]
alignment = 1.0
"""


def changes_of(options: argparse.Namespace) -> list[str]:
    """The ``--set`` arguments that the options stand for."""
    changes = [*options.set, f"training.seed={options.seed}"]
    if options.epochs:
        changes.append(f"training.epochs={options.epochs}")
    if options.alone:
        changes.append("training.alignment_epochs=10000")
    return [f"--set={change}" for change in changes]


def main() -> None:
    """The command line."""
    folder = data_folder()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=folder / "emoji")
    parser.add_argument("--text-model", default="", help="a published text model, or its folder")
    parser.add_argument("--alone", action="store_true", help="train the alignment alone")
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alignment-") as place:
        text = EXPERIMENT
        if options.text_model:
            encoder = f'encoder = {{ name = "pretrained_text", model = "{options.text_model}" }}'
            text = text.replace('modality = "text"', f'modality = "text"\n{encoder}')
        experiment = linked_project(options.data, Path(place), text)
        began = time.perf_counter()
        last = command_line("train", str(experiment), "--run", "run", *changes_of(options))[-1]
        seconds = time.perf_counter() - began
        found = command_line("evaluate", str(Path(place) / "runs" / "run"))[0]
    for one in found["retrieval"]:
        told = "  ".join(f"recall@{k} {one[f'recall@{k}']:.3f} (chance {one[f'chance@{k}']:.3f})"
                         for k in (1, 5, 10))
        print(f"{one['from']:>6} → {one['to']:6} {told}  {one['rows']} rows, "
              f"{one['candidates']} to choose from")
    tasks = ", ".join(f"{n} {figures['accuracy']:.3f}"
                      for n, figures in found["tasks"].items())
    print(f"accuracy: {tasks}; best of {last['epochs']} epochs: {last['best_epoch']}; "
          f"{seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
