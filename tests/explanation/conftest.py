"""One trained run for all tests here; each gets a copy of the project to itself where it writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import train_small, write_small_project


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
