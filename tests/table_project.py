"""A project of numbers and categories beside short texts; learnt in seconds.

The `age` and the `town` tell the `kind`, and so does the text, each less than surely. Some cells
are missing, some rows have none of the columns, and one town stands in the test rows only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmstudio.experiment import Experiment
from mmstudio.training.loop import train
from tests.small_project import write_table

COLUMNS = ("age", "town", "grade")
KINDS = ("bird", "fish", "moth")
TOWNS = ("Oslo", "Rome", "Lima")
WORDS = ("wings and feathers", "fins in deep water", "dust around a lamp")
ROWS = 120


def table_rows() -> list[dict[str, str]]:
    """The rows; empty strings are missing cells."""
    chance = np.random.default_rng(0)
    rows = []
    for i in range(ROWS):
        kind = i % 3
        split = ("train", "train", "train", "validation", "test")[i // 3 % 5]
        cells = {"age": f"{20 + 15 * kind + chance.normal(0, 3):.1f} y", "town": TOWNS[kind],
                 "grade": str(i % 4)}
        if i % 10 == 3:
            cells["age"] = ""
        if i % 30 == 14:
            cells["town"] = "Atlantis"
        if i % 20 == 7:
            cells = dict.fromkeys(COLUMNS, "")
        text = WORDS[kind] if i % 4 else ""
        rows.append({"words": text, **cells, "kind": KINDS[kind], "split": split})
    return rows


def write_table_project(folder: Path) -> Path:
    """Write the table and its experiment file; the folder."""
    folder.mkdir(parents=True)
    write_table(folder / "table.csv", table_rows())
    Experiment.from_dict({
        "data": {"table": "table.csv", "split": "split"},
        "inputs": {
            "person": {"columns": list(COLUMNS), "modality": "tabular",
                       "encoder": {"name": "mlp", "width": 16}},
            "words": {"column": "words", "modality": "text",
                      "encoder": {"name": "rnn", "width": 16}}},
        "targets": {"kind": {}},
        "training": {"epochs": 6, "batch_size": 16, "threads": 1},
    }).save(folder / "experiment.toml")
    return folder


def train_table(folder: Path, run: str = "first") -> Path:
    """Train it; the run's folder."""
    experiment = Experiment.load(folder / "experiment.toml")
    for _ in train(experiment, folder / "runs" / run, folder=folder):
        pass
    return folder / "runs" / run
