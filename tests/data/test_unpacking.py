"""Zipped folders, workbooks, sounds of kinds that are not read."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import pytest

from mmstudio.data.new_project import propose, write_project
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.modalities.audio import read_sound
from mmstudio.paths import cache_dir


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return path


def test_a_zipped_folder_is_read_like_the_folder(tmp_path: Path) -> None:
    path = archive(tmp_path / "set.zip", *(f"set/{c}/{i}.png" for c in ("cat", "dog")
                                           for i in range(6)), "__MACOSX/set/cat/._0.png",
                   "set/.DS_Store")
    proposal = propose(path)
    assert [c.modality or c.task for c in proposal.columns] == ["image", "classification"]
    assert len(proposal.table) == 12 and "unpacked to" in " ".join(proposal.said())
    experiment = Experiment.load(write_project(tmp_path / "p", proposal))
    assert experiment.data.table == "../set.zip"
    table = read_table(tmp_path / "p" / experiment.data.table)
    found = table.path_of(0, "file_name")
    assert found is not None and found.read_text() == "x"
    assert len(list((cache_dir() / "unpacked").iterdir())) == 1


def test_an_archive_writes_nowhere_else(tmp_path: Path) -> None:
    path = archive(tmp_path / "bad.zip", "../../outside.png", "/rooted.png", "a/1.png", "b/1.png")
    table = read_table(path)
    assert not (cache_dir().parent / "outside.png").exists()
    assert all(p is not None and cache_dir() in p.parents for p in (
        table.path_of(row, "file_name") for row in range(len(table))))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_archive_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.zip can't be unpacked"):
        read_table(tmp_path / "x.zip")
    left = cache_dir() / "unpacked"
    assert not left.exists() or not list(left.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("fastexcel") is not None,
                    reason="the reader of workbooks is installed")
def test_a_workbook_without_its_reader_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match="a reader is missing") as caught:
        read_table(tmp_path / "t.xlsx")
    assert "Save it as CSV" in caught.value.hint


def test_sounds_of_other_kinds_say_which_program_helps(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    with pytest.raises(UserError, match="does not read") as caught:
        read_sound(tmp_path / "a.m4a")
    assert "ffmpeg -i a.m4a a.wav" in caught.value.hint
