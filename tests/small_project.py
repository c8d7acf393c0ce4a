"""A project that is made in a moment and learnt in seconds: what most tests train on.

60 rows of 16×16 pictures, 0.3 s sounds at 8 kHz and short texts. Every input tells the ``shape``
and, less surely, the ``size``; some cells are empty, some labels unknown.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from mmstudio.experiment import Experiment

SHAPES = ("bar", "cross", "dot")
SIZES = ("big", "small")
SPLITS = ("train", "train", "train", "train", "validation", "test")
RATE_HZ = 8000
SECONDS = 0.3
SIZE_WORDS = {"big": "grand", "small": "tiny"}  # not the labels: the check would tell
WORDS = {"bar": "long straight line", "cross": "two roads meet", "dot": "round little point"}
COLUMNS = ("file_name", "audio", "text", "shape", "size", "split")

TOML = """\
[data]
table = "metadata.csv"
split = "split"

[inputs.image]
column = "file_name"
modality = "image"
encoder = { name = "cnn", width = 16 }

[inputs.words]
column = "text"
modality = "text"
encoder = { name = "rnn", width = 16 }

[inputs.sound]
column = "audio"
modality = "audio"
encoder = { name = "crnn", width = 16, mel_bands = 16 }

[fusion]
name = "concat"
hidden = 32

[targets.shape]
task = "classification"

[targets.size]
task = "classification"
weight = 0.5

[training]
combine = false
epochs = 3
batch_size = 16
learning_rate = 0.01
device = "cpu"
"""


def small_experiment(changes: dict[str, Any] | None = None) -> Experiment:
    """The experiment of the small project, with some keys changed."""
    experiment = Experiment.parse(TOML)
    for key, value in (changes or {}).items():
        experiment = experiment.replaced(key, value)
    return experiment


def write_small_project(folder: Path, *, rows: int = 60) -> Path:
    """Write the table, its media and ``experiment.toml``; returns the folder."""
    chance = np.random.default_rng(7)
    for name in ("images", "sounds"):
        (folder / name).mkdir(parents=True)
    table = []
    for row in range(rows):
        shape, size = SHAPES[row % 3], SIZES[row // 3 % 2]
        cells = {
            "file_name": f"images/{row:03d}.png",
            "audio": f"sounds/{row:03d}.wav",
            "text": f"{SIZE_WORDS[size]} {WORDS[shape]} {row}",
            "shape": shape,
            "size": size,
            "split": SPLITS[row // 3 % 6],
        }
        Image.fromarray(_picture(shape, size, chance)).save(folder / cells["file_name"])
        soundfile.write(folder / cells["audio"], _sound(shape, size, chance), RATE_HZ)
        # never all three inputs, never both labels
        for column, nth in (("file_name", 7), ("audio", 11), ("text", 13), ("size", 9)):
            if row % nth == nth - 1:
                cells[column] = ""
        table.append(cells)
    write_table(folder / "metadata.csv", table)
    (folder / "experiment.toml").write_text(TOML, encoding="utf-8")
    return folder


def write_digits(folder: Path) -> Path:
    """The small project with the names that the sample project has; returns the folder."""
    write_small_project(folder)
    toml = TOML.replace("[targets.shape]", "[targets.digit]\ncolumn = \"shape\"")
    (folder / "experiment.toml").write_text(toml, encoding="utf-8")
    return folder


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as CSV; the columns are those of the first row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the project's table."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def train_small(
    folder: Path, changes: dict[str, Any] | None = None, *, run: str = "first",
    resume: bool = False, should_stop: Callable[[], bool] = lambda: False,
) -> list[Any]:
    """Train the small project to the end; all events."""
    return list(start_small(folder, changes, run=run, resume=resume, should_stop=should_stop))


def start_small(
    folder: Path, changes: dict[str, Any] | None = None, *, run: str = "first",
    resume: bool = False, should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Any]:
    """The generator that trains the small project."""
    from mmstudio.training.loop import train

    return train(small_experiment(changes), folder / "runs" / run, folder=folder, resume=resume,
                 should_stop=should_stop)


def _picture(shape: str, size: str, chance: np.random.Generator) -> np.ndarray:
    half = 6 if size == "big" else 3
    picture = chance.integers(0, 60, (16, 16))
    across, down = slice(8 - half, 8 + half), slice(7, 9)
    if shape in ("bar", "cross"):
        picture[down, across] = 255
    if shape == "cross":
        picture[across, down] = 255
    if shape == "dot":
        middle = slice(8 - half // 2, 8 + half // 2)
        picture[middle, middle] = 255
    return picture.astype(np.uint8)


def _sound(shape: str, size: str, chance: np.random.Generator) -> np.ndarray:
    hertz = {"bar": 400, "cross": 1100, "dot": 2600}[shape]
    time_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    beat = 1.0 if size == "big" else np.sign(np.sin(2 * np.pi * 20 * time_s))
    return 0.4 * np.sin(2 * np.pi * hertz * time_s) * beat + 0.02 * chance.normal(size=len(time_s))
