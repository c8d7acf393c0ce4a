"""The Runs page: its table, its filter, notes, names and the trash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QInputDialog, QLineEdit, QMessageBox, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from mmstudio.errors import UserError
from mmstudio.experiment_settings import Fold
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.runs.notes_dialog import NotesDialog
from mmstudio.gui.pages.runs.runs_model import RunsModel
from mmstudio.gui.state import loading
from mmstudio.gui.state.session import Session
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_notes import RunNotes, read_notes
from mmstudio.training.run_summary import RunSummary
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named

Start = Callable[..., MainWindow]


def summary(name: str, **others: object) -> RunSummary:
    """A run that is not on the disk."""
    run = RunSummary(name, Path("/runs") / name, datetime.fromtimestamp(len(name)), "completed",
                     "metadata.csv", "concat", ("image",), ("cnn",), 3)
    return replace(run, **others)  # type: ignore[arg-type]


def names(model: RunsModel) -> list[str]:
    return [run.name for run in model.runs]


@pytest.fixture
def model(qapp: object) -> RunsModel:
    model = RunsModel()
    model.show_runs([
        summary("a", metrics={"digit accuracy": 0.9}, seconds=100.0, disk_bytes=2_000_000),
        summary("bb", metrics={"digit accuracy": 0.95}, seconds=20.0, fusion="gated",
                notes=RunNotes(True, ("baseline",), "the rate was too high")),
        summary("ccc", metrics={"digit accuracy": float("nan")}),
        summary("dddd", status="unreadable", fusion=""),
    ])
    return model


def test_a_column_sorts_by_what_it_means_and_what_is_missing_stands_last(
    model: RunsModel
) -> None:
    keys = [column.key for column in model.columns]
    assert names(model) == ["dddd", "ccc", "bb", "a"]  # the newest first
    model.sort(keys.index("figure digit accuracy"), Qt.SortOrder.DescendingOrder)
    assert names(model) == ["bb", "a", "ccc", "dddd"]
    model.sort(keys.index("figure digit accuracy"), Qt.SortOrder.AscendingOrder)
    assert names(model) == ["a", "bb", "ccc", "dddd"]
    model.sort(keys.index("seconds"), Qt.SortOrder.AscendingOrder)  # 20 s before 100 s
    assert names(model)[:2] == ["bb", "a"]
    assert model.index(1, keys.index("seconds")).data() == "2 min"
    assert model.index(1, keys.index("size")).data() == "2.0 MB"


@pytest.mark.parametrize(("text", "found"), [
    ("", ["dddd", "ccc", "bb", "a"]), ("GATED", ["bb"]), ("baseline", ["bb"]),
    ("rate high", ["bb"]), ("concat complet", ["ccc", "a"]), ("can't be", ["dddd"]),
    ("gated concat", []),
])
def test_each_word_of_the_filter_must_be_found(
    model: RunsModel, text: str, found: list[str]
) -> None:
    model.filter(text)
    assert names(model) == found
    assert model.count_of_all == 4


def test_starred_runs_alone(model: RunsModel) -> None:
    model.filter("", starred_only=True)
    assert names(model) == ["bb"]


def test_tags_and_notes_have_columns_once_there_are_any(model: RunsModel) -> None:
    assert {"tags", "note"} < {column.key for column in model.columns}
    model.show_runs([summary("a")])
    assert not {"tags", "note"} & {column.key for column in model.columns}


def test_the_filter_keeps_what_is_selected(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    page = go_to(start_app(project_with_run), "Runs")
    page.select_run(project_with_run / "runs" / "second")
    field = named(page, "Filter runs", QLineEdit)
    QTest.keyClicks(field, "second")
    assert names(page.model) == ["second"]
    assert [run.name for run in page.table.selected()] == ["second"]
    field.clear()
    assert len(page.model.runs) == 2
    assert [run.name for run in page.table.selected()] == ["second"]
    QTest.keyClicks(field, "nowhere")
    assert page.model.runs == [] and not page.open_button.isEnabled()
    page.select_run(project_with_run / "runs" / "first")  # shown whatever is filtered
    assert field.text() == ""
    assert [run.name for run in page.table.selected()] == ["first"]


def test_a_click_onto_the_star_is_kept_in_the_runs_folder(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    page = go_to(start_app(project_with_run), "Runs")
    place = page.table.visualRect(page.model.index(0, 0)).topLeft() + QPoint(12, 20)
    run = page.model.runs[0].path
    QTest.mouseClick(page.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: page.model.runs[0].notes.starred, timeout=PATIENCE_MS)
    assert read_notes(run) == RunNotes(starred=True)
    assert page.table.selected() == []
    click(named(page, "Starred only", QToolButton))
    assert [one.path for one in page.model.runs] == [run]
    QTest.mouseClick(page.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: page.model.runs == [], timeout=PATIENCE_MS)
    assert not (run / "notes.json").exists()


def test_tags_and_a_note_are_written(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    page = go_to(start_app(project_with_run), "Runs")
    page.select_run(project_with_run / "runs" / "first")
    page.run_actions.ask_notes()
    dialog = page.findChild(NotesDialog)
    dialog.tags.setText(" baseline, paper,, baseline")
    dialog.text.setPlainText("Two lines\nof it. ")
    dialog.accept()
    qtbot.waitUntil(lambda: page.model.columns[-1].key == "note", timeout=PATIENCE_MS)
    assert read_notes(project_with_run / "runs" / "first") == RunNotes(
        False, ("baseline", "paper"), "Two lines\nof it.")
    row = names(page.model).index("first")
    assert page.model.index(row, len(page.model.columns) - 1).data() == "Two lines of it."


def test_the_open_run_gets_another_name_and_stays_open(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    page, session = go_to(window, "Runs"), window.session
    first, new = (project_with_run / "runs" / name for name in ("first", "best of all"))
    with qtbot.waitSignal(session.testing.changed, timeout=PATIENCE_MS):
        session.runs.open(first)
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    go_to(window, "Runs")
    page.select_run(first)
    page.run_actions.ask_name()
    dialog = page.findChild(QInputDialog)
    assert dialog.textValue() == "first"
    dialog.setTextValue("best of all")
    dialog.accept()
    qtbot.waitUntil(lambda: session.runs.shown == new, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: session.testing.run == new and session.testing.predictor is not None,
                    timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "best of all" in names(page.model), timeout=PATIENCE_MS)
    assert [run.name for run in page.table.selected()] == ["best of all"]
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as refused:
        session.run_files.rename(new, "second")
    assert "second already" in refused.args[0]
    assert session.runs.shown == new and session.testing.predictor is not None
    JobsQueue(project_with_run).add("train", session.project.experiment, "promised")
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as refused:
        session.run_files.rename(new, "promised")
    assert "has the name promised" in refused.args[0]
    assert session.runs.shown == new

    def rename(*_: object) -> Path:
        raise UserError("The disk is gone.", "Put it in again.")

    monkeypatch.setattr("mmstudio.training.run_names.rename_run", rename)
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS):
        session.run_files.rename(new, "third")
    qtbot.waitUntil(lambda: session.runs.shown == new, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)


def test_several_go_to_the_trash_at_once_and_one_in_training_stays(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    page, session = go_to(window, "Runs"), window.session
    trashed: list[str] = []

    def trash(run: Path) -> None:
        trashed.append(run.name)
        run.rename(project_with_run / run.name)

    monkeypatch.setattr(loading, "move_to_trash", trash)
    session.heavy.writes(project_with_run / "runs" / "second")
    page.table.selectAll()
    click(named(page, "Delete", QPushButton))
    box = page.findChild(QMessageBox)
    assert "2 runs" in box.text()
    go = next(b for b in box.buttons() if b.text().replace("&", "") == "Move to trash")
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS) as refused:
        click(go)
    assert refused.args[0] == "The run second is being trained."
    qtbot.waitUntil(lambda: names(page.model) == ["second"], timeout=PATIENCE_MS)
    assert trashed == ["first"]
    session.heavy.writes(None)


def ask_with(qtbot: QtBot, window: MainWindow, run: Path, *, goes_on: bool) -> QMessageBox:
    """Ask for a run's settings; the question that stands then."""
    page = go_to(window, "Runs")
    page.select_run(run)
    with qtbot.waitSignal(window.session.run_again.offered, timeout=PATIENCE_MS):
        window.session.run_again.ask(run, goes_on=goes_on)
    return next(box for box in page.findChildren(QMessageBox) if box.isVisible())


