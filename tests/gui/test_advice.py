"""The advice beside the fusion, by mouse: it comes, says why, is taken, and never in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mmstudio.fusion import FUSIONS
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.model.advice_bars import ShareBar
from mmstudio.gui.state import advice as session_advice
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import choose, click, click_box, go_to, named
from tests.gui.test_pages import cut_texts
from tests.planted_project import write_planted_project

Start = Callable[..., MainWindow]


@pytest.fixture
def xor(tmp_path: Path) -> Path:
    return write_planted_project(tmp_path / "Combined", "xor", rows=180)


def words_of(page: QWidget) -> str:
    line = named(page, "Advice", QFrame)
    return " ".join(part.text() for part in line.findChildren(QLabel) if part.isVisible())


def wait_for_advice(qtbot: QtBot, window: MainWindow) -> QWidget:
    page = go_to(window, "Model")
    qtbot.waitUntil(lambda: window.session.advice.advice is not None
                    and not window.session.advice.is_asking, timeout=PATIENCE_MS)
    return page


def test_it_comes_by_itself_says_why_and_is_taken(
    qtbot: QtBot, start_app: Start, xor: Path
) -> None:
    window = start_app(xor)
    page = wait_for_advice(qtbot, window)
    assert words_of(page).startswith(
        "Recommended: Multiplicative, because picture and words say in combination")
    click(named(page, "Why", QToolButton))
    qtbot.waitUntil(lambda: len(page.findChildren(ShareBar)) == 7, timeout=PATIENCE_MS)
    assert "A quick look at 150 rows, for “answer”" in words_of(page)
    qtbot.waitUntil(lambda: not cut_texts(page), timeout=PATIENCE_MS)
    click(named(page, "Use it", QPushButton))
    assert window.session.project.experiment.fusion.name == "multiplicative"
    assert named(page, "Fusion", QComboBox).currentData() == "multiplicative"
    assert words_of(page).startswith("Recommended, and chosen: Multiplicative")
    assert not [b for b in page.findChildren(QPushButton) if b.text() == "Use it" and b.isVisible()]


@pytest.mark.screen
def test_it_is_renewed_with_the_inputs_and_stays_with_the_fusion(
    qtbot: QtBot, start_app: Start, xor: Path
) -> None:
    window = start_app(xor)
    page = wait_for_advice(qtbot, window)
    advice = window.session.advice
    first = advice.advice
    choose(qtbot, named(page, "Fusion", QComboBox), "gated")
    assert advice.advice is first
    click_box(named(page, "words", QCheckBox))
    assert advice.advice is None
    qtbot.waitUntil(lambda: advice.advice is not None, timeout=PATIENCE_MS)
    assert advice.advice.rule == "one_input"
    assert "nothing to bring together" in words_of(page)


def test_large_data_is_looked_at_when_asked_for(
    qtbot: QtBot, start_app: Start, xor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_advice, "AUTOMATIC_ROWS", 100)
    window = start_app(xor)
    session = window.session
    page = go_to(window, "Model")
    qtbot.waitUntil(lambda: session.check.report is not None and not session.check.running,
                    timeout=PATIENCE_MS)
    session.advice._ask_unasked()
    assert not session.advice.is_asking
    click(named(page, "Ask for advice", QPushButton))
    assert "Looking which fusion suits the data" in words_of(page)
    qtbot.waitUntil(lambda: session.advice.advice is not None, timeout=PATIENCE_MS)
    assert "Multiplicative" in words_of(page)


def test_nobody_looks_and_nothing_is_done(qtbot: QtBot, start_app: Start, xor: Path) -> None:
    window = start_app(xor)
    session = window.session
    assert window.current_page == "Data"
    qtbot.waitUntil(lambda: session.check.report is not None and not session.check.running,
                    timeout=PATIENCE_MS)
    session.advice._ask_unasked()
    assert not session.advice.is_asking and session.advice.advice is None


def test_trouble_stays_in_its_line(qtbot: QtBot, start_app: Start, xor: Path) -> None:
    window = start_app(xor)
    page = wait_for_advice(qtbot, window)
    session = window.session
    told: list[str] = []
    session.jobs.problem.connect(lambda message, _: told.append(message))
    (xor / "metadata.csv").unlink()
    session.advice.ask()
    qtbot.waitUntil(lambda: not session.advice.is_asking, timeout=PATIENCE_MS)
    assert "No advice could be given" in words_of(page) and "metadata.csv" in words_of(page)
    assert not told
    assert named(page, "Ask for advice", QPushButton).isEnabled()


def test_a_training_goes_first(qtbot: QtBot, start_app: Start, xor: Path) -> None:
    window = start_app(xor)
    page = wait_for_advice(qtbot, window)
    session = window.session
    assert session.project.edit("training.epochs", 1)
    assert session.project.edit("training.combine", False)
    session.advice.ask()
    assert session.advice.is_asking
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.start()
        assert not session.advice.is_asking and not session.advice.can_ask
        assert not named(page, "Ask for advice", QPushButton).isEnabled()


@pytest.mark.screen
def test_the_list_of_fusions_is_in_groups(qtbot: QtBot, start_app: Start, xor: Path) -> None:
    window = start_app(xor)
    combo = named(go_to(window, "Model"), "Fusion", QComboBox)
    names = [combo.itemData(i) for i in range(combo.count())]
    assert sorted(name for name in names if name is not None) == FUSIONS.names()
    assert combo.itemText(0) == "Simple" and names[1] == "concat"
    titles = [i for i, name in enumerate(names) if name is None]
    assert len(titles) == 4  # every fusion has its group
    assert not any(combo.model().flags(combo.model().index(i, 0)) & Qt.ItemFlag.ItemIsEnabled
                   for i in titles)
    assert all(combo.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(len(names))
               if i not in titles)
    choose(qtbot, combo, "low_rank")
    assert window.session.project.experiment.fusion.name == "low_rank"


@pytest.mark.screen
def test_what_to_know_of_the_fusion_stands_below_it(
    qtbot: QtBot, start_app: Start, xor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def caution(inputs: int, options: dict[str, object]) -> str:
        return f"{inputs} inputs and a width of {options['hidden']} are costly: take another."

    monkeypatch.setattr(FUSIONS.get("sum"), "caution", staticmethod(caution))
    window = start_app(xor)
    page = go_to(window, "Model")
    warning = "2 inputs and a width of 128 are costly: take another."

    def shown() -> list[str]:
        return [part.text() for part in page.findChildren(QLabel) if part.isVisible()]

    assert warning not in shown()
    choose(qtbot, named(page, "Fusion", QComboBox), "sum")
    assert warning in shown()
    click(named(page, "About this fusion", QToolButton))
    qtbot.waitUntil(lambda: any(text.startswith("y = ") for text in shown()), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not cut_texts(page), timeout=PATIENCE_MS)
