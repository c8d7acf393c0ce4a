"""``mmstudio labels``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.small_project import train_small, write_small_project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_project(tmp_path_factory.mktemp("labels") / "project", rows=120)
    train_small(folder, {"training.epochs": 2})
    return folder / "runs" / "first"


def test_json_and_nothing_else(run: Run, trained: Path) -> None:
    result = run("labels", trained, "--json")
    assert result.code == 0
    (data,) = result.lines
    assert data["rows"] == 120 and data["looked_at"] > 100
    assert all({"kind", "row", "split", "score"} <= set(f) for f in data["findings"])


def test_people_get_a_list_and_a_table(run: Run, trained: Path, tmp_path: Path) -> None:
    result = run("labels", trained, "--output", tmp_path / "reviewed.csv", "--top", "3")
    assert result.code == 0
    assert "rows were looked at" in result.out and "reviewed.csv" in result.out
    assert (tmp_path / "reviewed.csv").read_text("utf-8").startswith("file_name,audio,text,")


def test_the_table_itself_is_refused_before_anything_is_done(run: Run, trained: Path) -> None:
    table = trained.parent.parent / "metadata.csv"
    before = table.read_bytes()
    result = run("labels", trained, "--output", table)
    assert result.code == 1 and "not written over" in result.err
    assert table.read_bytes() == before
