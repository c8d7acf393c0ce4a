"""``mmstudio explain``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.small_project import read_rows, train_small, write_small_project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_project(tmp_path_factory.mktemp("explain") / "project")
    train_small(folder, {"training.epochs": 6})
    return folder / "runs" / "first"


def given(trained: Path) -> list[str]:
    folder = trained.parent.parent
    row = read_rows(folder)[33]
    return ["--input", f"image={folder / row['file_name']}", "--input", f"words={row['text']}",
            "--input", f"sound={folder / row['audio']}"]


def test_json_and_nothing_else(run: Run, trained: Path) -> None:
    result = run("explain", trained, *given(trained), "--json")
    assert result.code == 0
    (data,) = result.lines
    assert set(data["tasks"]) == {"shape", "size"}
    assert data["present"] == ["image", "words", "sound"]
    inputs = data["tasks"]["shape"]["inputs"]
    assert np.array(inputs["image"]["grid"]).shape == (14, 14)
    words = inputs["words"]
    assert all(words["text"][w["begin"] : w["end"]] == w["word"] for w in words["words"])
    sound = inputs["sound"]
    steps, ranges = np.array(sound["time_frequency"]).shape
    assert ranges == 16 == len(sound["edges_hz"]) - 1 and steps > 3
    assert "turned_by" in data["tasks"]["shape"]


def test_one_target_and_another_label(run: Run, trained: Path) -> None:
    result = run("explain", trained, *given(trained), "--task", "shape", "--label", "dot",
                 "--json")
    (data,) = result.lines
    assert list(data["tasks"]) == ["shape"] and data["tasks"]["shape"]["label"] == "dot"


def test_people_get_words_and_pictures(run: Run, trained: Path, tmp_path: Path) -> None:
    result = run("explain", trained, *given(trained), "--output", tmp_path / "why")
    assert result.code == 0
    assert "shape: " in result.out and "image (integrated gradients)" in result.out
    assert "row " in result.out and " Hz" in result.out
    assert "Nothing was found" in result.out or "→" in result.out
    names = sorted(path.name for path in (tmp_path / "why").iterdir())
    assert names == ["shape-image.png", "shape-sound.png", "size-image.png", "size-sound.png"]
    with Image.open(tmp_path / "why" / "shape-image.png", formats=["PNG"]) as picture:
        colours = np.asarray(picture.convert("RGB")).astype(int)
    assert (np.abs(colours[..., 0] - colours[..., 2]) > 40).any()  # not all grey


@pytest.mark.parametrize(("more", "said"), [
    (("--input", "words=x", "--label", "dot"), "--task"),
    (("--input", "words=x", "--task", "colour"), "no target 'colour'"),
    (("--input", "words=x", "--task", "shape", "--label", "ring"), "not a label"),
    (("--input", "words="), "No input is present"),
])
def test_what_is_wrong_is_told(
    run: Run, trained: Path, more: tuple[str, ...], said: str
) -> None:
    result = run("explain", trained, *more, "--json")
    assert result.code == 1 and said in result.err and result.out == ""
