"""One trained run for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmstudio
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import write_digits


@pytest.fixture(scope="package")
def run(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> mmstudio.Run:
    """A run of the small project; not to be written into."""
    project = write_digits(tmp_path_factory.mktemp("trained") / "digits")
    experiment = mmstudio.Experiment.load(str(project / "experiment.toml"))
    return mmstudio.train(experiment, project / "runs" / "a")


@pytest.fixture(scope="package")
def model(run: mmstudio.Run) -> mmstudio.Model:
    """The run's model."""
    return run.model()


@pytest.fixture
def project(run: mmstudio.Run) -> Path:
    """The project's folder."""
    return run.path.parent.parent
