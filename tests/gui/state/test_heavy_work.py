"""What heavy work runs, what must wait for it, and what steps aside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from mmstudio.gui.state.heavy_work import AT_REST, COMPARISON, TRAINING, HeavyWork
from mmstudio.gui.state.job_slot import JobSlot, LatestSlot
from mmstudio.gui.state.session import Session
from tests.gui.conftest import PATIENCE_MS
from tests.small_project import write_small_project

Open = Callable[[Path], Session]


@pytest.fixture
def heavy(session: Session) -> Iterator[HeavyWork]:
    yield session.heavy
    if session.heavy.running is not None:
        session.heavy.end()


@pytest.mark.parametrize("work", [TRAINING, COMPARISON])
def test_beside_heavy_work_the_rest_is_refused_and_told_why(
    opened: Open, heavy: HeavyWork, small_project: Path, work: Any
) -> None:
    session = opened(small_project)
    told: list[tuple[str, str]] = []
    session.jobs.problem.connect(lambda *said: told.append(said))
    assert not heavy.refused() and told == []
    heavy.begin(work, lambda: None)
    session.training.start()
    session.comparing.resume()
    session.opener.open(small_project)
    assert not session.opener.close()
    assert not session.training.running and session.training.state == AT_REST
    assert session.opener.busy == "" and session.project.folder == small_project
    assert {message for message, _ in told} == {work.now}
    assert all(f"on the {work.page} page" in hint for _, hint in told)
    assert len(told) == 3  # there is no comparison on show that could go on
    heavy.end()
    assert not heavy.refused() and len(told) == 3


def test_what_runs_in_the_background_steps_aside_and_is_waited_for(
    qtbot: QtBot, opened: Open, heavy: HeavyWork, small_project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = opened(small_project)
    go = threading.Event()
    ended: list[str] = []

    def fit(*_: Any, should_stop: Callable[[], bool]) -> Iterator[Any]:
        assert go.wait(60)
        ended.append("stopped" if should_stop() else "whole")
        yield from ()

    monkeypatch.setattr("mmstudio.training.fit.fit", fit)
    session.fit.ask()
    session.check.start()
    assert session.fit.is_asking and session.check.running
    heavy.begin(TRAINING, lambda: None)
    assert not session.fit.is_asking and not session.check.running
    assert not session.fit.can_ask and not session.advice.can_ask
    free: list[list[str]] = []
    session.jobs.start(heavy.wait_until_free, lambda _: free.append(list(ended)))
    go.set()
    qtbot.waitUntil(lambda: free == [["stopped"]], timeout=PATIENCE_MS)


def test_heavy_work_is_stopped_through_the_guard_and_its_run_is_not_deleted(
    qtbot: QtBot, opened: Open, heavy: HeavyWork, small_project: Path
) -> None:
    session = opened(small_project)
    stopped: list[bool] = []
    heavy.begin(COMPARISON, lambda: stopped.append(True))
    run = small_project / "runs" / "a"
    heavy.writes(run)
    gone: list[Path] = []
    session.runs.deleting.connect(gone.append)
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as refused:
        session.run_files.delete([run])
    assert "is being trained" in refused.args[0]
    assert gone == []
    heavy.stop()
    assert stopped == [True]
    heavy.end()
    heavy.stop()
    assert stopped == [True] and heavy.run is None


def test_nothing_that_was_asked_in_a_project_outlives_it(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    """Every slot of every store is left when another project opens, but those of the app."""
    session = opened(small_project)
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
    of_the_app = {"ProjectOpener._opening", "DownloadManager._looking"}
    slots = {
        f"{type(store).__name__}.{name}": slot
        for store in vars(session).values() if isinstance(store, QObject)
        for name, slot in vars(store).items() if isinstance(slot, JobSlot | LatestSlot)
    }
    assert len(slots) > 15 and set(slots) >= of_the_app
    go = threading.Event()
    late: list[str] = []
    for name, slot in slots.items():
        if name not in of_the_app:
            ask = slot.run if isinstance(slot, JobSlot) else slot.ask
            ask(lambda name=name: name if go.wait(60) else "", late.append,
                lambda *_: late.append("failed"))
    session.project.scope.close()
    session.testing.forget()  # closes the model's
    go.set()
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
    assert late == []


def test_no_training_begins_while_a_project_is_on_its_way(
    qtbot: QtBot, opened: Open, small_project: Path, tmp_path: Path
) -> None:
    session = opened(small_project)
    other = write_small_project(tmp_path / "Other", rows=12)
    told: list[tuple[str, str]] = []
    session.jobs.problem.connect(lambda *said: told.append(said))
    session.opener.open(other)
    session.training.start()
    assert not session.training.running and session.heavy.running is None
    assert told == [("Opening Other …", "Wait until that is done.")]
    qtbot.waitUntil(lambda: session.project.folder == other, timeout=PATIENCE_MS)
    assert not session.heavy.refused()


def test_a_project_that_arrives_beside_heavy_work_is_not_taken(
    qtbot: QtBot, opened: Open, heavy: HeavyWork, small_project: Path, tmp_path: Path
) -> None:
    session = opened(small_project)
    session.opener.open(write_small_project(tmp_path / "Other", rows=12))
    heavy.begin(TRAINING, lambda: None)
    qtbot.waitUntil(lambda: session.opener.busy == "", timeout=PATIENCE_MS)
    assert session.project.folder == small_project and heavy.running is TRAINING


def test_work_that_is_left_gives_the_machine_back(
    qtbot: QtBot, opened: Open, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(small_project)
    go = threading.Event()

    def train(*_: Any, should_stop: Callable[[], bool], **__: Any) -> Iterator[Any]:
        assert go.wait(60)
        yield from ()

    monkeypatch.setattr("mmstudio.training.loop.train", train)
    session.training.start()
    assert session.heavy.running is TRAINING
    session.project.scope.close()
    assert session.heavy.running is None and session.training.state == AT_REST
    go.set()
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
