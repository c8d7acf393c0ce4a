"""What is found in folders: files and links, whatever else lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmstudio.data.walking import files_in, folders_in, media_below


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(b"a")
    (tmp_path / "b.wav").write_bytes(b"b")
    (tmp_path / "c.txt").write_text("c", encoding="utf-8")
    (tmp_path / ".hidden.png").write_bytes(b"h")
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders, and links need rights")
def test_a_link_in_a_circle_or_to_nowhere_spoils_no_folder(folder: Path) -> None:
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    assert media_below(folder) == ["b.wav", "c.txt", "circle.png", "gone.png", "sub/a.png"]
    assert folders_in(folder) == ["sub"]
    assert files_in(folder) == ["b.wav", "c.txt", "circle.png", "gone.png", "pipe.png"]


def test_a_link_to_a_folder_is_not_followed(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    assert media_below(folder) == ["b.wav", "c.txt", "sub/a.png"]


def test_what_is_ours_beside_an_experiment_is_no_data(folder: Path) -> None:
    for name in ("queue", "comparisons", "searches", "runs"):
        (folder / name).mkdir()
        (folder / name / "a.png").write_bytes(b"a")
    assert folders_in(folder) == ["comparisons", "queue", "searches", "sub"]  # classes, maybe
    (folder / "experiment.toml").write_text("", encoding="utf-8")
    assert folders_in(folder) == ["sub"]
    assert media_below(folder) == ["b.wav", "c.txt", "sub/a.png"]
