"""Project folders: made where they are wanted, pointing at their data wherever that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.data import merged_labels
from mmstudio.data.table import Table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.project.opening import new_project, open_project
from mmstudio.project.places import free_folder, project_of
from mmstudio.project.rows import truth_of
from tests.small_project import write_small_project


def test_a_new_project_points_at_its_table_wherever_that_is(tmp_path: Path) -> None:
    source = write_small_project(tmp_path / "data") / "metadata.csv"
    opened = new_project(tmp_path / "new" / "project", source)
    assert opened.experiment is not None
    assert opened.experiment.data.table == "../../data/metadata.csv"
    assert Experiment.load(tmp_path / "new" / "project" / "experiment.toml") == opened.experiment
    assert open_project(tmp_path / "new" / "project").experiment == opened.experiment


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="could not be made"):
        new_project(tmp_path / "file", None)


def test_a_project_is_never_made_over_another(tmp_path: Path) -> None:
    source = write_small_project(tmp_path / "data") / "metadata.csv"
    new_project(tmp_path / "one", source)
    with pytest.raises(UserError, match="is a project already"):
        new_project(tmp_path / "one", source)
    assert free_folder(tmp_path / "one") == tmp_path / "one 2"


def test_the_labels_of_a_row_are_those_of_the_whole_table_and_only_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_project(write_small_project(tmp_path / "data"))
    assert opened.table is not None and opened.experiment is not None
    experiment = opened.experiment.replaced(("targets", "shape", "merge"), {"dot": "point"})
    whole = merged_labels.merged(opened.table, experiment)
    read: list[int] = []

    def counted(table: Table, experiment: Experiment) -> Table:
        read.append(len(table))
        return merged(table, experiment)

    merged = merged_labels.merged
    monkeypatch.setattr(merged_labels, "merged", counted)
    truths = [truth_of(opened.table, experiment, row)["shape"] for row in range(len(whole))]
    assert truths == whole.column("shape").to_list() and "point" in truths
    assert set(read) == {1}


def test_an_experiment_that_cannot_be_written_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_small_project(tmp_path / "data") / "metadata.csv"

    def full(self: Experiment, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Experiment, "save", full)
    with pytest.raises(UserError, match="No space left") as told:
        new_project(tmp_path / "new", source)
    assert str(tmp_path / "new") in told.value.message and "Make room" in told.value.hint


def test_a_project_in_a_folder_called_runs_is_one_and_a_run_is_none(tmp_path: Path) -> None:
    mine = write_small_project(tmp_path / "runs" / "mine")
    assert project_of(mine) == mine
    run = mine / "runs" / "first"
    run.mkdir(parents=True)
    (run / "experiment.toml").write_bytes((mine / "experiment.toml").read_bytes())
    assert project_of(run) == mine


def test_a_folder_that_cannot_be_looked_into_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, listed = tmp_path / "mine", Path.iterdir
    closed.mkdir()

    def iterdir(self: Path) -> object:
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert free_folder(closed) == tmp_path / "mine 2"
