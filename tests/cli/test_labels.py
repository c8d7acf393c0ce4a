"""``mmstudio labels``, ``drift`` and ``robustness``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mmstudio.cli.robustness import _show
from mmstudio.evaluation.robustness_curves import Curve, Point, Robustness
from tests.cli.conftest import Run
from tests.small_project import read_rows, train_small, write_small_project, write_table


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_project(tmp_path_factory.mktemp("labels") / "project", rows=120)
    train_small(folder, {"training.epochs": 2})
    return folder / "runs" / "first"


@pytest.fixture(scope="module")
def new_rows(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table beside that of the run, of some of its rows."""
    path = trained.parent.parent / "new.csv"
    write_table(path, [r for r in read_rows(trained.parent.parent) if r["split"] == "test"])
    return path


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


def test_rows_to_label(run: Run, trained: Path, tmp_path: Path) -> None:
    result = run("labels", trained, "--choose", "4", "--json")
    assert result.code == 0
    (data,) = result.lines
    assert len(data["to_label"]) == 4  # the small project has rows whose size is unknown
    assert set(data["to_label"][0]) == {"row", "uncertainty", "suggested"}
    assert "Worth a label" in run("labels", trained, "--choose", "4").out
    assert run("labels", trained, "--choose", "4", "--output", tmp_path / "a.csv").code == 2


def test_drift(run: Run, trained: Path, new_rows: Path) -> None:
    result = run("drift", trained, "--table", new_rows, "--json")
    assert result.code == 0
    (data,) = result.lines
    assert [v["input"] for v in data["views"]] == ["", "image", "words", "sound"]
    assert isinstance(data["drifted"], bool) and len(data["rows"]) == 18
    shown = run("drift", trained, "--table", new_rows, "--top", "2")
    assert shown.code == 0 and "all together" in shown.out and "The oddest" in shown.out
    assert "The new rows" in shown.out


def test_names_like_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    point = Point(0.0, {"[b]age[/b]": 1.0}, {})
    worse = Curve("image", "[i]noise", "[u]dB", [replace(point, strength=3.0)])
    _show([Robustness("run", "test", 1, {"[b]age[/b]": "r2"}, point, [worse])], "[b]age[/b]")
    told = capsys.readouterr().out
    assert "[b]age[/b]" in told and "[i]noise" in told and "[u]dB" in told


def test_robustness_of_two_runs_side_by_side(run: Run, trained: Path) -> None:
    result = run("robustness", trained, trained, "--rows", "8", "--json")
    assert result.code == 0
    (data,) = result.lines
    assert len(data["runs"]) == 2 and data["runs"][0] == data["runs"][1]
    first = data["runs"][0]
    assert first["rows"] == 8 and {"strength", "figures", "shares"} == set(first["clean"])
    shown = run("robustness", trained, "--rows", "8")
    assert shown.code == 0 and "absent: 25% of the rows" in shown.out
    assert "shape: accuracy" in shown.out and "on average" in shown.out


def test_labels_of_a_cross_validation(run: Run, tmp_path: Path) -> None:
    project = write_small_project(tmp_path / "project")
    asked = ("train", project / "experiment.toml", "--folds", "2", "--set", "training.epochs=1",
             "--set", "inputs.sound.use=false")
    trained = run(*asked, "--json")
    assert trained.code == 0, trained.err
    last = trained.lines[-1]
    assert last["event"] == "cross_validation_finished" and last["run"] == "runs/folds-1"
    assert {"accuracy", "macro_f1", "interval"} <= set(last["tasks"]["shape"])
    judged = run("labels", project / "runs" / "folds-1", "--json", "--output", tmp_path / "a.csv")
    assert judged.code == 0, judged.err
    assert judged.lines[0]["looked_at"] == last["samples"] and (tmp_path / "a.csv").is_file()
    again = run(*asked[:4], "--resume")
    assert again.code == 0 and "had not seen it" in again.out and "95 % interval" in again.out
    assert run(*asked[:2], "--folds", "70").code == 1
