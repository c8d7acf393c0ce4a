"""A project's own components in the window: asked about, shown in the form, left out if refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.fusion import FUSIONS
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.testing.sample_cards import SampleCards
from mmstudio.gui.parts.dropped import Dropped
from mmstudio.gui.state.session import Session
from mmstudio.modalities import MODALITIES
from mmstudio.modalities.base import Modality
from mmstudio.own_components import component_files, load_components, trust
from mmstudio.project import places
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named
from tests.small_project import write_small_project
from tests.test_own_components import write_component

pytestmark = pytest.mark.screen

Start = Callable[..., MainWindow]


@pytest.fixture
def own_project(small_project: Path) -> Iterator[Path]:
    """The small project with a fusion of its own, which goes again."""
    write_component(small_project)
    yield small_project
    load_components(small_project.parent / "nowhere")


def question(qtbot: QtBot, window: MainWindow) -> QMessageBox:
    found: list[QMessageBox] = []

    def shown() -> bool:
        found[:] = [b for b in window.findChildren(QMessageBox) if b.isVisible()]
        return bool(found)

    qtbot.waitUntil(shown, timeout=PATIENCE_MS)
    return found[0]


def answer(qtbot: QtBot, window: MainWindow, text: str) -> None:
    box = question(qtbot, window)
    (button,) = [b for b in box.findChildren(QPushButton) if b.text() == text]
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        click(button)


def fusions(window: MainWindow) -> tuple[QComboBox, list[str]]:
    combo = named(go_to(window, "Model"), "Fusion", QComboBox)
    return combo, [str(combo.itemData(i)) for i in range(combo.count())]


def test_allowed_once_they_are_in_the_form_and_trained(
    qtbot: QtBot, start_app: Start, own_project: Path
) -> None:
    window = start_app()
    session = window.session
    session.opener.open(own_project)
    box = question(qtbot, window)
    assert "largest.py" in box.text() and "delete your files" in box.informativeText()
    assert box.defaultButton().text() == "Open without it"
    assert session.project.folder is None
    answer(qtbot, window, "Run it")
    combo, names = fusions(window)
    assert "largest" in names
    combo.setCurrentIndex(names.index("largest"))  # it may lie below what the list shows
    combo.activated.emit(combo.currentIndex())
    project = session.project
    qtbot.waitUntil(lambda: project.experiment.fusion.name == "largest", timeout=PATIENCE_MS)
    session.project.save_pending()
    assert Experiment.load(own_project / "experiment.toml").fusion.name == "largest"
    window.go_to("Train")
    qtbot.waitUntil(lambda: session.libraries.ready, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.training.ended, timeout=2 * PATIENCE_MS):
        session.training.start()
    assert (session.runs.shown / "components" / "largest.py.txt").is_file()
    session.opener.close()
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open(own_project)
    assert not [b for b in window.findChildren(QMessageBox) if b.isVisible()]


def test_refused_the_project_is_open_without_them_and_not_asked_again(
    qtbot: QtBot, start_app: Start, own_project: Path
) -> None:
    window = start_app()
    window.session.opener.open(own_project)
    answer(qtbot, window, "Open without it")
    assert window.session.project.folder == own_project
    assert "largest" not in fusions(window)[1]
    window.session.opener.close()
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        window.session.opener.open(own_project)


def test_after_an_opening_that_fails_or_asks_the_open_project_has_its_own_again(
    qtbot: QtBot, session: Session, own_project: Path, tmp_path: Path
) -> None:
    trust(component_files(own_project))
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open(own_project)
    assert "largest" in FUSIONS.names()
    broken = tmp_path / "Broken"
    broken.mkdir()
    (broken / "experiment.toml").write_text("not = [toml")
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS):
        session.opener.open(broken)
    qtbot.waitUntil(lambda: "largest" in FUSIONS.names(), timeout=PATIENCE_MS)
    assert session.project.folder == own_project and session.opener.busy == ""
    write_component(broken, "evil", "evil.py")
    load_components(broken)
    with qtbot.waitSignal(session.opener.trust_asked, timeout=PATIENCE_MS):
        session.opener.open(broken)
    qtbot.waitUntil(lambda: "largest" in FUSIONS.names(), timeout=PATIENCE_MS)


def test_an_opening_that_was_left_loads_no_components(
    qtbot: QtBot, session: Session, own_project: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trust(component_files(own_project))
    first = write_small_project(tmp_path / "First", rows=12)
    began, go, really = threading.Event(), threading.Event(), places.project_of

    def slow(path: Path) -> Path:
        if path == first:
            began.set()
            assert go.wait(60)
        return really(path)

    monkeypatch.setattr(places, "project_of", slow)
    session.opener.open(first)
    assert began.wait(60)
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open(own_project)
    go.set()
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)
    assert session.project.folder == own_project and "largest" in FUSIONS.names()


@pytest.fixture
def spectra() -> Iterator[str]:
    """A modality of files that the window has no picture of."""

    @MODALITIES.register("spectrum", title="Spectrum", summary="Made by a machine.")
    class Spectrum(Modality):
        suffixes = (".spx",)
        default_encoder = "none"
        dtype = "float32"

    yield "spectrum"
    MODALITIES.remove("spectrum")


def test_a_file_of_a_modality_of_ones_own_is_shown_by_its_name_and_stays_a_file(
    qtbot: QtBot, session: Session, spectra: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.spx"
    file.write_bytes(b"\xff\x00 no text")
    board = SampleCards(session.jobs)
    qtbot.addWidget(board)
    told: list[str] = []
    board.message.connect(lambda message, hint, kind: told.append(message))
    board.set_inputs({"light": spectra})
    card = board.cards["light"]
    assert [t.text() for t in card.findChildren(QLabel) if "answers without" in t.text()] == [
        "No file — the model answers without it"]
    board.take(Dropped(files=(file,)))
    qtbot.waitUntil(lambda: card.text_box.toPlainText() == "a.spx", timeout=PATIENCE_MS)
    assert board.values() == {"light": file} and told == []
    assert card.text_box.isReadOnly()
    board.clear()
    assert board.values() == {"light": None}


def test_an_installed_package_that_fails_is_told(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    told: list[str] = []
    session.jobs.problem.connect(lambda message, hint: told.append(message))
    monkeypatch.setattr("mmstudio.gui.state.libraries.PROBLEMS", ["The package x can't bring it."])
    with qtbot.waitSignal(session.jobs.problem, timeout=PATIENCE_MS):
        session.libraries.warm_up()
    assert told == ["The package x can't bring it."]
    session.shutdown()
    session.deleteLater()


def test_one_that_fails_is_told_and_the_project_is_open(
    qtbot: QtBot, start_app: Start, own_project: Path
) -> None:
    (own_project / "components" / "largest.py").write_text("1 / 0\n")
    window = start_app()
    told: list[str] = []
    window.session.jobs.problem.connect(lambda message, hint: told.append(message))
    window.session.opener.open(own_project)
    answer(qtbot, window, "Run it")
    assert window.session.project.folder == own_project
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE_MS)
    assert "largest.py, line 1 can't be used" in told[0] and "division by zero" in told[0]
