"""The main job in a real window, by mouse: from the sample project to a dropped sample's answer."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QListView,
    QPushButton,
    QSpinBox,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.gui.main_window import MainWindow
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import (
    choose,
    click,
    click_box,
    drop_files,
    go_to,
    named,
    read_scores,
    type_number,
)

pytestmark = [pytest.mark.screen, pytest.mark.slow]

EPOCHS = 3
TRAINING_MS = 120_000
"""Some seconds on a quiet machine."""
DIGITS = {str(digit) for digit in range(10)}


def on_disk(window: MainWindow) -> Experiment:
    return Experiment.load(window.session.project.folder / "experiment.toml")


def test_from_the_sample_project_to_an_answer(
    qtbot: QtBot, start_app: Callable[..., MainWindow]
) -> None:
    window = start_app()
    assert window.windowHandle().isExposed()
    open_the_sample_project(qtbot, window)
    look_at_the_data(qtbot, window)
    set_up_the_model(qtbot, window)
    train(qtbot, window)
    before = drop_a_sample(qtbot, window)
    mute_the_picture(qtbot, window, before)
    walk_test_samples(qtbot, window)
    find_the_run(qtbot, window)
    project, run = window.session.project.folder, window.session.runs.shown
    window.close()
    start_again(qtbot, start_app(project), run)


def open_the_sample_project(qtbot: QtBot, window: MainWindow) -> None:
    with qtbot.waitSignal(window.session.runs.changed, timeout=PATIENCE_MS):
        click(named(window, "Open sample project", QPushButton))
    assert window.current_page == "Data"
    assert window.windowTitle().startswith(window.session.project.folder.name)


def look_at_the_data(qtbot: QtBot, window: MainWindow) -> None:
    page = go_to(window, "Data")
    samples = named(page, "Samples", QTableView).model()
    assert samples.rowCount() == len(window.session.project.table) > 1000
    heads = [
        samples.headerData(column, Qt.Orientation.Horizontal)
        for column in range(samples.columnCount())
    ]
    assert {"file_name", "text", "audio", "digit", "language"} <= set(heads)
    assert samples.index(0, heads.index("digit")).data() in DIGITS
    qtbot.waitUntil(lambda: window.session.check.report is not None, timeout=PATIENCE_MS)
    problems = named(page, "Problems", QListView)
    assert problems.model().rowCount() == len(window.session.check.report.problems)
    assert problems.model().rowCount() or "No problems" in problems.accessibleDescription()


def set_up_the_model(qtbot: QtBot, window: MainWindow) -> None:
    page = go_to(window, "Model")
    words = named(page, "words", QCheckBox)
    for used in (False, True):
        click_box(words)
        assert words.isChecked() is used
        qtbot.waitUntil(
            lambda used=used: on_disk(window).inputs["words"].use is used, timeout=PATIENCE_MS
        )
    fusion = named(page, "Fusion", QComboBox)
    choose(qtbot, fusion, "gated")
    qtbot.waitUntil(lambda: on_disk(window).fusion.name == "gated", timeout=PATIENCE_MS)


def train(qtbot: QtBot, window: MainWindow) -> None:
    page, session = go_to(window, "Train"), window.session
    type_number(named(page, "Epochs", QSpinBox), EPOCHS)
    assert session.project.experiment.training.epochs == EPOCHS
    progress = named(page, "Progress", QLabel)
    loss = named(page, "Loss", QFrame)
    assert progress.text() and loss.accessibleDescription() == "appears in training"
    seen: dict[str, None] = {}
    curves: dict[str, None] = {}

    def look(*_: object) -> None:
        if session.training.running:
            seen[progress.text()] = None
            curves[loss.accessibleDescription()] = None

    session.training.events.connect(look)
    click(named(page, "Start training", QPushButton))
    assert not named(page, "Start training", QPushButton).isEnabled()
    with qtbot.waitSignal(session.testing.changed, timeout=TRAINING_MS):
        qtbot.waitUntil(lambda: len(curves) > 3, timeout=TRAINING_MS)
    session.training.events.disconnect(look)
    assert any(text.startswith(f"Epoch 1 of {EPOCHS}") for text in seen), list(seen)
    assert any(text.startswith(f"Epoch {EPOCHS} of {EPOCHS}") for text in seen), list(seen)
    assert sum("each step" in text for text in curves) > 2, "the curve did not move as it trained"
    qtbot.waitUntil(lambda: "validation" in loss.accessibleDescription(), timeout=PATIENCE_MS)
    for task in ("digit", "language"):
        card = named(page, task, QFrame)
        qtbot.waitUntil(
            lambda card=card: "%" in card.accessibleDescription(), timeout=PATIENCE_MS
        )
    assert not session.training.running
    assert named(page, "Start training", QPushButton).isEnabled()
    assert session.runs.history.epochs == list(range(1, EPOCHS + 1))


def whole_sample(window: MainWindow) -> dict[str, str]:
    """A test row that has everything."""
    table = window.session.project.folder / "metadata.csv"
    with table.open(encoding="utf-8", newline="") as file:
        return next(row for row in csv.DictReader(file)
                    if row["split"] == "test" and all(row.values()))


def answered(qtbot: QtBot, window: MainWindow, act: Callable[[], object]) -> dict[str, float]:
    """Do something that asks the model, wait for its answer, and read the digit's scores."""
    with qtbot.waitSignal(window.session.testing.predicted, timeout=PATIENCE_MS):
        act()
    return read_scores(window.page("Test"), "digit")


