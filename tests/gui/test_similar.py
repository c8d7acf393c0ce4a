"""Find similar on the Test page, and the plot of recall on the Train page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.testing.similar_card import SimilarCard, nearness_words
from mmstudio.gui.parts.dropped import Dropped
from mmstudio.inference.similar import FILE, Similar
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named
from tests.gui.test_pages import cut_texts
from tests.small_project import read_rows, train_small, write_small_project

ALIGNED = {"training.alignment": 1.0, "training.epochs": 6}


@pytest.fixture(scope="module")
def aligned_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project with a run `first` that has alignment. Not to be written to."""
    folder = write_small_project(tmp_path_factory.mktemp("aligned") / "Shapes")
    train_small(folder, ALIGNED)
    return folder


@pytest.fixture
def project(aligned_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(aligned_project, tmp_path / "Shapes"))


def loaded(qtbot: QtBot, window: MainWindow) -> Any:
    """The Test page with a model."""
    page = go_to(window, "Test")
    qtbot.waitUntil(lambda: window.session.testing.predictor is not None, timeout=PATIENCE_MS)
    return page


def shown(page: Any, name: str) -> list[SimilarCard]:
    cards = page.side.similar.cards.get(name, [])
    return [card for card in cards if card.isVisible()]


def test_a_sample_finds_what_is_similar(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project: Path
) -> None:
    window = start_app(project)
    page = loaded(qtbot, window)
    assert not page.why.similar_button.isVisible()
    click(named(page, "Why", QToolButton))
    click(named(page, "Nearest samples in the data", QPushButton))  # as "Find similar" does
    assert named(page, "Find similar", QToolButton).isChecked()
    assert "appears here" in page.side.similar.status.text()
    click(named(page, "Next test sample", QPushButton))
    qtbot.waitUntil(lambda: bool(shown(page, "words")), timeout=PATIENCE_MS)
    assert (project / "runs" / "first" / FILE).is_file()
    asked = named(page, "Similar to", QComboBox).currentText()
    assert asked == "image"
    assert [len(shown(page, name)) for name in ("image", "words", "sound")] == [5, 5, 5]
    first = shown(page, "image")[0]
    assert first.similar.cosine == pytest.approx(1, abs=1e-3)
    assert "the same" in first.nearness and first.nearness in first.accessibleDescription()
    # what is of another kind than the question comes first
    assert list(page.side.similar.cards) == ["words", "sound", "image"]
    texts = {label.text() for label in shown(page, "words")[0].findChildren(QLabel)}
    assert shown(page, "words")[0].similar.value in texts
    qtbot.waitUntil(lambda: not shown(page, "sound")[0]._wave.pixmap().isNull(),
                    timeout=PATIENCE_MS)
    # another input of the sample asks
    named(page, "Similar to", QComboBox).setCurrentText("words")
    named(page, "Similar to", QComboBox).activated.emit(1)
    qtbot.waitUntil(lambda: list(page.side.similar.cards) == ["image", "sound", "words"],
                    timeout=PATIENCE_MS)
    click(named(page, "Clear", QPushButton))
    assert not page.side.similar.cards and "appears here" in page.side.similar.status.text()
    assert not named(page, "Find similar", QToolButton).isHidden()


def test_what_is_dropped_is_asked_for_and_muted_inputs_are_not(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project: Path
) -> None:
    window = start_app(project)
    page = loaded(qtbot, window)
    click(named(page, "Find similar", QToolButton))
    row = next(r for r in read_rows(project) if r["audio"])
    page.take(Dropped(files=(project / row["audio"],)))
    qtbot.waitUntil(lambda: bool(shown(page, "sound")), timeout=PATIENCE_MS)
    box = named(page, "Similar to", QComboBox)
    assert [box.itemText(i) for i in range(box.count())] == ["sound"]
    assert shown(page, "sound")[0].similar.value == project / row["audio"]
    page.board.cards["sound"].use_box.setChecked(False)
    qtbot.waitUntil(lambda: not page.side.similar.cards)


def test_a_model_without_alignment_says_how_to_get_it(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = loaded(qtbot, window)
    click(named(page, "Find similar", QToolButton))
    assert "Alignment" in page.side.similar.empty.text.text()
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: not cut_texts(page), timeout=PATIENCE_MS)
    click(named(page, "Turn alignment on", QPushButton))
    assert window.current_page == "Train"


def test_a_file_that_is_gone_is_told(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project: Path
) -> None:
    window = start_app(project)
    page = loaded(qtbot, window)
    with qtbot.waitSignal(window.session.similar.failed, timeout=PATIENCE_MS) as told:
        window.session.similar.ask("image", project / "gone.png")
    assert "gone.png" in told.args[0]
    assert "gone.png" in page.side.similar.status.text()


def test_another_model_forgets_the_data_of_the_last(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project: Path
) -> None:
    window = start_app(project)
    loaded(qtbot, window)
    similar = window.session.similar
    with qtbot.waitSignal(similar.found, timeout=PATIENCE_MS):
        similar.ask("words", "two roads meet")
    similar.ask("words", "two roads")  # on its way while the other model comes
    window.session.testing.forget()
    assert not similar.possible and not similar.is_preparing and similar._index is None


def test_a_run_of_alignment_alone_shows_what_is_similar_first(
    qtbot: QtBot, start_app: Callable[..., MainWindow], tmp_path: Path
) -> None:
    project = write_small_project(tmp_path / "Shapes")
    train_small(project, {**ALIGNED, "training.epochs": 2, "training.alignment_epochs": 2})
    page = loaded(qtbot, start_app(project))
    qtbot.waitUntil(lambda: page.side.similar.isVisible())
    assert "find what belongs together" in page.note.text


def test_recall_is_drawn_where_inputs_are_aligned(
    qtbot: QtBot, start_app: Callable[..., MainWindow], project: Path
) -> None:
    window = start_app(project)
    page = go_to(window, "Train")
    assert not page.plots.recall.isVisible()
    window.session.project.edit("training.alignment", 1.0)
    assert page.plots.recall.isVisible()
    window.session.project.edit("training.alignment", 0.0)
    assert not page.plots.recall.isVisible()
    with qtbot.waitSignal(window.session.runs.opened, timeout=PATIENCE_MS):
        window.session.runs.open(project / "runs" / "first")
    plot = page.plots.recall
    qtbot.waitUntil(lambda: "chance" in plot.text_values(), timeout=PATIENCE_MS)
    assert plot.isVisible() and plot.rank == 1  # nine rows: the first place alone tells anything
    assert all(name in plot.text_values() for name in ("image", "words", "sound"))


def test_a_cosine_in_words() -> None:
    def of(cosine: float, nearness: float) -> str:
        return nearness_words(Similar(0, cosine, "a", nearness))

    assert of(1.0, 1.0) == "the same" and of(0.4, 1.1) == "very similar"
    assert of(0.4, 0.6) == "similar" and of(0.4, 0.3) == "a little similar"
    assert of(0.9, 0.1) == "hardly similar" and of(-0.5, -1) == "hardly similar"
