"""How many flipped labels ``mmstudio labels`` finds: precision and recall in the top of its list.

    python tests/benchmarks/label_errors.py [--data FOLDER] [--share 0.05] [--seeds 0 1 2]
                                            [--set KEY=VALUE …] [--keep FOLDER]

FOLDER holds ``avdigits``; by default ``shared/data`` beside the checkout, or MMSTUDIO_TEST_DATA. A
share of the training labels becomes another digit by chance; a run is trained on them, and the list
is asked for. As many of its first training rows are looked at as labels were flipped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from real_data import DIGITS, add_data_option

QUICK = ["training.epochs=8", "training.combine=false"]


def write_flipped(data: Path, project: Path, share: float, seed: int) -> set[int]:
    """Write a project whose training labels are flipped in part; returns the flipped rows."""
    table = pl.read_csv(data / "metadata.csv", infer_schema=False)
    chance = np.random.default_rng(seed)
    train = np.flatnonzero((table["split"] == "train").to_numpy())
    flipped = chance.choice(train, round(share * len(train)), replace=False)
    labels = table["digit"].to_list()
    for row in flipped:
        labels[row] = str(chance.choice([d for d in sorted(set(labels)) if d != labels[row]]))
    media = [pl.lit(f"{data}/") + pl.col(name) for name in ("file_name", "audio")]
    project.mkdir(parents=True)
    table.with_columns(pl.Series("digit", labels), *(
        m.alias(n) for m, n in zip(media, ("file_name", "audio"), strict=True)
    )).write_csv(project / "metadata.csv")
    (project / "experiment.toml").write_text(DIGITS, encoding="utf-8")
    return set(flipped.tolist())


def command_line(*arguments: str) -> str:
    """Run ``mmstudio …`` and return what it printed."""
    return subprocess.run([sys.executable, "-m", "mmstudio", *arguments],
                          stdout=subprocess.PIPE, text=True, check=True).stdout


def measured(data: Path, project: Path, share: float, seed: int, changes: list[str]) -> None:
    """Train on flipped labels and print what the list finds of them."""
    flipped = write_flipped(data, project, share, seed)
    settings = [part for change in changes for part in ("--set", change)]
    command_line("train", str(project / "experiment.toml"), "--run", "a", "--json",
                 "--set", f"training.seed={seed}", *settings)
    review = json.loads(command_line("labels", str(project / "runs" / "a"), "--json"))
    found = [f for f in review["findings"] if f["kind"] == "label error" and f["split"] == "train"]
    top = [f["row"] for f in found[: len(flipped)]]
    sure = {f["row"] for f in found if f["certainty"] != "doubted"}
    hits = len(flipped.intersection(top))
    print(f"seed {seed}: {len(flipped)} labels flipped; first {len(top)} of the list: precision "
          f"{hits / max(1, len(top)):.3f}, recall {hits / len(flipped):.3f}; called likely: "
          f"{len(sure)}, of which flipped {len(sure & flipped)}", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="changes", nargs="*", default=QUICK, metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="where the projects are left")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for seed in given.seeds:
            project = (given.keep or Path(folder)) / f"flipped-{seed}"
            measured((given.data / "avdigits").resolve(), project, given.share, seed,
                     given.changes)


if __name__ == "__main__":
    main()
