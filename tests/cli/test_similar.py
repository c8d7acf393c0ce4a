"""``mmstudio similar``, and recall in ``mmstudio evaluate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.small_project import read_rows, train_small, write_small_project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_project(tmp_path_factory.mktemp("similar") / "project")
    train_small(folder, {"training.alignment": 1.0, "training.epochs": 4})
    return folder / "runs" / "first"


def test_json_and_nothing_else(run: Run, trained: Path) -> None:
    row = read_rows(trained.parent.parent)[0]
    value = trained.parent.parent / row["file_name"]
    result = run("similar", trained, "--input", f"image={value}", "--count", 2,
                 "--json")
    assert result.code == 0
    lines = result.out.splitlines()
    assert len(lines) == 1
    data = json.loads(lines[0])
    assert data["input"] == "image" and set(data["similar"]) == {"image", "words", "sound"}
    assert all(len(some) == 2 for some in data["similar"].values())
    first = data["similar"]["image"][0]
    assert first["row"] == 0 and first["value"] == str(value) and first["cosine"] > 0.999
    assert first["targets"] == {"shape": "bar", "size": "big"} and first["split"] == "train"


def test_people_get_tables(run: Run, trained: Path) -> None:
    result = run("similar", trained, "--input", "words=two roads meet")
    assert result.code == 0
    text = result.out
    assert "Nearest of 'image'" in text and "Nearest of 'words'" in text and "cosine" in text


@pytest.mark.parametrize(("given", "said"), [
    ("picture=a.png", "names no input of this run"), ("words", "words=TEXT or words=FILE"),
    ("words=", "has no value"), ("image=none.png", "none.png"),
])
def test_what_is_wrong_is_told(run: Run, trained: Path, given: str, said: str) -> None:
    result = run("similar", trained, "--input", given, "--json")
    assert result.code == 1
    out, err = result.out, result.err
    assert said in err and out == ""


def test_a_run_without_alignment_says_how_to_get_it(run: Run, tmp_path: Path) -> None:
    folder = write_small_project(tmp_path / "project")
    train_small(folder, {"training.epochs": 1})
    result = run("similar", folder / "runs" / "first", "--input", "words=a")
    assert result.code == 1
    err = result.err
    assert "without alignment" in err and "training.alignment = 1" in err


def test_evaluate_tells_recall(run: Run, trained: Path) -> None:
    result = run("evaluate", trained, "--split", "train", "--json")
    assert result.code == 0
    found = json.loads(result.out)["retrieval"]
    assert {(one["from"], one["to"]) for one in found} == {
        (a, b) for a in ("image", "words", "sound") for b in ("image", "words", "sound") if a != b}
    assert all({"rows", "candidates", *(f"{kind}@{k}" for kind in ("recall", "chance")
                                        for k in (1, 5, 10))} <= set(one) for one in found)
    result = run("evaluate", trained, "--split", "train")
    assert result.code == 0
    assert "How often the right one is among the nearest" in result.out


def test_the_epochs_lines_tell_recall(run: Run, tmp_path: Path) -> None:
    folder = write_small_project(tmp_path / "project")
    result = run("train", folder / "experiment.toml", "--set", "training.epochs=1",
                 "--set", "training.alignment=1")
    assert result.code == 0
    out, err = result.out, result.err
    assert "recall@10" in out + err
