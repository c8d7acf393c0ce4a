"""What needs room gets it: boxes, the window, the model's cards, plots, the tables' columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from mmstudio.gui import style
from mmstudio.gui.main_window import MainWindow, first_place
from mmstudio.gui.pages.runs.runs_model import RunsModel
from mmstudio.gui.pages.runs.runs_table import shrink
from mmstudio.gui.state.heavy_work import TRAINING
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to
from tests.gui.test_pages import cut_texts
from tests.planted_project import write_planted_project
from tests.small_project import train_small

Start = Callable[..., MainWindow]


def box_of(qtbot: QtBot, window: MainWindow) -> QMessageBox:
    def on_show() -> list[QMessageBox]:
        return [box for box in window.findChildren(QMessageBox) if box.isVisible()]

    qtbot.waitUntil(lambda: len(on_show()) == 1, timeout=PATIENCE_MS)
    return on_show()[0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_box_cuts_its_words(
    qtbot: QtBot, start_app: Start, project_with_run: Path, theme: str
) -> None:
    long_name = project_with_run / "runs" / "concat-image-words-sound-of-a-long-afternoon"
    (project_with_run / "runs" / "first").rename(long_name)
    window = start_app(project_with_run, theme=theme)
    assert style.palette().dark is (theme == "dark")
    page = go_to(window, "Runs")
    page.select_run(long_name)
    window.session.heavy.begin(TRAINING, lambda: None)  # of which one of the boxes asks

    for ask in (window.menus.show_shortcuts, window.menus.show_about, window._ask_stop,
                lambda: click(page.delete_button)):
        ask()
        box = box_of(qtbot, window)
        assert not cut_texts(box)
        for label in box.findChildren(QLabel):
            assert label.width() >= label.minimumSizeHint().width(), label.text()
        box.close()
    window.session.heavy.end()


@pytest.mark.parametrize(("screen", "size"), [
    (QRect(0, 0, 1280, 800), (1264, 752)),
    (QRect(0, 32, 1366, 736), (1280, 688)),
    (QRect(1920, 0, 1920, 1080), (1280, 800)),
])
def test_at_first_the_window_and_its_frame_fit_the_screen(
    screen: QRect, size: tuple[int, int]
) -> None:
    place = first_place(screen)
    assert place.size().toTuple() == size
    assert screen.contains(place.adjusted(-8, -40, 8, 8))


def test_advice_of_another_length_is_shown_whole(
    qtbot: QtBot, start_app: Start, small_project: Path, tmp_path: Path
) -> None:
    projects = [small_project, write_planted_project(tmp_path / "Combined", "xor", rows=60)]
    window = start_app(small_project)
    page = go_to(window, "Model")
    advice = window.session.advice
    advice._settled.timeout.disconnect()  # the test itself advises
    text = page._fusion.advice._text
    def give(words: int) -> None:
        advice.advice = None if not words else SimpleNamespace(
            title="Multiplicative", fusion="multiplicative", reason="because words " * words,
            probe=None, note="", source="counts", findings=[])
        advice.changed.emit(advice.advice)

    for round_, words in enumerate((14, 2, 20, 35, 5, 9, 14, 6, 20, 12)):
        if round_ % 3 == 1:
            session = window.session
            other = projects[(round_ // 3 + 1) % 2]
            with qtbot.waitSignals([session.project.changed, session.runs.changed],
                                   timeout=PATIENCE_MS):
                session.opener.open(other)
        if round_ % 2:
            go_to(window, "Data")
        give(0)
        give(words)
        go_to(window, "Model")
        qtbot.waitUntil(lambda: text.height() >= text.heightForWidth(text.width()),
                        timeout=PATIENCE_MS)


def test_plots_keep_a_height_at_which_they_can_be_read(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Train")
    page.options.more_button.setChecked(True)
    for note in (page.failed_note, page.warning_note):
        note.show_note("Something is not as it should be.", "Look at the data.", "warn")
    qtbot.waitUntil(lambda: not cut_texts(page), timeout=PATIENCE_MS)
    assert min(plot.height() for plot in page.plots.plots()) >= 150
    assert page._views.height() >= 2 * 160


# The list of runs --------------------------------------------------------------------------


def test_runs_of_the_command_line_are_noticed_and_the_selection_stays(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = go_to(window, "Runs")
    qtbot.waitUntil(lambda: not window.session.runs.looking, timeout=PATIENCE_MS)
    page.select_run(project_with_run / "runs" / "first")
    listed: list[int] = []
    window.session.runs.changed.connect(lambda: listed.append(1))
    go_to(window, "Data")
    go_to(window, "Runs")
    qtbot.waitUntil(lambda: not window.session.runs.looking, timeout=PATIENCE_MS)
    assert not listed, "nothing has changed"

    train_small(project_with_run, {"training.epochs": 1}, run="third")
    go_to(window, "Data")
    go_to(window, "Runs")
    qtbot.waitUntil(lambda: page.model.rowCount() == 3, timeout=PATIENCE_MS)
    assert [run.name for run in page.table.selected()] == ["first"]

    (project_with_run / "runs" / "second").rename(project_with_run / "second")
    window.session.runs.look_again()  # as when the window is activated
    qtbot.waitUntil(lambda: page.model.rowCount() == 2, timeout=PATIENCE_MS)
    assert [run.name for run in page.table.selected()] == ["first"]


def test_no_best_epoch_is_no_number(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    from dataclasses import replace

    window = start_app(project_with_run)
    model = RunsModel()
    model.show_runs([replace(window.session.runs.listed[0], best_epoch=0, metrics={})])
    heads = [model.headerData(i, Qt.Orientation.Horizontal) for i in range(model.columnCount())]
    assert model.index(0, heads.index("Best\nepoch")).data() == "—"


def test_the_heads_of_figures_say_whose_they_are(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    model = RunsModel()
    model.show_runs(start_app(project_with_run).session.runs.listed)
    sides = (Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    tips = {str(model.headerData(i, sides[0])).replace("\n", " "): model.headerData(i, *sides)
            for i in range(model.columnCount())}
    assert "of what the run answers with" in tips["Shape accuracy"]
    assert tips["Best epoch"] == "Of the fusion's curves"
    assert tips["Name"] is None


def test_the_widest_columns_give_way_first() -> None:
    widths = [300, 80, 160, 110]
    shrink(widths, {0: 200, 2: 84, 3: 84}, 500)
    assert sum(widths) == 500
    assert widths[1] == 80
    assert widths[3] == 110
    widths = [300, 80]
    shrink(widths, {0: 200}, 100)
    assert widths == [200, 80]


def test_files_names_give_way_to_texts(start_app: Start, small_project: Path) -> None:
    window = start_app(small_project)
    page = go_to(window, "Data")
    view = page.samples
    model = page.model
    widths = {model.name_of(i): view.columnWidth(i) for i in range(model.columnCount())}
    texts = [name for name in widths if model.is_text(name)]
    files = [name for name in widths if model._picture_width(name)]
    assert texts and files
    assert all(widths[text] > widths[file] for text in texts for file in files)
