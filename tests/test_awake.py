"""The system is asked to stay awake by a process that ends with this one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmstudio.awake import StayingAwake, commands

HOLDS = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
FAILS = [sys.executable, "-S", "-c", "import sys; sys.exit(3)"]
STUBBORN = [sys.executable, "-S", "-c",
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"]


def test_it_is_asked_for_and_let_go() -> None:
    awake = StayingAwake(lambda: [HOLDS], settle_s=0.1)
    assert not awake.held
    awake.follow(lambda: True)
    assert awake.held
    process = awake._process
    awake.follow(lambda: True)
    assert awake._process is process
    awake.release()
    assert not awake.held
    assert process is not None and process.poll() == 0
    awake.release()


def test_what_fails_is_logged_and_the_next_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mmstudio")
    awake = StayingAwake(lambda: [["/nowhere/at-all"], FAILS, HOLDS], settle_s=10.0)
    awake._settle_s = 2.0
    awake.follow(lambda: True)
    assert awake.held
    awake.release()
    assert len(caplog.messages) == 2
    assert "/nowhere/at-all can't keep" in caplog.messages[0]
    assert "ended with 3" in caplog.messages[1]


def test_where_nothing_helps_it_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mmstudio")
    awake = StayingAwake(list)
    awake.follow(lambda: True)
    assert not awake.held
    assert caplog.messages == ["the system may go to sleep while it trains"]
    awake.release()


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_one_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmstudio.awake.LEAVE_S", 0.1)
    awake = StayingAwake(lambda: [STUBBORN], settle_s=0.1)
    awake.follow(lambda: True)
    awake.release()
    assert not awake.held


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux's own")
def test_linux_is_asked_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("systemd-inhibit", "gnome-session-inhibit"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME")
    first, second = commands()
    assert first[:2] == ["systemd-inhibit", "--what=sleep:idle"] and first[-1] == "cat"
    assert second[:3] == ["gnome-session-inhibit", "--inhibit", "suspend"]
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "KDE")
    assert len(commands()) == 1
    monkeypatch.setenv("PATH", "")
    assert commands() == []


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_it_ends_with_a_process_that_is_killed() -> None:
    root = str(Path(__file__).resolve().parent.parent)
    code = ("import sys; from mmstudio.awake import StayingAwake; "
            f"awake = StayingAwake(lambda: [{HOLDS!r}], 0.1); awake.follow(lambda: True); "
            "print(awake._process.pid, flush=True); sys.stdin.read()")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    helper = int(process.stdout.readline())
    process.kill()
    process.communicate()
    if sys.platform.startswith("linux"):
        state = Path(f"/proc/{helper}/stat")
        # it may wait for an init that collects it, or is gone
        while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
            os.sched_yield()
