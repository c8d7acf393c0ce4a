"""The Search page, by mouse: choose, start, stop, look at what was found, use it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QLabel, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.gui.main_window import MainWindow
from mmstudio.search import ending
from mmstudio.search.folder import SearchFolder
from mmstudio.search.search import Budget, search
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import choose, click, click_box, go_to, named
from tests.small_project import small_experiment, write_small_project

pytest.importorskip("optuna")
pytestmark = pytest.mark.screen

QUICK = {"inputs.sound.use": False, "training.epochs": 2, "training.combine": False}


@pytest.fixture(scope="module")
def searched_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a search that has found another learning rate. Not to be written to."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = write_small_project(tmp_path_factory.mktemp("searched") / "Shapes")
    experiment = small_experiment(QUICK)
    experiment.save(folder / "experiment.toml")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ending, "SEEDS", 1)
        patched.setattr(ending, "FINALISTS", 2)
        for _ in search(experiment, "one", folder=folder, budget=Budget(None, 2),
                        fix=("inputs.image.encoder", "inputs.words.encoder")):
            pass
    files = SearchFolder.of(folder, "one")
    changed = experiment.replaced("training.learning_rate", 0.0042)
    result = (files.result() or {}) | {
        "changes": ["training.learning_rate: 0.002 → 0.0042"], "sentence": "Trial 1 is better."}
    files.write_settings_found(changed, result)
    torch.set_num_threads(threads)
    return folder


def test_nothing_starts_where_nothing_varies_and_a_stopped_search_can_be_resumed(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    folder = write_small_project(tmp_path / "Shapes")
    small_experiment(QUICK).save(folder / "experiment.toml")
    window = start_app(folder)
    page = go_to(window, "Search")
    start = named(page, "Start search", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    click(named(page, "None: what may vary", QPushButton))
    assert not start.isEnabled()
    rate = page.findChild(QCheckBox, "training.learning_rate")
    qtbot.waitUntil(rate.isVisible, timeout=PATIENCE_MS)
    click_box(rate)
    assert start.isEnabled()
    assert "1 of" in " ".join(label.text() for label in page.findChildren(QLabel))
    searching = window.session.searching
    click(start)
    qtbot.waitUntil(lambda: bool(searching.progress and searching.progress.trials),
                    timeout=PATIENCE_MS)
    assert window.session.heavy.running is not None
    assert named(page, "Progress", QLabel).text().startswith("Your own settings")
    click(named(page, "Stop", QPushButton))
    qtbot.waitUntil(lambda: not searching.running, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: searching.view is not None, timeout=PATIENCE_MS)
    plan = SearchFolder.of(folder, "search-1").plan()
    assert [d.key for d in plan.space] == ["training.learning_rate"] and plan.minutes == 30
    assert start.isVisible() and start.text() == "Continue"


def test_what_was_found_is_shown_and_can_be_used(
    qtbot: QtBot, start_app: Callable[..., MainWindow], searched_project: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(searched_project, tmp_path / "Shapes"))
    window = start_app(folder)
    page = go_to(window, "Search")
    chooser = named(page, "Search on show", QComboBox)
    qtbot.waitUntil(lambda: chooser.count() == 2, timeout=PATIENCE_MS)
    choose(qtbot, chooser, "one")
    found = page.findChild(QFrame, "Found")
    qtbot.waitUntil(found.isVisible, timeout=PATIENCE_MS)
    assert found.accessibleDescription().startswith("Trial 1 is better.")
    table = named(page, "Trials", QTableView).model()
    shown = {table.index(row, 0).data() for row in range(table.rowCount())}
    assert shown == {"yours", "1"}
    result = json.loads((folder / "searches" / "one" / "result.json").read_text())
    assert result["finals"] and "Settings of all trials" in page.trials.parallel.accessibleName()
    assert page.trials.parallel.accessibleDescription().startswith("The best, trial ")
    assert not page.start_button.isVisible()
    with qtbot.waitSignal(window.session.searching.used, timeout=PATIENCE_MS):
        click(named(page, "Use these settings", QPushButton))
    assert window.session.project.experiment.training.learning_rate == 0.0042
    window.session.project.save_pending()
    saved = Experiment.load(folder / "experiment.toml")
    assert saved.training.learning_rate == 0.0042 and saved.data.table == "metadata.csv"


def test_a_search_that_cannot_begin_says_why_and_keeps_what_was_chosen(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = write_small_project(tmp_path / "Shapes")
    small_experiment(QUICK).save(folder / "experiment.toml")
    monkeypatch.setitem(sys.modules, "optuna", None)
    window = start_app(folder)
    page = go_to(window, "Search")
    start = named(page, "Start search", QPushButton)
    qtbot.waitUntil(start.isEnabled, timeout=PATIENCE_MS)
    page.choices.minutes.setValue(480)
    click(start)
    qtbot.waitUntil(lambda: window.session.searching.failure is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not window.session.searching.running, timeout=PATIENCE_MS)
    assert "optuna" in window.session.searching.failure[0]
    assert page.note.isVisible()
    assert start.text() == "Start search" and page.choices.choices().minutes == 480
    assert window.session.heavy.running is None
