"""Files are written whole or not at all, and no link leads a writer elsewhere."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.safe_files import (
    LEFT_S,
    append_text,
    cut_text,
    link_whole,
    refuse_links,
    remove_begun,
    synced_size,
    write_whole,
    written_whole,
)

needs_links = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


def test_a_file_is_replaced_whole_with_usual_rights(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    usual = path.stat().st_mode
    write_whole(path, "after\r\né")
    assert path.read_bytes() == "after\r\né".encode()
    with written_whole(path) as beside:
        beside.write_bytes(b"\0")
        beside.chmod(0o600)  # as a library does that writes the file itself
    assert path.read_bytes() == b"\0"
    assert path.stat().st_mode == usual
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_fault_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), written_whole(path) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@needs_links
def test_no_link_is_written_through(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("a", "a.new", "log"):
        (folder / name).symlink_to(mine)
    write_whole(folder / "a", "theirs")
    with pytest.raises(OSError):
        append_text(folder / "log", "theirs")
    remove_begun(folder)
    assert mine.read_text() == "mine"
    assert not (folder / "a").is_symlink() and (folder / "a").read_text() == "theirs"
    assert not os.path.lexists(folder / "a.new")
    with pytest.raises(UserError, match=r"log is a link"):
        refuse_links(folder, ("a", "log"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_in_place_of_the_log_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OSError):
        append_text(tmp_path / "log", "text")


def test_the_file_and_then_its_folder_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted_sync(handle: int) -> None:
        told.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        sync(handle)

    def noted_replace(old: Path, new: Path) -> None:
        told.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_whole(tmp_path / "a", "text")
    if os.path.isdir("/proc/self/fd"):
        assert told == ["file", "rename", "folder"]


def test_what_was_left_long_ago_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    old, now, other = (tmp_path / f"{n}.new" for n in ("a.01234567", "a.89abcdef", "b.01234567"))
    for path in (old, now, other):
        path.write_text("half")
    long_ago = time.time() - LEFT_S - 60
    os.utime(old, (long_ago, long_ago))
    os.utime(other, (long_ago, long_ago))
    write_whole(tmp_path / "a", "whole")
    assert {p.name for p in tmp_path.iterdir()} == {"a", now.name, other.name}


@pytest.mark.parametrize("linked", [True, False])
def test_a_second_name_replaces_the_first_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    if not linked:  # as on a disk without such links
        monkeypatch.setattr(os, "link", lambda *_: os.stat(tmp_path / "nothing"))
    one, two, name = tmp_path / "one", tmp_path / "two", tmp_path / "name"
    one.write_text("1")
    two.write_text("2")
    for source in (one, two, two):
        link_whole(source, name)
        assert name.read_text() == source.read_text()
    assert name.samefile(two) is linked
    write_whole(two, "3")
    assert name.read_text() == "2"
    assert {p.name for p in tmp_path.iterdir()} == {"one", "two", "name"}


def test_a_text_is_cut_where_a_line_ends_and_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\nthr")
    assert synced_size(path) == 11
    for length in (12, 6, 3):
        assert not cut_text(path, length)
    assert path.read_text() == "one\ntwo\nthr"
    assert cut_text(path, 8)
    assert path.read_text() == "one\ntwo\n"
    assert cut_text(path, 0) and path.read_text() == ""
    assert synced_size(tmp_path / "none") == 0


@needs_links
def test_nothing_is_cut_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine\n")
    (tmp_path / "log").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError):
        cut_text(tmp_path / "log", 0)
    assert (tmp_path / "mine").read_text() == "mine\n"
