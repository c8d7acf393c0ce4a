"""Trained runs for all tests here: one to be copied, and one whose data holds planted faults."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import SHAPES, read_rows, train_small, write_small_project, write_table

ROWS = 240


@dataclass(frozen=True)
class Planted:
    """A run and the rows of its faults, numbered from 0."""

    run: Path
    flipped: tuple[int, ...]
    leak: tuple[int, int]
    outlier: int

    @property
    def project(self) -> Path:
        """The folder of the project."""
        return self.run.parent.parent


@pytest.fixture(scope="package")
def planted(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Not to be written into."""
    project = write_small_project(tmp_path_factory.mktemp("planted") / "project", rows=ROWS)
    table = read_rows(project)
    inputs = ("file_name", "audio", "text")
    whole = [i for i, row in enumerate(table) if all(row[column] for column in inputs)]
    train = [i for i in whole if table[i]["split"] == "train"]
    test = [i for i in whole if table[i]["split"] == "test"]
    flipped = (*train[5:65:10], test[3])
    for row in flipped:
        now = SHAPES.index(table[row]["shape"])
        table[row]["shape"] = SHAPES[(now + 1) % 3]
    leak = train[1], test[1]
    shutil.copyfile(project / table[leak[0]]["file_name"], project / table[leak[1]]["file_name"])
    chance = np.random.default_rng(0)
    outlier = train[2]
    noise = (255 * (chance.random((16, 16)) < 0.5)).astype(np.uint8)
    Image.fromarray(noise).save(project / table[outlier]["file_name"])
    write_table(project / "metadata.csv", table)
    train_small(project, {"training.epochs": 8})
    return Planted(project / "runs" / "first", flipped, leak, outlier)


@pytest.fixture(scope="package")
def trained(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small project, trained for a while; not to be written into."""
    project = write_small_project(tmp_path_factory.mktemp("trained") / "project")
    train_small(project, {"training.epochs": 8})
    return project / "runs" / "first"


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """The same run in a project of the test's own."""
    shutil.copytree(trained.parent.parent, tmp_path / "project")
    return tmp_path / "project" / "runs" / "first"
