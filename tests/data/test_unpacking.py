"""Zipped folders, workbooks, sounds of kinds that are not read."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import polars as pl
import pytest

from mmstudio.data import unpacking
from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.modalities.sound_files import read_sound
from mmstudio.paths import cache_dir
from mmstudio.project.proposal import propose, write_project


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
    path = archive(tmp_path / "bad.zip", "../../outside.png", "/rooted.png", "C:/drive.png",
                   "a/..\\..\\up.png", "a/1.png", "b/1.png")
    with zipfile.ZipFile(path, "a") as file:
        link = zipfile.ZipInfo("a/2.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/hosts")
    table = read_table(path)
    assert [table.path_of(row, "file_name") for row in range(len(table))] == [
        table.folder / "a" / "1.png", table.folder / "b" / "1.png"]
    assert cache_dir() in table.folder.parents
    assert "5 of its entries were left out" in table.notes[-1]
    kept = [p for p in cache_dir().parent.rglob("*") if p.is_file() and p.suffix == ".png"]
    assert {p.name for p in kept} == {"1.png"}


def test_an_archive_that_would_become_huge_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/1.txt", b"0" * 1_000_000)
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 1_000_000)
    assert len(read_table(tmp_path / "x.zip")) == 1
    shutil.copy(tmp_path / "x.zip", tmp_path / "y.zip")
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 999_999)
    with pytest.raises(UserError, match=r"would become 0\.0 GB, \d+ times its size"):
        read_table(tmp_path / "y.zip")
    shutil.copy(tmp_path / "x.zip", tmp_path / "y.xlsx")  # a workbook is an archive too
    with pytest.raises(UserError, match="times its size"):
        read_table(tmp_path / "y.xlsx")
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 0)
    with pytest.raises(UserError, match="holds 1 files; 0 are the limit"):
        read_table(tmp_path / "y.zip")


def test_files_in_a_table_lie_in_the_cache_however_their_column_is_called(tmp_path: Path) -> None:
    column = "../../../outside"
    cell = {"bytes": b"\x89PNG\r\n\x1a\n", "path": "a.png/../" + "x" * 300}
    pl.DataFrame({column: [cell], "label": ["cat"]}).write_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    found = table.path_of(0, column)
    assert found is not None and found.is_file() and cache_dir() in found.resolve().parents


def test_the_disk_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.DataFrame({"image": [b"\x89PNG\r\n\x1a\n"]}).write_parquet(tmp_path / "t.parquet")
    path = archive(tmp_path / "x.zip", "a/1.png")
    monkeypatch.setattr(unpacking, "SPARE_BYTES", 1 << 60)
    for full in (tmp_path / "t.parquet", path):
        with pytest.raises(UserError, match="has room for"):
            read_table(full)
    assert not list((cache_dir() / "unpacked").iterdir())


def test_records_without_a_common_key_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{str(i): i} for i in range(20)]))
    assert read_table(tmp_path / "t.json").frame.shape == (20, 20)
    monkeypatch.setattr("mmstudio.data.table.MOST_VALUES", 399)
    with pytest.raises(UserError, match="20 records of 20 different keys"):
        read_table(tmp_path / "t.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="nested too deeply"):
        read_table(tmp_path / "deep.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_pipes_beside_media_hold_nobody_up(tmp_path: Path) -> None:
    for name in ("testing_list.txt", "split.json", "records.json", "0.json"):
        os.mkfifo(tmp_path / name)
    for name in ("0", "1"):
        (tmp_path / f"{name}.png").write_bytes(b"x")
    table = read_table(tmp_path)
    assert table.column("file_name").to_list() == ["0.png", "1.png"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_archive_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.zip can't be unpacked"):
        read_table(tmp_path / "x.zip")
    left = cache_dir() / "unpacked"
    assert not left.exists() or not list(left.iterdir())


def test_a_workbook_without_its_reader_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match="a reader is missing") as caught:
        read_table(tmp_path / "t.xlsx")
    assert "Save it as CSV" in caught.value.hint


def test_sounds_of_other_kinds_say_which_program_helps(tmp_path: Path) -> None:
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    with pytest.raises(UserError, match="does not read") as caught:
        read_sound(tmp_path / "a.m4a")
    assert "ffmpeg -i a.m4a a.wav" in caught.value.hint