def drop_a_sample(qtbot: QtBot, window: MainWindow) -> dict[str, float]:
    page, row = go_to(window, "Test"), whole_sample(window)
    project: Path = window.session.project.folder
    note = project.parent / "note.txt"
    note.write_text(row["text"], encoding="utf-8")
    area = named(page, "Drop samples here", QFrame)
    files = [project / row["file_name"], note, project / row["audio"]]

    def all_are_there() -> bool:
        values = page.board.values()
        return {values["image"], values["sound"]} == {files[0], files[2]} and bool(values["words"])

    assert drop_files(area, files)
    qtbot.waitUntil(
        lambda: all_are_there() and "image, words, sound" in page.answers.time_label.text(),
        timeout=PATIENCE_MS,
    )
    scores = read_scores(page, "digit")
    assert set(scores) == DIGITS
    assert sum(scores.values()) == pytest.approx(100, abs=1)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert set(read_scores(page, "language")) == {"de", "en", "es", "fr", "it"}
    assert named(page, "Winner: digit", QLabel).text() == next(iter(scores))
    return scores


def mute_the_picture(qtbot: QtBot, window: MainWindow, before: dict[str, float]) -> None:
    page = window.page("Test")
    use = named(page, "Use image", QCheckBox)
    muted = answered(qtbot, window, lambda: click_box(use))
    assert not use.isChecked()
    assert muted != before
    assert answered(qtbot, window, lambda: click_box(use)) == before


def walk_test_samples(qtbot: QtBot, window: MainWindow) -> None:
    page = window.page("Test")
    following = named(page, "Next test sample", QPushButton)
    splits = window.session.project.splits
    first = int((splits == "test").argmax())
    expected = window.session.project.table.cell(first, "digit")
    scores = answered(qtbot, window, lambda: click(following))
    truth = named(page, "Truth: digit", QLabel).text()
    assert f" {expected} " in truth
    assert ("✓" in truth) is (next(iter(scores)) == expected)
    click(named(page, "Clear", QPushButton))
    assert read_scores(page, "digit") == {}
    assert not any(page.board.values().values())
    assert named(page, "Truth: digit", QWidget).text() == ""


def find_the_run(qtbot: QtBot, window: MainWindow) -> None:
    page, session = go_to(window, "Runs"), window.session
    open_the_only_run(qtbot, window, page)
    assert session.runs.shown.parent == session.project.folder / "runs"


def open_the_only_run(qtbot: QtBot, window: MainWindow, page: QWidget) -> None:
    """Double-click the run; its curves stand on the Train page."""
    table = named(page, "Runs", QTableView)
    qtbot.waitUntil(lambda: table.model().rowCount() == 1, timeout=PATIENCE_MS)
    row = " ".join(str(table.model().index(0, c).data()) for c in range(12))
    assert "gated" in row and "Completed" in row and "%" in row
    place: QPoint = table.visualRect(table.model().index(0, 0)).center()
    with qtbot.waitSignals(
        [window.session.runs.opened, window.session.testing.changed], timeout=PATIENCE_MS
    ):
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert window.current_page == "Train"
    loss = named(window.page("Train"), "Loss", QFrame)
    qtbot.waitUntil(lambda: "validation" in loss.accessibleDescription(), timeout=PATIENCE_MS)


def start_again(qtbot: QtBot, window: MainWindow, run: Path) -> None:
    """A second start finds the run and its model."""
    open_the_only_run(qtbot, window, go_to(window, "Runs"))
    assert window.session.runs.shown == window.session.testing.run == run
    assert on_disk(window).fusion.name == "gated"
    page = go_to(window, "Test")
    scores = answered(qtbot, window, lambda: click(named(page, "Next test sample", QPushButton)))
    assert set(scores) == DIGITS
