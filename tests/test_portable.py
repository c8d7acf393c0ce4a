"""What is passed on names no place on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmstudio.experiment import Experiment
from mmstudio.portable import relative, without_places
from mmstudio.training.run_folder import RunFolder
from tests.small_project import read_rows, small_experiment, train_small, write_small_project


def test_paths_begin_at_the_project_or_at_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))
    project = tmp_path / "me" / "project"
    told = {"message": f"{project}/a.png is missing, as is {tmp_path}/me/b.png.", "row": 3,
            "more": [f"'{project}/c d.wav'", None, f"/x{project}/e", f"{project}s/f"]}
    assert without_places(told, [project]) == {
        "message": f"a.png is missing, as is ~{os.sep}b.png.", "row": 3,
        "more": ["'c d.wav'", None, f"/x{project}/e", f"~{os.sep}projects/f"]}


def test_a_model_is_named_as_seen_from_the_run(tmp_path: Path) -> None:
    model, run = tmp_path / "models" / "m", tmp_path / "project" / "runs" / "first"
    for folder in (model, run):
        folder.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    assert relative(str(model), run) == "../../../models/m"
    assert relative("name/of-a-model", run) == "name/of-a-model"
    experiment = small_experiment({"inputs.words.encoder": {
        "name": "pretrained_text", "model": str(model)}})
    shown = experiment.seen_from(run).to_toml()
    assert str(tmp_path) not in shown
    (run / "experiment.toml").write_text(shown, encoding="utf-8")
    assert Experiment.load(run / "experiment.toml") == experiment


def test_no_file_of_a_run_names_the_project_s_place(tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "somebody" / "project")
    rows = read_rows(project)
    (project / rows[0]["file_name"]).write_bytes(b"noise")
    (project / rows[1]["file_name"]).unlink()
    train_small(project, {"training.epochs": 1})
    run = project / "runs" / "first"
    for path in run.iterdir():
        assert b"somebody" not in path.read_bytes(), path.name
    warned = RunFolder(run).history().warnings
    assert "row 1: images/000.png" in warned[0].message
