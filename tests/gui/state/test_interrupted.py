"""Runs that a kill has ended are found when their project opens, and go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.state.session import Session
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.training.events import CheckpointSaved
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import list_runs
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, named
from tests.small_project import small_experiment, start_small

Open = Callable[[Path], Session]
Start = Callable[..., MainWindow]


def interrupt(folder: Path, run: str) -> Iterator[Any]:
    """Train one epoch of a run; the generator that trains it, which holds it still."""
    events = start_small(folder, {"training.epochs": 3}, run=run)
    for event in events:
        if isinstance(event, CheckpointSaved):
            break
    return events


def kill(events: Iterator[Any]) -> None:
    events.close()  # type: ignore[attr-defined]


def looked(qtbot: QtBot, session: Session) -> list[str]:
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
    return sorted(run.name for run in session.interrupted.runs)


def test_interrupted_runs_are_found_but_not_those_that_are_trained_now(
    qtbot: QtBot, opened: Open, small_project: Path
) -> None:
    for name in ("killed", "queued", "comparison-1.concat.seed0"):
        kill(interrupt(small_project, name))
    (small_project / "comparisons" / "comparison-1").mkdir(parents=True)
    JobsQueue(small_project).add_unfinished("queued")
    trained = interrupt(small_project, "trained elsewhere")
    try:
        assert looked(qtbot, opened(small_project)) == ["killed"]
    finally:
        kill(trained)


def test_an_interrupted_run_is_resumed_from_the_banner(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    kill(interrupt(small_project, "killed"))
    window = start_app(small_project)
    note = window.interrupted_note
    qtbot.waitUntil(lambda: not note.isHidden(), timeout=PATIENCE_MS)
    assert note.text.startswith("The training of killed was interrupted.")
    with qtbot.waitSignals([window.session.training.ended, window.session.testing.changed],
                           timeout=PATIENCE_MS):
        click(named(window, "Resume", QAbstractButton))
    assert note.isHidden() and window.current_page == "Train"
    assert window.session.runs.history.epochs == [1, 2, 3]
    started = RunFolder(small_project / "runs" / "killed").history().started
    assert started is not None and started.first_epoch == 2
    assert [(run.name, run.status) for run in list_runs(small_project)] == [
        ("killed", "completed")]


def test_not_now_leaves_all_as_it_is(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    kill(interrupt(small_project, "killed"))
    JobsQueue(small_project).add("train", small_experiment(), "waiting")
    window = start_app(small_project)
    qtbot.waitUntil(lambda: not (window.interrupted_note.isHidden()
                                 or window.waiting_note.isHidden()), timeout=PATIENCE_MS)
    assert window.waiting_note.text == "1 job waits in the queue. waiting"
    click(named(window, "Not now", QAbstractButton))
    click(named(window, "Leave waiting jobs", QAbstractButton))
    assert window.interrupted_note.isHidden() and window.waiting_note.isHidden()
    assert window.session.heavy.running is None
    assert [run.status for run in list_runs(small_project)] == ["unfinished"]


def test_several_go_on_one_after_another_in_the_queue(
    qtbot: QtBot, start_app: Start, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        kill(interrupt(small_project, name))
    window = start_app(small_project)
    qtbot.waitUntil(lambda: not window.interrupted_note.isHidden(), timeout=PATIENCE_MS)
    assert window.interrupted_note.text.startswith("2 trainings were interrupted.")
    click(named(window, "Resume", QAbstractButton))
    assert window.queue_panel.isVisible()
    queue = window.session.queue
    qtbot.waitUntil(lambda: [job.state for job in queue.listing.jobs] == ["done", "done"],
                    timeout=PATIENCE_MS)
    assert {run.name: run.status for run in list_runs(small_project)} == {
        "a": "completed", "b": "completed"}
