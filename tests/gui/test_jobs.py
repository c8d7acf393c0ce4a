"""Work off the GUI thread: what a job reports, and when it keeps silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QThread
from pytestqt.qtbot import QtBot

from mmstudio.errors import UserError
from mmstudio.gui.state import jobs
from mmstudio.gui.state.jobs import Job, LatestFirst
from tests.gui.conftest import PATIENCE_MS

QUIET_MS = 250
"""Several times the interval at which a job hands its events over."""


@pytest.fixture
def make_job() -> Iterator[Callable[..., Job]]:
    jobs: list[Job] = []

    def make(work: Callable[[], Any], **options: Any) -> Job:
        jobs.append(Job(work, **options))
        return jobs[-1]

    yield make
    for job in jobs:
        job.cancel()
        assert job.wait(PATIENCE_MS)


def counted(until: int) -> Iterator[int]:
    yield from range(until)
    return "done"


def test_the_result_comes_on_the_gui_thread(qtbot: QtBot, make_job: Callable[..., Job]) -> None:
    seen: list[tuple[object, bool, bool]] = []
    gui = QThread.currentThread()
    job = make_job(lambda: QThread.currentThread() is not gui)
    job.result.connect(lambda value: seen.append((value, QThread.currentThread() is gui, True)))
    with qtbot.waitSignal(job.result, timeout=PATIENCE_MS):
        job.begin()
    assert seen == [(True, True, True)]


def test_a_generator_s_steps_all_arrive_in_order_before_its_result(
    qtbot: QtBot, make_job: Callable[..., Job]
) -> None:
    seen: list[Any] = []
    job = make_job(lambda: counted(5000))
    job.events.connect(seen.extend)
    job.result.connect(seen.append)
    with qtbot.waitSignal(job.result, timeout=PATIENCE_MS):
        job.begin()
    assert seen == [*range(5000), "done"]


def test_steps_are_handed_over_in_few_lists(qtbot: QtBot, make_job: Callable[..., Job]) -> None:
    lists: list[list[int]] = []
    job = make_job(lambda: counted(20_000))
    job.events.connect(lists.append)
    with qtbot.waitSignal(job.result, timeout=PATIENCE_MS):
        job.begin()
    assert len(lists) < 200


def test_the_first_step_does_not_wait_for_the_timer(
    qtbot: QtBot, make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "EVENT_INTERVAL_MS", 10 * PATIENCE_MS)
    go_on = threading.Event()

    def steps() -> Iterator[int]:
        yield 1
        yield 2
        go_on.wait(PATIENCE_MS / 1000)

    job = make_job(steps)
    seen: list[int] = []
    job.events.connect(seen.extend)
    try:
        with qtbot.waitSignal(job.events, timeout=PATIENCE_MS // 4):
            job.begin()
        assert seen[:1] == [1]
    finally:
        go_on.set()


def test_an_error_that_a_person_can_mend_brings_its_remedy(
    qtbot: QtBot, make_job: Callable[..., Job]
) -> None:
    def work() -> None:
        raise UserError("The file is gone.", "Put it back.")

    job = make_job(work)
    with qtbot.waitSignal(job.failed, timeout=PATIENCE_MS) as failed:
        job.begin()
    assert failed.args == ["The file is gone.", "Put it back."]


def test_any_other_error_is_told_in_a_line_and_logged(
    qtbot: QtBot, make_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> Iterator[int]:
        yield 1
        raise RuntimeError("the first line\nand a second")

    job = make_job(work)
    with qtbot.waitSignal(job.failed, timeout=PATIENCE_MS) as failed:
        job.begin()
    message, hint = failed.args
    assert "the first line" in message and "second" not in message
    assert "mmstudio.log" in hint
    assert "the first line" in caplog.text


def test_a_paused_job_makes_no_step_until_it_goes_on(
    qtbot: QtBot, make_job: Callable[..., Job]
) -> None:
    made: list[int] = []
    rest = threading.Event()

    def work() -> Iterator[int]:
        while not rest.wait(0.005):
            made.append(len(made))
            yield made[-1]

    job = make_job(work)
    with qtbot.waitSignal(job.events, timeout=PATIENCE_MS):
        job.begin()
    job.pause(True)
    at_pause = len(made)
    with qtbot.waitSignal(job.finished, timeout=QUIET_MS, raising=False) as finished:
        pass
    assert not finished.signal_triggered
    assert len(made) <= at_pause + 1  # the step that it was in
    with qtbot.waitSignal(job.events, timeout=PATIENCE_MS):
        job.pause(False)


def test_stop_ends_a_paused_job_with_its_result(
    qtbot: QtBot, make_job: Callable[..., Job]
) -> None:
    def work() -> Iterator[int]:
        number = 0
        while not job.should_stop():
            yield number
            number += 1
        return "stopped"

    job = make_job(work)
    with qtbot.waitSignal(job.events, timeout=PATIENCE_MS):
        job.begin()
    job.pause(True)
    with qtbot.waitSignal(job.result, timeout=PATIENCE_MS) as result:
        job.stop()
    assert result.args == ["stopped"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancelled_job_says_nothing_more(
    qtbot: QtBot, make_job: Callable[..., Job], fails: bool
) -> None:
    began, go = threading.Event(), threading.Event()

    def work() -> str:
        began.set()
        go.wait()
        if fails:
            raise UserError("too late", "")
        return "too late"

    job = make_job(work)
    said: list[object] = []
    for signal in (job.result, job.failed, job.events):
        signal.connect(lambda *what: said.append(what))
    job.begin()
    assert began.wait(PATIENCE_MS / 1000)
    job.cancel()
    with qtbot.waitSignal(job.finished, timeout=PATIENCE_MS):
        go.set()
    QCoreApplication.processEvents()
    assert not said


def test_a_job_that_ended_before_it_was_cancelled_says_nothing_either(
    qtbot: QtBot, make_job: Callable[..., Job]
) -> None:
    job = make_job(lambda: "an answer")
    said: list[object] = []
    job.result.connect(said.append)
    job.begin()
    job.wait()  # its answer is on the way, in the GUI thread's queue
    job.cancel()
    QCoreApplication.processEvents()
    assert not said


@pytest.mark.parametrize("orderly", [False, True])
def test_a_cancelled_generator_is_closed_or_walked_to_its_end(
    qtbot: QtBot, make_job: Callable[..., Job], orderly: bool
) -> None:
    ends: list[str] = []

    def work(should_stop: Callable[[], bool]) -> Iterator[int]:
        try:
            while not should_stop():
                yield 1
            ends.append("saved")
        finally:
            ends.append("closed")

    job = make_job(work, orderly=orderly, stoppable=True)
    with qtbot.waitSignal(job.events, timeout=PATIENCE_MS):
        job.begin()
    job.pause(True)
    job.cancel()
    assert job.wait(PATIENCE_MS)
    assert ends[-1] == "closed"
    if orderly:
        assert ends == ["saved", "closed"]


@pytest.fixture
def small_things() -> Iterator[LatestFirst]:
    thread = LatestFirst(limit=3)
    yield thread
    thread.end()


def held_back(thread: LatestFirst) -> threading.Event:
    """Keep the thread busy until the event is set, so that wishes pile up."""
    began, go = threading.Event(), threading.Event()

    def hold() -> str:
        began.set()
        go.wait()
        return "held"

    thread.ask("hold", hold)
    assert began.wait(PATIENCE_MS / 1000)
    return go


def test_the_newest_wish_is_made_first_and_the_oldest_dropped(
    qtbot: QtBot, small_things: LatestFirst
) -> None:
    go = held_back(small_things)
    made: list[object] = []
    dropped: list[object] = []
    small_things.done.connect(lambda key, _: made.append(key))
    small_things.dropped.connect(dropped.append)
    for key in "abcd":
        small_things.ask(key, lambda: 1)
    small_things.ask("b", lambda: 1)
    go.set()
    qtbot.waitUntil(lambda: len(made) == 4, timeout=PATIENCE_MS)
    assert made == ["hold", "b", "d", "c"]
    assert dropped == ["a"]


def test_what_cannot_be_made_comes_as_nothing(qtbot: QtBot, small_things: LatestFirst) -> None:
    def fail() -> None:
        raise ValueError("a broken picture")

    with qtbot.waitSignal(small_things.done, timeout=PATIENCE_MS) as done:
        small_things.ask("broken", fail)
    assert done.args == ["broken", None]


def test_it_ends_with_wishes_left(qtbot: QtBot, small_things: LatestFirst) -> None:
    go = held_back(small_things)
    small_things.ask("never", lambda: 1)
    small_things.clear()
    go.set()
    small_things.end()
    assert small_things.isFinished()
    small_things.ask("after", lambda: 1)
    assert small_things.isFinished()
