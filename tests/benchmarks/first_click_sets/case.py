"""What a set is, and what is asked of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "validation", "test")
TABLE = "metadata.csv"
SEPARATOR = ";"

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Case:
    """A set and the question that is asked of it.

    Attributes:
        name: As the command line names it.
        folder: Holds ``metadata.csv``; cells that name files start there.
        inputs: Per column its modality: image, text or audio.
        targets: Per column its task: classification, multilabel or regression.
        split: The column that gives the split.
        promised: Per target the least figure that is promised of it by name.
    """

    name: str
    folder: Path
    inputs: Mapping[str, str]
    targets: Mapping[str, str]
    split: str = "split"
    promised: Mapping[str, float] = field(default_factory=dict)

    def rows(self) -> Rows:
        """All rows of the table."""
        with (self.folder / TABLE).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def experiment(self) -> str:
        """The least experiment file that asks this: data, inputs and targets."""
        lines = ["[data]", f"table = '{self.folder / TABLE}'", f'split = "{self.split}"']
        for column, modality in self.inputs.items():
            lines += [f"[inputs.{modality}]", f'column = "{column}"', f'modality = "{modality}"']
        for column, task in self.targets.items():
            lines += [f"[targets.{column}]", f'task = "{task}"']
            if task == "multilabel":
                lines.append(f'separator = "{SEPARATOR}"')
        return "\n".join(lines) + "\n"
