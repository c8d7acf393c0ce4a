"""Every page: its controls under their names, by keyboard, empty, failing, light, dark, whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QListView,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QTableView,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mmstudio.gui import style
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.listed import PAGES
from mmstudio.gui.pages.testing.sample_cards import SampleCards
from mmstudio.gui.pages.train.warnings_note import WarningsNote
from mmstudio.gui.parts.cards import ElidedLabel
from mmstudio.gui.parts.dropped import Dropped
from mmstudio.gui.state import loading
from mmstudio.gui.state.session import Session
from mmstudio.training.events import Warned
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import accessible_name, click, drop, drop_files, named, read_scores

Start = Callable[..., MainWindow]
MOST_TABS = 150

CONTROLS: dict[str, list[tuple[type[QWidget], str]]] = {
    "": [(QPushButton, "Open sample project"), (QPushButton, "New project"),
         (QPushButton, "Open project")],
    "Data": [(QPushButton, "Import data"), (QTableView, "Samples"), (QListView, "Problems")],
    "Model": [(QCheckBox, "image"), (QCheckBox, "words"), (QCheckBox, "sound"),
              (QComboBox, "Fusion"), (QComboBox, "image encoder"), (QComboBox, "words encoder"),
              (QComboBox, "sound encoder")],
    "Train": [(QPushButton, "Start training"), (QPushButton, "Pause"), (QPushButton, "Stop"),
              (QFrame, "Loss"), (QFrame, "shape"), (QFrame, "size"), (QLabel, "Progress")],
    "Test": [(QFrame, "Drop samples here"), (QPushButton, "Next test sample"),
             (QPushButton, "Clear"), (QCheckBox, "Use image"), (QCheckBox, "Use words"),
             (QCheckBox, "Use sound"), (QListView, "Prediction: shape"),
             (QListView, "Prediction: size")],
    "Results": [(QComboBox, "Split"), (QTableView, "Samples of the cell")],
    "Runs": [(QTableView, "Runs")],
}
"""The table of the names that stay, for the small project."""

LOOKED_AT_ONLY = ("Loss", "shape", "size", "Progress")
"""Nothing can be done with them, so Tab passes them over; a screen reader finds them by name."""
DISABLED_AT_REST = ("Pause", "Stop")


def show(qtbot: QtBot, window: MainWindow, page: str) -> QWidget:
    """Show a page, complete: the model loaded, the plots drawn."""
    session = window.session
    window.go_to(page)
    QApplication.processEvents()  # what was laid out just now is shown in the next turn
    if page == "Test":
        qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    if page == "Results":
        qtbot.waitUntil(lambda: session.results.status == "ready", timeout=PATIENCE_MS)
    if page == "Train":
        plots = window.page("Train").plots
        qtbot.waitUntil(lambda: all(p.drawing for p in plots.plots()), timeout=PATIENCE_MS)
    return window.stack.currentWidget()


@pytest.fixture
def window(start_app: Start, project_with_run: Path) -> MainWindow:
    """The app on a project with runs, at the size that it must be readable at."""
    return start_app(project_with_run)


# Names and keyboard ------------------------------------------------------------------------


def test_the_title_begins_with_the_project(window: MainWindow) -> None:
    title = window.windowTitle()
    assert title.startswith(window.session.project.folder.name)
    assert title.endswith("Multimodal Studio")


@pytest.mark.parametrize("page", CONTROLS)
def test_the_controls_have_their_names_and_can_be_reached_by_tab(
    qtbot: QtBot, window: MainWindow, page: str
) -> None:
    if not page:
        assert window.session.opener.close()
    shown = show(qtbot, window, page)
    controls = [named(shown, name, kind) for kind, name in CONTROLS[page]]
    for control in controls:
        assert control.accessibleName()
    reached: list[QWidget] = []
    window.activateWindow()
    qtbot.waitUntil(lambda: window.isActiveWindow(), timeout=PATIENCE_MS)
    for _ in range(MOST_TABS):
        QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_Tab)
        focused = window.focusWidget()
        if focused in reached:
            break
        reached.append(focused)
    for control in controls:
        name = accessible_name(control)
        if name in LOOKED_AT_ONLY or name in DISABLED_AT_REST:
            continue
        assert control in reached, (name, [accessible_name(w) for w in reached])


def test_every_control_that_takes_the_focus_has_a_name(qtbot: QtBot, window: MainWindow) -> None:
    nameless = []
    for page in PAGES:
        shown = show(qtbot, window, page)
        for widget in shown.findChildren(QWidget):
            takes_focus = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            if widget.isVisible() and takes_focus and widget.focusProxy() is None:
                part = widget.parent()
                inside = isinstance(part, QComboBox) or type(widget) is QScrollArea
                if not accessible_name(widget) and not inside:
                    nameless.append(f"{page}: {widget}")
    assert not nameless


def test_ctrl_and_a_number_show_the_pages(qtbot: QtBot, window: MainWindow) -> None:
    window.activateWindow()
    qtbot.waitUntil(lambda: window.isActiveWindow(), timeout=PATIENCE_MS)
    for number, page in reversed(list(enumerate(PAGES, 1))):
        QTest.keyClick(window, Qt.Key(Qt.Key.Key_0 + number), Qt.KeyboardModifier.ControlModifier)
        assert window.current_page == page


# Empty states ------------------------------------------------------------------------------


def words_on(page: QWidget) -> str:
    labels = [label.text() for label in page.findChildren(QLabel) if label.isVisible()]
    return " ".join(labels)


@pytest.mark.parametrize(
    ("page", "words", "action"),
    [
        ("Data", "Choose a table", "Choose data"),
        ("Model", "Add data first", "Go to the data"),
        ("Train", "Open the sample project or your own data", "Go to the Data page"),
        ("Test", "Train one first", "Go to the Train page"),
        ("Runs", "Train a model", "Go to training"),
    ],
)
def test_an_empty_page_says_what_to_do_next(
    qtbot: QtBot, start_app: Start, tmp_path: Path, page: str, words: str, action: str
) -> None:
    window = start_app()
    with qtbot.waitSignal(window.session.runs.changed, timeout=PATIENCE_MS):
        window.session.opener.make(tmp_path / "Empty")
    window.go_to(page)
    shown = window.stack.currentWidget()
    assert words in words_on(shown)
    button = named(shown, action, QPushButton)
    if button.menu() is None:
        click(button)
        assert window.current_page != page


def test_without_a_project_only_the_start_page_can_be_shown(start_app: Start) -> None:
    window = start_app()
    assert window.current_page == ""
    assert not any(window.rail.button(page).isEnabled() for page in PAGES)
    window.go_to("Train")
    assert window.current_page == ""


# What goes wrong ---------------------------------------------------------------------------


def test_a_project_that_cannot_be_read_is_told_in_a_banner(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    (small_project / "experiment.toml").write_text("[training]\nepochs = \n", encoding="utf-8")
    window = start_app()
    with qtbot.waitSignal(window.session.jobs.problem, timeout=PATIENCE_MS):
        window.session.opener.open(small_project)
    banner = named(window, "Problem", QFrame)
    assert "experiment.toml" in words_on(banner)
    assert window.isVisible() and window.current_page == ""
    assert named(window, "Open sample project", QPushButton).isEnabled()
    click(named(banner, "Dismiss", QToolButton))
    assert not banner.isVisible()


def test_a_project_whose_data_is_gone_says_where_it_should_be(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    (small_project / "metadata.csv").unlink()
    window = start_app(small_project)
    assert window.current_page == "Data"
    assert "metadata.csv" in words_on(window.page("Data"))
    assert named(window, "Problem", QFrame).isVisible()
    for page in PAGES:
        window.go_to(page)
        assert window.current_page == page


def test_a_model_whose_loading_an_import_left_is_loaded_again(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, go, really = window.session, threading.Event(), loading.load_predictor
    asked: list[Path] = []

    def load(run: Path, table: Any) -> Any:
        asked.append(run)
        assert len(asked) > 1 or go.wait(60)
        return really(run, table)

    monkeypatch.setattr(loading, "load_predictor", load)
    window.go_to("Test")
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=PATIENCE_MS)
    session.opener.import_data(session.project.folder / "metadata.csv")
    qtbot.waitUntil(lambda: len(asked) == 2 and session.testing.predictor is not None,
                    timeout=PATIENCE_MS)
    assert asked[0] == asked[1] == session.testing.run
    go.set()


def test_an_unknown_file_is_named_and_the_sample_stays(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    page = show(qtbot, window, "Test")
    area = named(page, "Drop samples here", QFrame)
    with qtbot.waitSignal(window.session.testing.predicted, timeout=PATIENCE_MS):
        click(named(page, "Next test sample", QPushButton))
    before = read_scores(page, "shape")
    strange = tmp_path / "letter.docx"
    strange.write_bytes(b"PK")
    assert drop_files(area, [strange])
    note = named(page, "Test message", QFrame)
    assert "letter.docx" in words_on(note)
    assert ".png" in words_on(note)
    assert read_scores(page, "shape") == before


def test_a_changed_test_sample_says_what_is_still_of_its_row(
    qtbot: QtBot, window: MainWindow
) -> None:
    page = show(qtbot, window, "Test")
    area = named(page, "Drop samples here", QFrame)
    pictures = window.session.project.folder / "images"
    following = named(page, "Next test sample", QPushButton)
    click(following)
    while not (page.board.values()["words"] and page.board.values()["image"]):
        click(following)
    line = page.sample_line.text()
    assert line.startswith("Test sample · row ")
    row = line.rpartition(" ")[2]
    assert drop_files(area, [pictures / "000.png"])
    changed = page.sample_line.text()
    assert changed.startswith(f"Changed · still of row {row}: ")
    assert "words" in changed and "image" not in changed
    box = named(page, "Text: words", QPlainTextEdit)
    box.setFocus()
    QTest.keyClicks(box, "x")
    qtbot.waitUntil(lambda: "words" not in page.sample_line.text(), timeout=PATIENCE_MS)
    click(named(page, "Clear", QPushButton))
    assert page.sample_line.text() == ""


def test_a_broken_file_is_told_and_counts_as_absent(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    page = show(qtbot, window, "Test")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert drop_files(named(page, "Drop samples here", QFrame), [broken])
    qtbot.waitUntil(
        lambda: "broken.png" in words_on(page) and page.board.values()["image"] is None,
        timeout=PATIENCE_MS,
    )


# Warnings of a run -------------------------------------------------------------------------


def test_all_warnings_can_be_read_and_a_closed_note_stays_closed(qtbot: QtBot) -> None:
    note = WarningsNote()
    qtbot.addWidget(note)
    warnings = [Warned("First thing.", "Do this."), Warned("Second thing.")]
    note.show_warnings(warnings[:1])
    assert note.text == "First thing. Do this."
    note.show_warnings(warnings)
    assert note.text == "Second thing."
    click(named(note, "All warnings", QPushButton))
    assert all(words in note.text for words in ("First thing.", "Do this.", "Second thing."))
    click(named(note, "Close this message", QToolButton))
    note.show_warnings(warnings)
    assert note.text == ""
    note.show_warnings([*warnings, Warned("Third thing.")])
    assert note.text == "Third thing."
    note.forget()
    note.show_warnings([])
    assert note.text == ""


# Drop to answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["Drop samples here", "Input: image", "page"])
def test_a_dropped_file_gives_an_answer_wherever_it_falls(
    qtbot: QtBot, window: MainWindow, target: str
) -> None:
    page = show(qtbot, window, "Test")
    onto = page if target == "page" else named(page, target, QFrame)
    with qtbot.waitSignal(page.answers.painted, timeout=PATIENCE_MS):
        assert drop_files(onto, [window.session.project.folder / "images" / "000.png"])
        qtbot.waitUntil(lambda: bool(read_scores(page, "shape")), timeout=PATIENCE_MS)
    scores = read_scores(page, "shape")
    assert set(scores) == {"bar", "cross", "dot"}
    assert sum(scores.values()) == pytest.approx(100, abs=0.3)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    qtbot.waitUntil(lambda: page.last_answer_ms is not None, timeout=PATIENCE_MS)


def test_each_file_that_the_model_does_not_take_is_named(
    qtbot: QtBot, session: Session, tmp_path: Path
) -> None:
    board = SampleCards(session.jobs)
    qtbot.addWidget(board)
    board.set_inputs({"face": "image"})
    places = [tmp_path / name for name in ("song.wav", "other.flac", "data.xyz")]
    for place in places:
        place.touch()
    with qtbot.waitSignal(board.message, timeout=PATIENCE_MS) as told:
        board.take(Dropped(files=(*places, tmp_path / "gone.png")))
    assert told.args[0] == ("song.wav, other.flac: this model takes no sounds. "
                            "data.xyz: this kind of file is not known. "
                            "gone.png: a folder, or gone.")


def test_a_run_of_ones_own_answers_before_those_of_a_comparison(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    runs = project_with_run / "runs"
    (runs / "second").rename(runs / "comparison-1.concat.seed0")  # the newer one
    window = start_app(project_with_run)
    assert window.session.results.usual_run() == runs / "first"
    page = show(qtbot, window, "Test")
    assert [run.name for run in page.models.runs()] == ["comparison-1.concat.seed0", "first"]
    assert page.models.box.currentText() == "first"


def test_dropped_text_and_a_picture_without_a_file_are_taken(
    qtbot: QtBot, window: MainWindow
) -> None:
    page = show(qtbot, window, "Test")
    area = named(page, "Drop samples here", QFrame)
    text = QMimeData()
    text.setText("two roads meet")
    with qtbot.waitSignal(window.session.testing.predicted, timeout=PATIENCE_MS) as answer:
        assert drop(area, text)
    assert answer.args[0].present == ("words",)
    picture = QMimeData()
    pixmap = QPixmap(16, 16)
    pixmap.fill(Qt.GlobalColor.white)
    picture.setImageData(pixmap.toImage())
    with qtbot.waitSignal(window.session.testing.predicted, timeout=PATIENCE_MS) as answer:
        assert drop(area, picture)
    assert set(answer.args[0].present) == {"image", "words"}


def test_an_address_on_the_web_is_not_fetched(qtbot: QtBot, window: MainWindow) -> None:
    page = show(qtbot, window, "Test")
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/cat.png")])
    drop(named(page, "Drop samples here", QFrame), mime)
    assert "Save the file first" in words_on(named(page, "Test message", QFrame))


def test_typing_asks_the_model_anew(qtbot: QtBot, window: MainWindow) -> None:
    page = show(qtbot, window, "Test")
    box = named(page, "Text: words")
    with qtbot.waitSignal(window.session.testing.predicted, timeout=PATIENCE_MS):
        QTest.keyClicks(box, "round little point")
    assert read_scores(page, "shape")


# Closing -----------------------------------------------------------------------------------


def test_closing_while_it_trains_asks_then_stops_and_keeps_the_model(
    qtbot: QtBot, window: MainWindow
) -> None:
    session = window.session
    assert session.project.edit("training.epochs", 10_000)
    session.project.edit("training.patience", 1000)
    session.training.start()
    qtbot.waitUntil(
        lambda: session.runs.history is not None and bool(session.runs.history.epochs),
        timeout=PATIENCE_MS,
    )
    run = session.runs.shown
    window.close()
    assert window.isVisible()
    click(next(b for b in window.findChildren(QPushButton) if b.text() == "Stop and close"))
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=PATIENCE_MS)
    assert (run / "best.safetensors").is_file()


# Look --------------------------------------------------------------------------------------


def test_light_and_dark_keep_all_pages_working(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    with qtbot.waitSignal(session.runs.opened, timeout=PATIENCE_MS):
        session.runs.open(session.runs.listed[0].path)
    for page in PAGES:
        show(qtbot, window, page)
    for dark in (True, False, True):
        click(named(window, "Light or dark", QToolButton))
        assert style.palette().dark is dark
        for page in PAGES:
            shown = show(qtbot, window, page)
            corner = shown.grab().toImage().pixelColor(2, 2)
            assert (corner.lightness() < 128) is dark, page
        page = show(qtbot, window, "Test")
        with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
            click(named(page, "Next test sample", QPushButton))
        assert read_scores(page, "shape")


def unfolded(page: QWidget) -> None:
    """Open every "More options"."""
    for button in page.findChildren(QToolButton):
        if button.isVisible() and button.isCheckable() and "options" in button.text().lower():
            button.setChecked(True)


def cut_texts(root: QWidget) -> list[str]:
    """What is wider or higher than the room it has, and has no "…" that says so."""
    cut = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget, ElidedLabel):
            continue
        text, room, needed = "", widget.width(), 0
        if isinstance(widget, QLabel) and widget.text():
            text = widget.text()
            if widget.wordWrap():
                room, needed = widget.height(), widget.heightForWidth(widget.width())
            else:
                needed = widget.sizeHint().width()
        elif isinstance(widget, QAbstractButton) and widget.text():
            text, needed = widget.text(), widget.sizeHint().width()
        elif isinstance(widget, QComboBox):
            option = QStyleOptionComboBox()
            widget.initStyleOption(option)
            field = widget.style().subControlRect(
                QStyle.ComplexControl.CC_ComboBox, option,
                QStyle.SubControl.SC_ComboBoxEditField, widget,
            )
            text, room = widget.currentText(), field.width()
            needed = widget.fontMetrics().horizontalAdvance(text)
        if needed > room + 1:
            cut.append(f"{type(widget).__name__} {text!r}: {needed} in {room} pixels")
    return cut


@pytest.mark.parametrize("page", ["", *PAGES])
def test_at_1280_by_800_nothing_is_cut(qtbot: QtBot, window: MainWindow, page: str) -> None:
    if not page:
        assert window.session.opener.close()
    elif page == "Train":
        with qtbot.waitSignal(window.session.runs.opened, timeout=PATIENCE_MS):
            window.session.runs.open(window.session.runs.listed[0].path)
    shown = show(qtbot, window, page)
    qtbot.waitUntil(lambda: not window.session.check.running, timeout=PATIENCE_MS)
    for unfold in (False, True):
        if unfold:
            unfolded(shown)
        if page == "Test":
            with qtbot.waitSignal(shown.answers.painted, timeout=PATIENCE_MS):
                click(named(shown, "Next test sample", QPushButton))
        QApplication.processEvents()
        assert window.size().width() == 1280 and window.size().height() == 800
        assert not cut_texts(window)
        sideways = [
            area for area in shown.findChildren(QScrollArea)
            if area.isVisible() and area.objectName() != "Confusion matrices"
            and area.horizontalScrollBar().maximum() > 0
        ]
        assert not sideways, "a page must not be scrolled sideways"
