"""A project made from data that lies anywhere, and the command that makes one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmstudio import cli
from mmstudio.data.schema import values_of
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.project.places import path_from
from mmstudio.project.proposal import propose, write_project
from tests.small_project import write_small_project

New = Callable[..., int]


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> New:
    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["mmstudio", "new", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return call


def test_the_command_writes_a_project_that_points_at_its_data(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_small_project(tmp_path / "data")
    assert new(tmp_path / "a" / "project", "--data", data / ".." / "data", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    path = Path(told["experiment"])
    experiment = Experiment.load(path)
    assert experiment.data.table == "../../data/metadata.csv"
    assert len(read_table(path.parent / experiment.data.table)) == told["rows"] == 60
    assert {c["name"]: c["role"] for c in told["columns"]}["shape"] == "target"
    assert all(c["reason"] for c in told["columns"])
    assert new(tmp_path / "b", "--data", data) == 0
    out = capsys.readouterr().out
    assert "to predict: classification" in out and "mmstudio train" in out


def test_it_overwrites_nothing(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_small_project(tmp_path / "data")
    before = (data / "experiment.toml").read_bytes()
    assert new(data, "--data", data) == 1
    assert "is a project already" in capsys.readouterr().err
    assert (data / "experiment.toml").read_bytes() == before


def test_bad_sources_leave_nothing_behind(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(tmp_path / "p", "--data", tmp_path / "nowhere") == 1
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    assert new(tmp_path / "p", "--data", tmp_path / "t.csv") == 1
    assert "Mark" not in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_paths_lead_from_where_the_folder_really_is(tmp_path: Path) -> None:
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    (tmp_path / "t.csv").write_text("a\n1\n")
    name = path_from(tmp_path / "link", tmp_path / "deep" / ".." / "t.csv")
    assert name == "../../t.csv"
    assert (tmp_path / "link" / name).is_file()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    data = write_small_project(tmp_path / "data")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="can't be written"):
        write_project(tmp_path / "file" / "p", propose(data))


def test_what_is_proposed_is_said_before_anything_is_made(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    data = tmp_path / "data"
    for i in range(12):
        (data / "pictures").mkdir(parents=True, exist_ok=True)
        (data / "pictures" / f"{i}.png").write_bytes(b"x")
    lines = [f"{i}.png,{['cat', 'dog', ''][i % 3]},{i}" for i in range(12)]
    (data / "t.csv").write_text("\n".join(["picture,animal,id", *lines]))
    (data / "sizes.csv").write_text("animal,kilos\ncat,4\n")
    assert new(tmp_path / "p", "--data", data) == 0
    out = capsys.readouterr().out
    for said in (
        f"12 rows, of the table {data / 't.csv'}.", "they lie in pictures/.",
        "sizes.csv is left aside", "4 without 'animal' (that label is unknown there)",
        "Columns that are not used: id.", "12: 0.png",
    ):
        assert said in out
    (data / "t.csv").write_text("picture\n" + "".join(f"{i}.png\n" for i in range(12)))
    assert new(tmp_path / "q", "--data", data) == 1
    told = capsys.readouterr()
    assert "12 rows, of the table" in told.out and "No column says what to predict" in told.err
    assert not (tmp_path / "q").exists()


def test_the_json_says_whence_the_rows_are(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_small_project(tmp_path / "data")
    assert new(tmp_path / "p", "--data", data, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["table"] == str(data / "metadata.csv") and told["folder"] == str(data)


def test_the_folder_of_the_files_can_be_told(
    new: New, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tables of mine").mkdir()
    (tmp_path / "far" / "away").mkdir(parents=True)
    for i in range(12):
        (tmp_path / "far" / "away" / f"{i}.png").write_bytes(b"x")
    table = tmp_path / "tables of mine" / "t.csv"
    table.write_text("picture,label\n" + "".join(
        f"http://localhost:8080/files/{i}.png,{'ab'[i % 2]}\n" for i in range(12)))
    assert new(tmp_path / "p", "--data", table) == 1
    assert new(tmp_path / "p", "--data", table, "--media-root", tmp_path / "none") == 1
    assert "There is no folder" in capsys.readouterr().err
    assert new(tmp_path / "p", "--data", table, "--media-root", tmp_path / "far") == 0
    experiment = Experiment.load(tmp_path / "p" / "experiment.toml")
    settings = experiment.inputs["picture"]
    assert settings.folder == "../far/away"
    values = values_of(read_table(table), settings)
    assert values[3] == tmp_path / "tables of mine" / "../far/away/3.png"
