"""The end of something long is told on the desktop, and the system stays awake until then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from mmstudio.awake import StayingAwake
from mmstudio.gui.desktop_notes import DesktopNotes, command_for, run
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.settings import STAY_AWAKE, Settings
from mmstudio.gui.state.heavy_work import AT_REST, TRAINING, WorkState
from mmstudio.gui.state.keep_awake import KeepAwake
from mmstudio.gui.state.notifier import Notifier
from mmstudio.gui.state.queue_store import Listing
from mmstudio.gui.state.session import Session
from mmstudio.jobs_queue.job import Job
from mmstudio.jobs_queue.runner import QueueEvent
from tests.gui.conftest import PATIENCE_MS

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's own way")


class Desk:
    """A person who looks or not, a clock, and what was shown."""

    def __init__(self, session: Session) -> None:
        self.away, self.now_s = True, 0.0
        self.shown: list[tuple[str, str]] = []
        self.notifier = Notifier(
            session.training, session.comparing, session.queue, session.searching, True,
            lambda *words: self.shown.append(words), lambda: self.away, lambda: self.now_s)


@pytest.fixture
def desk(session: Session) -> Desk:
    return Desk(session)


def train(session: Session, desk: Desk, reason: str, seconds: float = 60) -> None:
    session.training.started.emit(Path("runs/a"))
    desk.now_s += seconds
    if reason == "failed":
        session.training.failed.emit("The disk is full.", "Free some space.")
    session.training.ended.emit(reason)


def test_the_end_of_a_long_training_is_told(session: Session, desk: Desk) -> None:
    session.training.run = Path("runs/a")
    train(session, desk, "completed")
    train(session, desk, "failed")
    assert desk.shown == [("Training finished", "a"), ("Training failed", "a: The disk is full.")]


def test_not_of_what_was_short_or_stopped_or_seen_or_is_switched_off(
    session: Session, desk: Desk
) -> None:
    train(session, desk, "completed", seconds=3)
    train(session, desk, "stopped")
    desk.away = False
    train(session, desk, "completed")
    desk.away = True
    desk.notifier.switch(False)
    train(session, desk, "completed")
    assert desk.shown == []


def test_jobs_of_the_queue_tell_their_end(session: Session, desk: Desk) -> None:
    for state, message in (("done", ""), ("failed", "It is wrong."), ("stopped", "")):
        session.queue.job_changed.emit(
            QueueEvent("job_started", Job(1, "train", "a", "running", 1.0)))
        desk.now_s += 60
        session.queue.job_changed.emit(
            QueueEvent("job_ended", Job(1, "train", "a", state, 1.0, message=message)))
    assert desk.shown == [("A job of the queue is done", "a"),
                          ("A job of the queue failed", "a: It is wrong.")]


def test_what_waits_for_its_owner_is_told_with_the_first_listing_after_the_end(
    session: Session, desk: Desk
) -> None:
    queue, held = session.queue, Job(2, "train", "b", "held", 2.0)
    for state in (WorkState(running=True), AT_REST):
        queue.state = state
        queue.changed.emit(state)
        desk.now_s += 60
    assert desk.shown == []  # the listing at hand is older than the end
    for _ in range(2):
        queue.listed.emit(Listing((Job(1, "train", "a", "done", 1.0), held)))
    assert desk.shown == [("The queue waits for you", "On hold: b")]


def test_the_end_of_a_search_is_told_unless_it_was_stopped(session: Session, desk: Desk) -> None:
    searching = session.searching
    searching.shown = "search-1"
    running, stopping = WorkState(running=True), WorkState(running=True, stopping=True)
    for states in ((running, AT_REST), (running, stopping, AT_REST)):
        for state in states:
            searching.state = state
            searching.changed.emit(state)
            desk.now_s += 60
    assert desk.shown == [("Search finished", "search-1")]


@LINUX
def test_a_note_goes_to_the_desktop_as_plain_words(
    qtbot: QtBot, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, said = tmp_path / "notify-send", tmp_path / "said"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{said}.new"\n/bin/mv "{said}.new" '
                       f'"{said}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    DesktopNotes(session.jobs).show("Training finished", "-a <b>&c")
    qtbot.waitUntil(said.is_file, timeout=PATIENCE_MS)
    assert said.read_text().splitlines()[-3:] == [
        "--", "Training finished", "-a &lt;b&gt;&amp;c"]
    program.rename(tmp_path / "busctl")
    assert command_for("x", "y")[:2] == ["busctl", "--user"]
    monkeypatch.setenv("PATH", "")
    assert command_for("x", "y") == []


@pytest.mark.skipif(os.name == "nt", reason="programs are others there")
def test_a_desktop_that_takes_none_is_left_alone() -> None:
    assert not run(["/nowhere/notify-send"])
    assert not run([sys.executable, "-S", "-c", "import sys; sys.exit('no bus')"])
    assert run([sys.executable, "-S", "-c", ""])


def test_the_system_stays_awake_while_heavy_work_runs(qtbot: QtBot, session: Session) -> None:
    code = "import sys; sys.stdin.read()"
    awake = StayingAwake(lambda: [[sys.executable, "-S", "-c", code]], settle_s=0.1)
    keep = KeepAwake(session.jobs, session.heavy, True, awake)

    def becomes(held: bool) -> None:
        qtbot.waitUntil(lambda: awake.held == held and session.jobs.all_over, timeout=PATIENCE_MS)

    session.heavy.begin(TRAINING, lambda: None)
    becomes(True)
    keep.switch(False)
    becomes(False)
    keep.switch(True)
    becomes(True)
    session.heavy.end()
    becomes(False)
    assert awake._process is None


def test_the_switches_are_on_until_somebody_switches_them_off(
    qtbot: QtBot, start_app: Callable[..., MainWindow]
) -> None:
    window = start_app()
    switches = [action for action in window.findChildren(QAction)
                if "awake" in action.text() or "long job" in action.text()]
    assert [action.isChecked() for action in switches] == [True, True]
    with qtbot.waitSignal(window.menus.switched, timeout=PATIENCE_MS) as switched:
        switches[1].trigger()
    assert switched.args == [STAY_AWAKE, False]
    assert not Settings().is_on(STAY_AWAKE) and Settings().is_on("notify")
