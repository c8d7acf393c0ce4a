"""Answers that arrive when nobody asks any more: of another project, run or comparison."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from mmstudio.comparison import ranking
from mmstudio.comparison.folder import ComparisonFolder
from mmstudio.experiment import Experiment
from mmstudio.gui.dialogs import store_dialog
from mmstudio.gui.dialogs.store_dialog import StoreDialog
from mmstudio.gui.pages.data.shown_rows import separators_of
from mmstudio.gui.state import loading
from mmstudio.gui.state.job_slot import JobSlot
from mmstudio.gui.state.scope import Scope
from mmstudio.gui.state.session import Session
from mmstudio.training.run_folder import RunFolder
from tests.gui.conftest import PATIENCE_MS
from tests.small_project import small_experiment, write_small_project

Open = Callable[[Path], Session]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is not set, the history of the run ``first`` is not read."""
    go, really = threading.Event(), RunFolder.history
    go.set()

    def history(folder: RunFolder, *rest: Any) -> Any:
        if folder.name == "first":
            assert go.wait(60)
        return really(folder, *rest)

    monkeypatch.setattr(RunFolder, "history", history)
    yield go
    go.set()


def all_over(qtbot: QtBot, session: Session) -> None:
    """Wait until every job that was started has ended and would have answered."""
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)


def test_of_two_runs_opened_at_once_the_later_one_is_shown(
    qtbot: QtBot, opened: Open, project_with_run: Path, held: threading.Event
) -> None:
    session = opened(project_with_run)
    first, second = (project_with_run / "runs" / name for name in ("first", "second"))
    held.clear()
    session.runs.open(first)
    with qtbot.waitSignals([session.runs.opened, session.testing.changed], timeout=PATIENCE_MS):
        session.runs.open(second)
    held.set()
    all_over(qtbot, session)
    assert session.runs.shown == session.testing.run == second
    assert session.runs.history is not None and len(session.runs.history.epochs) == 2


def test_a_history_of_the_project_before_never_arrives(
    qtbot: QtBot, opened: Open, project_with_run: Path, held: threading.Event, tmp_path: Path
) -> None:
    session = opened(project_with_run)
    held.clear()
    session.runs.open(project_with_run / "runs" / "first")
    opened(write_small_project(tmp_path / "Other", rows=12))
    held.set()
    all_over(qtbot, session)
    assert session.runs.history is None and session.runs.shown is None
    assert session.testing.predictor is None


def test_a_run_that_is_deleted_while_it_is_opened_never_arrives(
    qtbot: QtBot, opened: Open, project_with_run: Path, held: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = opened(project_with_run)
    first, really = project_with_run / "runs" / "first", loading.load_predictor

    def load(run: Path, table: Any) -> Any:
        assert held.wait(60)
        return really(run, table)

    monkeypatch.setattr(loading, "load_predictor", load)
    monkeypatch.setattr(loading, "move_to_trash", lambda run: None)
    held.clear()
    session.runs.open(first)
    assert session.testing.loading
    told: list[bool] = []
    session.testing.changed.connect(lambda: told.append(session.testing.loading))
    session.run_files.delete([first])
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE_MS)
    assert told == [False] and not session.testing.loading
    held.set()
    all_over(qtbot, session)
    assert (session.testing.predictor, session.testing.run) == (None, None)
    assert session.runs.shown is None


def test_after_the_shutdown_a_slot_starts_nothing(qtbot: QtBot, session: Session) -> None:
    begun: list[int] = []
    slot = JobSlot(session.jobs, session.jobs.scope)
    session.shutdown()
    job = slot.run(lambda: begun.append(1), print)
    assert not job.isRunning() and not job.isFinished() and begun == []


def test_a_comparison_that_is_read_is_left_when_another_project_opens(
    qtbot: QtBot, opened: Open, project_with_run: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()

    def read(_: ComparisonFolder) -> str:
        assert go.wait(60)
        return "the ranking of the project before"

    monkeypatch.setattr(ComparisonFolder, "plan", lambda _: None)
    monkeypatch.setattr(ranking, "read_ranking", read)
    session = opened(project_with_run)
    session.comparing.show("before")
    opened(write_small_project(tmp_path / "Other", rows=12))
    go.set()
    all_over(qtbot, session)
    assert (session.comparing.shown, session.comparing.ranking) == ("", None)


def test_two_projects_with_equal_experiments_have_an_estimate_each(
    qtbot: QtBot, opened: Open, small_project: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(small_project, tmp_path / "Same"))
    session = opened(small_project)
    before = session.project.experiment
    session.fit.ask()
    qtbot.waitUntil(lambda: session.fit.fit is not None, timeout=PATIENCE_MS)
    opened(other)
    assert session.project.experiment == before and session.fit.fit is None


def test_cells_of_several_labels_are_divided_as_the_task_divides_them() -> None:
    task = {"task": "multilabel"}
    target = small_experiment().replaced(("targets", "shape"), task)
    assert separators_of(target) == {"shape": ";"}
    own = Experiment.from_dict(target.to_dict()).replaced(
        ("targets", "shape"), {**task, "separator": "/"})
    assert separators_of(own) == {"shape": "/"}


def test_a_slot_has_one_job_and_a_scope_that_closes_leaves_all(
    qtbot: QtBot, session: Session
) -> None:
    scope, go, told = Scope(), threading.Event(), []
    slot, other = JobSlot(session.jobs, scope), JobSlot(session.jobs, scope)

    def wait(answer: str) -> Callable[[], str]:
        return lambda: answer if go.wait(60) else "never"

    slot.run(wait("first"), told.append)
    slot.run(wait("second"), told.append)
    other.run(wait("other"), told.append)
    assert slot.busy and other.busy
    other.cancel()
    go.set()
    all_over(qtbot, session)
    assert told == ["second"] and not slot.busy
    go.clear()
    slot.run(wait("third"), told.append)
    scope.close()
    assert not slot.busy
    go.set()
    all_over(qtbot, session)
    assert told == ["second"]


def test_a_slot_is_free_again_when_its_job_failed(qtbot: QtBot, session: Session) -> None:
    slot = JobSlot(session.jobs, session.jobs.scope)

    def fail() -> None:
        raise OSError("the disk is gone")

    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS):
        slot.run(fail, print)
    assert not slot.busy


def test_a_dialog_that_was_deleted_asks_and_hears_nothing_more(
    qtbot: QtBot, opened: Open, small_project: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, go = opened(small_project), threading.Event()
    monkeypatch.setattr(store_dialog, "make_room", lambda: go.wait(60))
    monkeypatch.setattr(store_dialog, "set_limit_gb", lambda value: None)
    dialog = StoreDialog(session.jobs)
    dialog._set_limit(1.0)  # when room was made, it looks again at the sizes
    delete(dialog)
    go.set()
    all_over(qtbot, session)  # what was raised there fails the test
