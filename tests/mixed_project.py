"""The small project with a target of every task: label sets and numbers beside the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmstudio.experiment import Experiment
from tests.small_project import TOML, read_rows, write_small_project, write_table

TARGETS = """\
[targets.tags]
task = "multilabel"
separator = ","

[targets.area]
task = "regression"
unit = "cm²"
weight = 2.0

[training]
"""
TAGS = {"bar": "line", "cross": "line,crossing", "dot": ","}
AREAS = {"bar": 300.0, "cross": 500.0, "dot": 900.0}


def mixed_experiment(changes: dict[str, Any] | None = None) -> Experiment:
    """Its experiment, with some keys changed."""
    experiment = Experiment.parse(TOML.replace("[training]\n", TARGETS))
    for key, value in (changes or {}).items():
        experiment = experiment.replaced(key, value)
    return experiment


def write_mixed_project(folder: Path) -> Path:
    """The small project with two more columns, each unknown in some rows."""
    rows = read_rows(write_small_project(folder))
    table = []
    for i, row in enumerate(rows):
        added = {"tags": TAGS[row["shape"]], "area": f"{AREAS[row['shape']] + 10 * (i % 5)}"}
        if i % 8 == 7:
            added["tags"] = ""
        if i % 7 == 3:
            added["area"] = ""
        table.append(row | added)
    write_table(folder / "metadata.csv", table)
    (folder / "experiment.toml").write_text(TOML.replace("[training]\n", TARGETS),
                                            encoding="utf-8")
    return folder


def train_mixed(
    folder: Path, changes: dict[str, Any] | None = None, run: str = "first", **others: Any
) -> list[Any]:
    """Train the mixed project to the end; all events."""
    from mmstudio.training.loop import train

    return list(train(mixed_experiment(changes), folder / "runs" / run, folder=folder, **others))
