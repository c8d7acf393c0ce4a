"""Does a comparison name the right input alone, where half of the rows lack it?

Two texts: one tells the label and is missing in half of the rows, the other is noise and always
there. Three of four rows are of one class, so that whoever answers a missing text at random loses
to the noise. The last model of each comparison is asked about a sample of which nothing is there.
Prints a line per seed.

    python tests/trials/missing_input.py [--seeds 10]
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mmstudio.comparison.contest import compare
from mmstudio.comparison.folder import ComparisonFolder
from mmstudio.comparison.plan import make_plan
from mmstudio.comparison.ranking import read_ranking
from mmstudio.experiment import Experiment
from mmstudio.inference.predictor import Predictor

WORDS = {"yes": "bright open warm gate", "no": "dark closed cold wall"}
NOISE = "river stone paper cloud table green seven window market yellow music garden".split()
TOML = """\
[data]
table = "rows.csv"
split = "split"

[inputs.telling]
column = "told"
modality = "text"
encoder = {{ name = "rnn", width = 16 }}

[inputs.noise]
column = "other"
modality = "text"
encoder = {{ name = "rnn", width = 16 }}

[targets.answer]
task = "classification"

[training]
combine = false
epochs = 8
batch_size = 32
learning_rate = 0.01
device = "cpu"
seed = {seed}
"""


def write_project(folder: Path, seed: int, rows: int = 240) -> None:
    """Write the table; a quarter of the rows is "yes", half of each lack the telling text."""
    chance = np.random.default_rng(seed)
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["told", "other", "answer", "split"])
        for row in range(rows):
            answer = "yes" if row % 4 == 0 else "no"
            told = " ".join(chance.permutation(WORDS[answer].split())[:3])
            split = ("train", "train", "train", "validation", "test")[row // 8 % 5]
            writer.writerow([told if row // 4 % 2 else "", " ".join(chance.permutation(NOISE)[:5]),
                             answer, split])


def named(folder: Path, seed: int) -> tuple[str, str]:
    """The input alone that the comparison ranks first, and what a line tells of it."""
    experiment = Experiment.parse(TOML.format(seed=seed))
    plan = make_plan(experiment, "trial", fusions=["concat"], seeds=1)
    for _ in compare(plan, folder=folder):
        pass
    ranking = read_ranking(ComparisonFolder.of(folder, "trial"))
    alone = [s for s in ranking.standings if s.contestant.kind == "input"]
    best = max(alone, key=lambda s: (s.validation, s.score.mean))
    figures = ", ".join(f"{s.contestant.name} {100 * s.score.mean:.0f} %" for s in alone)
    predictor = Predictor(folder / "runs" / f"trial.only-telling.seed{seed}", "cpu")
    share = predictor.predict({}).tasks["answer"].scores["yes"]
    return best.contestant.name, f"{figures}; of nothing: yes {100 * share:.1f} %"


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    right, seeds, began = 0, parser.parse_args().seeds, time.perf_counter()
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as place:
            write_project(Path(place), seed)
            name, told = named(Path(place), seed)
        right += name == "telling"
        print(f"seed {seed}: {name} ({told})", flush=True)
    print(f"the telling input in {right} of {seeds}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