def press(box: QMessageBox, text: str) -> None:
    click(next(b for b in box.buttons() if b.text().replace("&", "") == text))


def test_a_run_is_trained_again_with_its_settings_once_that_is_allowed(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    project, first = window.session.project, project_with_run / "runs" / "first"
    project.edit("training.epochs", 77)
    project.edit(("inputs", "sound", "use"), False)
    box = ask_with(qtbot, window, first, goes_on=False)
    assert "inputs.sound, " in box.informativeText() or "inputs.sound" in box.detailedText()
    press(box, "Cancel")
    assert project.experiment.training.epochs == 77
    press(ask_with(qtbot, window, first, goes_on=False), "Use these settings")
    assert window.current_page == "Train"
    assert project.experiment == RunFolder(first).experiment()


def test_a_training_goes_on_from_a_runs_model(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    project, first = window.session.project, project_with_run / "runs" / "first"
    project.edit("training.epochs", 1)
    project.edit("fusion", {"name": "sum"})
    press(ask_with(qtbot, window, first, goes_on=True), "Continue from it")
    experiment = project.experiment
    assert experiment.training.start_from == "runs/first"
    assert experiment.training.epochs == 1
    assert experiment.fusion == RunFolder(first).experiment().fusion
    page = window.page("Train")
    assert named(page, "The next training starts with the weights of runs/first.").isVisible()
    with qtbot.waitSignal(window.session.training.ended, timeout=PATIENCE_MS):
        window.session.training.start()
    taken = window.session.runs.history.weights_taken
    assert taken is not None and taken.run == "runs/first" and taken.fresh == []
    click(named(page, "Start anew", QToolButton))
    assert project.experiment.training.start_from == ""


def test_a_part_of_a_cross_validation_is_trained_again_on_all_rows(
    qtbot: QtBot, session: Session, opened: Callable[[Path], Session], project_with_run: Path
) -> None:
    first = RunFolder(project_with_run / "runs" / "first")
    experiment = first.experiment()
    first.write_experiment(replace(experiment, data=replace(experiment.data, fold=Fold(2, 5))))
    assert first.experiment().data.fold is not None
    opened(project_with_run)
    with qtbot.waitSignal(session.run_again.offered, timeout=PATIENCE_MS) as offered:
        session.run_again.ask(first.path, goes_on=False)
    assert offered.args[0].experiment.data.fold is None
    assert "data.fold" not in offered.args[0].changes
