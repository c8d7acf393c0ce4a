"""The sample project: written whole or not at all, and as it is described."""

from __future__ import annotations

import csv
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmstudio.data import demo
from mmstudio.data.demo import write_demo
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.paths import resources_dir

LARGEST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "project").parent


@pytest.fixture(scope="module")
def rows(project: Path) -> list[dict[str, str]]:
    with open(project / "metadata.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_writes_every_file_and_leaves_nothing_beside(tmp_path: Path) -> None:
    experiment = write_demo(tmp_path / "new" / "project")
    assert experiment == tmp_path / "new" / "project" / "experiment.toml"
    source = resources_dir() / "sample"
    files = {p.relative_to(source) for p in source.rglob("*") if p.is_file()}
    written = {p.relative_to(experiment.parent) for p in experiment.parent.rglob("*")
               if p.is_file()}
    assert written == files
    assert Path("ATTRIBUTION.md") in written
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["project"]


def test_fills_an_empty_folder_in_which_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert write_demo(Path(".")) == folder / "experiment.toml"
    assert Path("metadata.csv").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]


def test_refuses_a_folder_with_content(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UserError, match="not empty") as caught:
        write_demo(tmp_path)
    assert "new folder" in caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep me")
    with pytest.raises(UserError, match="is a file"):
        write_demo(tmp_path / "mine")
    with pytest.raises(UserError, match="can't be written") as caught:
        write_demo(tmp_path / "mine" / "inside")
    assert caught.value.hint


def test_a_copy_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo.shutil, "copyfile", fail)
    with pytest.raises(UserError, match="No space left"):
        write_demo(tmp_path / "project")
    assert list(tmp_path.iterdir()) == []


def test_says_so_when_the_installation_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "resources_dir", lambda: tmp_path)
    with pytest.raises(UserError, match="missing"):
        write_demo(tmp_path / "project")


def test_is_quick_and_small(tmp_path: Path) -> None:
    started = time.perf_counter()
    folder = write_demo(tmp_path / "project").parent
    assert time.perf_counter() - started < 3
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < LARGEST_BYTES


def test_experiment_names_what_the_table_has(project: Path, rows: list[dict[str, str]]) -> None:
    experiment = Experiment.load(project / "experiment.toml")
    assert list(experiment.inputs) == ["image", "words", "sound"]
    assert list(experiment.targets) == ["digit", "language"]
    assert experiment.fusion.name == "concat"
    columns = [i.column for i in experiment.inputs.values()]
    columns += [t.column for t in experiment.targets.values()]
    assert {*columns, experiment.data.split} == set(rows[0])


def test_rows_are_balanced(rows: list[dict[str, str]]) -> None:
    splits = Counter(row["split"] for row in rows)
    assert splits == {"train": 840, "validation": 120, "test": 240}
    for split, count in splits.items():
        digits = Counter(row["digit"] for row in rows if row["split"] == split)
        assert len(digits) == 10
        assert max(digits.values()) <= 1.35 * count / 10
    languages = Counter(row["language"] for row in rows)
    assert len(languages) == 6
    assert languages[""] < 150
    assert min(languages.values()) > 50


def test_some_of_each_input_are_missing_but_never_all(rows: list[dict[str, str]]) -> None:
    for column in ("file_name", "audio", "text"):
        share = np.mean([row[column] == "" for row in rows])
        assert 0.02 < share < 0.1, column
    assert all(row["file_name"] or row["audio"] or row["text"] for row in rows)
    assert all(row["language"] == "" for row in rows if not row["audio"])


def test_every_file_is_used_once_and_readable(project: Path, rows: list[dict[str, str]]) -> None:
    for column, folder in (("file_name", "images"), ("audio", "sounds")):
        named = [row[column] for row in rows if row[column]]
        there = {p.relative_to(project).as_posix() for p in (project / folder).iterdir()}
        assert len(named) == len(set(named))
        assert set(named) == there
    for row in rows[::10]:
        if row["file_name"]:
            with Image.open(project / row["file_name"]) as picture:
                assert (picture.mode, picture.size) == ("L", (32, 32))
        if row["audio"]:
            samples, rate_hz = soundfile.read(project / row["audio"])
            assert rate_hz in (8000, 16000)
            assert 0.2 < len(samples) / rate_hz < 1.4
            assert 0.1 < np.abs(samples).max() <= 1


def test_no_picture_or_sound_is_in_two_rows(project: Path) -> None:
    for folder in ("images", "sounds"):
        contents = [path.read_bytes() for path in (project / folder).iterdir()]
        assert len(contents) == len(set(contents))
