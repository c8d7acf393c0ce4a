"""The tab *Robustness* of the Results page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from mmstudio.evaluation import robustness as core
from mmstudio.evaluation.robustness_curves import ABSENT
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.results.page import ResultsPage
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import go_to

Start = Callable[..., MainWindow]


def opened(qtbot: QtBot, window: MainWindow) -> Any:
    """The tab, with the answers of a run."""
    page = go_to(window, "Results")
    assert isinstance(page, ResultsPage)
    qtbot.waitUntil(lambda: window.session.results.status == "ready", timeout=PATIENCE_MS)
    page.tabs.setCurrentWidget(page.robustness)
    qtbot.waitUntil(lambda: not page.robustness.is_working, timeout=PATIENCE_MS)
    return page.robustness


def tick(tab: Any, *ways: tuple[str, str]) -> None:
    for head, way in tab.ways._items():
        state = Qt.CheckState.Checked if (head.text(0), way.text(0)) in ways else (
            Qt.CheckState.Unchecked)
        way.setCheckState(0, state)


def test_chosen_ways_are_looked_at_kept_and_held_against_a_second_run(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    tab = opened(qtbot, window)
    assert ("words", "typing errors") in tab.ways.chosen()  # all are, at first
    assert "press “Look”" in tab.note.text() and not tab.table.figures.rows
    asked = [("image", "noise"), ("image", ABSENT), ("words", ABSENT)]
    tick(tab, *asked)
    assert tab.ways.chosen() == asked
    tab.start_button.click()
    assert tab.stop_button.isVisible() and not tab.start_button.isVisible()
    qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
    assert [row[0].text for row in tab.table.figures.rows] == [
        "image · noise", "image · absent", "words · absent"]
    plots = tab.plots
    assert "accuracy as image gets worse" in plots.figures.accessibleDescription()
    assert "noise: " in plots.figures.accessibleDescription()
    assert "image: " in plots.shares.accessibleDescription()
    tab.table.clicked.emit(tab.table.model().index(2, 0))
    assert "as words gets worse" in plots.figures.accessibleDescription()
    # a way whose input is absent from all rows is taken over by another input
    assert tab.table.figures.rows[2][-1].text != "—"
    # a second run: not looked at yet, then beside the first
    tab.other_box.setCurrentIndex(1)
    tab.other_box.activated.emit(1)
    qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
    assert "has not been looked at yet" in tab.note.text()
    tab.start_button.click()
    qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
    assert tab.other is not None and len(tab.other.curves) == 3
    name = Path(tab.other.run).name
    assert f"dashed: {name}" in plots.figures.accessibleDescription()
    # kept beside the run: shown at once when the tab is opened anew
    monkeypatch.setattr(core, "Predictor", None)
    tab._look_up()
    qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
    assert len(tab.result.curves) == 3 and tab.other is not None


def test_it_can_be_stopped_and_whole_curves_stay(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    tab = opened(qtbot, start_app(project_with_run))
    tab.start_button.click()
    qtbot.waitUntil(lambda: tab.result is not None and bool(tab.result.curves), timeout=PATIENCE_MS)
    tab.stop_button.click()
    count = len(tab.result.curves)
    assert 0 < count < len(tab.ways.chosen())
    assert "stopped" in tab.note.text() and tab.start_button.isVisible()
    assert tab.table.figures.rowCount() == count
    tick(tab)
    tab.start_button.click()
    assert "Choose a way" in tab.note.text() and not tab.is_working
