"""Problems are grouped by kind on the Data page; a button mends a kind, and Undo takes it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from PySide6.QtWidgets import QApplication, QComboBox, QListView, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment, SplitShares
from mmstudio.gui.main_window import MainWindow
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named
from tests.small_project import read_rows, write_table


@pytest.fixture
def faulty_project(small_project: Path) -> Path:
    rows = read_rows(small_project)
    rows[1]["shape"] = rows[1]["shape"].upper()
    write_table(small_project / "metadata.csv", rows)
    for row in (2, 3):
        soundfile.write(small_project / rows[row]["audio"], [0.0] * 2400, 8000)
    return small_project


@pytest.fixture
def window(start_app: Callable[..., MainWindow]) -> MainWindow:
    return start_app()


def open_in(qtbot: QtBot, window: MainWindow, project: Path) -> None:
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        window.session.opener.open(project)
    checked(qtbot, window)


def checked(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    qtbot.waitUntil(
        lambda: session.check.report is not None and not session.check.running, timeout=PATIENCE_MS)
    QApplication.processEvents()  # what was laid out just now is shown in the next turn


def kinds(window: MainWindow) -> set[str]:
    return {p.kind for p in window.session.check.report.problems}


def test_problems_are_mended_by_kind_and_taken_back(
    qtbot: QtBot, window: MainWindow, faulty_project: Path
) -> None:
    open_in(qtbot, window, faulty_project)
    page = go_to(window, "Data")
    assert kinds(window) == {"silent", "similar_label"}
    assert named(page, "Problems", QListView).model().rowCount() == 3
    assert named(page, "Silent sound", QToolButton).text() == "Silent sound (2)"
    undo = page.findChild(QPushButton, "Undo")
    assert not undo.isVisible()

    click(named(page, "Leave out: Silent sound", QPushButton))
    qtbot.waitUntil(undo.isVisible, timeout=PATIENCE_MS)
    checked(qtbot, window)
    assert kinds(window) == {"similar_label"}
    project = window.session.project
    qtbot.waitUntil(lambda: list(project.splits[2:4]) == ["", ""], timeout=PATIENCE_MS)
    assert (faulty_project / "left_out.csv").is_file()

    click(named(page, "Merge: Labels spelt in several ways", QPushButton))
    qtbot.waitUntil(
        lambda: bool(window.session.project.experiment.targets["shape"].merge), timeout=PATIENCE_MS)
    checked(qtbot, window)
    assert not window.session.check.report.problems
    window.session.project.save()
    assert Experiment.load(faulty_project / "experiment.toml") == window.session.project.experiment

    for left in ({"similar_label"}, {"silent", "similar_label"}):
        click(undo)
        qtbot.waitUntil(
            lambda left=left: window.session.check.report is not None and kinds(window) == left,
            timeout=PATIENCE_MS)
    assert not (faulty_project / "left_out.csv").exists()
    qtbot.waitUntil(lambda: not undo.isVisible(), timeout=PATIENCE_MS)


def test_a_kind_leads_to_its_first_problem(
    qtbot: QtBot, window: MainWindow, faulty_project: Path
) -> None:
    open_in(qtbot, window, faulty_project)
    page = go_to(window, "Data")
    click(named(page, "Labels spelt in several ways", QToolButton))
    problems = named(page, "Problems", QListView)
    assert "nearly" in problems.currentIndex().data()


def test_the_split_is_stratified_in_the_form(
    qtbot: QtBot, window: MainWindow, small_project: Path
) -> None:
    open_in(qtbot, window, small_project)
    session = window.session
    page = go_to(window, "Data")
    session.project.edit("data.split", {"train": 0.6, "validation": 0.2, "test": 0.2})
    click(named(page, "Split more options", QToolButton))
    for name, column in (("Split stratify", "shape"), ("Split id", "text")):
        box = named(page, name, QComboBox)
        box.setCurrentIndex(box.findData(column))
    assert session.project.experiment.data.split == SplitShares(
        0.6, 0.2, 0.2, stratify="shape", id="text")
    box = named(page, "Split group", QComboBox)
    box.setCurrentIndex(box.findData("size"))
    assert session.project.experiment.data.split.group == "size"
    assert next(c.role for c in session.project.columns if c.name == "size") == "target"
