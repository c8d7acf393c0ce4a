"""Small tensors are slower on many threads than on one; the small project, fresh for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import write_small_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_small_project(tmp_path / "project")
