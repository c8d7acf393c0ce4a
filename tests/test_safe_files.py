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
    refuse_links,
    remove_begun,
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
