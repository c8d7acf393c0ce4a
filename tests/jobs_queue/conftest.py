"""A project whose trainings take a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_project import write_small_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The small project."""
    return write_small_project(tmp_path / "project")
