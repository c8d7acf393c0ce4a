"""``mmstudio similar``, and recall in ``mmstudio evaluate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mmstudio import cli
from tests.small_project import read_rows, train_small, write_small_project


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_project(tmp_path_factory.mktemp("similar") / "project")
    train_small(folder, {"training.alignment": 1.0, "training.epochs": 4})
    return folder / "runs" / "first"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["mmstudio", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "140")
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_json_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    row = read_rows(run.parent.parent)[0]
    value = run.parent.parent / row["file_name"]
    assert call(monkeypatch, "similar", run, "--input", f"image={value}", "--count", 2,
                "--json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    data = json.loads(lines[0])
    assert data["input"] == "image" and set(data["similar"]) == {"image", "words", "sound"}
    assert all(len(some) == 2 for some in data["similar"].values())
    first = data["similar"]["image"][0]
    assert first["row"] == 0 and first["value"] == str(value) and first["cosine"] > 0.999
    assert first["targets"] == {"shape": "bar", "size": "big"} and first["split"] == "train"


def test_people_get_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    assert call(monkeypatch, "similar", run, "--input", "words=two roads meet") == 0
    text = capsys.readouterr().out
    assert "Nearest of 'image'" in text and "Nearest of 'words'" in text and "cosine" in text


@pytest.mark.parametrize(("given", "said"), [
    ("picture=a.png", "names no input of this run"), ("words", "words=TEXT or words=FILE"),
    ("words=", "gives nothing"), ("image=none.png", "none.png"),
])
def test_what_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path,
    given: str, said: str,
) -> None:
    assert call(monkeypatch, "similar", run, "--input", given, "--json") == 1
    out, err = capsys.readouterr()
    assert said in err and out == ""


def test_a_run_without_alignment_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = write_small_project(tmp_path / "project")
    train_small(folder, {"training.epochs": 1})
    assert call(monkeypatch, "similar", folder / "runs" / "first", "--input", "words=a") == 1
    err = capsys.readouterr().err
    assert "without alignment" in err and "training.alignment = 1" in err


def test_evaluate_tells_recall(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    assert call(monkeypatch, "evaluate", run, "--split", "train", "--json") == 0
    found = json.loads(capsys.readouterr().out)["retrieval"]
    assert {(one["from"], one["to"]) for one in found} == {
        (a, b) for a in ("image", "words", "sound") for b in ("image", "words", "sound") if a != b}
    assert all({"rows", "candidates", *(f"{kind}@{k}" for kind in ("recall", "chance")
                                        for k in (1, 5, 10))} <= set(one) for one in found)
    assert call(monkeypatch, "evaluate", run, "--split", "train") == 0
    assert "How often the right one is among the nearest" in capsys.readouterr().out


def test_the_epochs_lines_tell_recall(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = write_small_project(tmp_path / "project")
    assert call(monkeypatch, "train", folder / "experiment.toml", "--set", "training.epochs=1",
                "--set", "training.alignment=1") == 0
    out, err = capsys.readouterr()
    assert "recall@10" in out + err
