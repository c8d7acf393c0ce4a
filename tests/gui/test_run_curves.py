"""The Runs page's card of curves: what it reads, shows, and saves."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QSlider
from pytestqt.qtbot import QtBot

from mmstudio.gui import style
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.runs.curves_card import SMOOTHINGS, CurvesCard
from mmstudio.gui.plots.overlay_plot import OverlayLine, OverlayPlot, pen_of, time_unit
from mmstudio.gui.state import run_curves
from mmstudio.training.run_curves import STEP_LOSS, VALIDATION_LOSS
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named

Start = Callable[..., MainWindow]


def card_of(qtbot: QtBot, window: MainWindow, project: Path, *names: str) -> CurvesCard:
    """The card once it shows the curves of these runs."""
    page = go_to(window, "Runs")
    page.table.clearSelection()
    page.table.select([project / "runs" / name for name in names])
    store = window.session.run_curves
    qtbot.waitUntil(lambda: {run.name for run in store.overlay.runs} == set(names),
                    timeout=PATIENCE_MS)
    assert page.curves_card is not None and page.curves_card.isVisible()
    return page.curves_card


def test_selected_runs_lie_over_each_other(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    card, store = card_of(qtbot, window, project_with_run, "first", "second"), (
        window.session.run_curves)
    assert store.overlay.wish.figure == VALIDATION_LOSS
    assert {one.run.name: one.x.tolist() for one in store.overlay.lines} == {
        "first": [1, 2, 3, 4, 5, 6], "second": [1, 2]}
    assert "first" in card.legend.text() and "second" in card.legend.text()
    differs = {row[0].text for row in card.differs.figures.rows}
    assert {"fusion.name", "training.epochs"} <= differs

    figure = named(card, "Figure", QComboBox)
    figure.setCurrentText("Loss of each step")
    named(card, "Lower axis", QComboBox).setCurrentText("Steps")
    named(card, "Smoothing", QSlider).setValue(SMOOTHINGS.index(0.5))
    qtbot.waitUntil(lambda: store.overlay.wish == run_curves.Wish(STEP_LOSS, "step", 0.5),
                    timeout=PATIENCE_MS)
    line = next(one for one in store.overlay.lines if one.run.name == "first")
    assert line.x[:2].tolist() == [1, 2]
    assert line.y[1] == pytest.approx((0.5 * line.raw[0] + line.raw[1]) / 1.5)


def test_without_a_selection_and_when_it_is_closed_there_is_no_card(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    card = card_of(qtbot, window, project_with_run, "first")
    page = window.page("Runs")
    assert not card.differs_title.isVisible()
    page.table.clearSelection()
    qtbot.waitUntil(card.isHidden, timeout=PATIENCE_MS)
    page.table.select([project_with_run / "runs" / "first"])
    qtbot.waitUntil(card.isVisible, timeout=PATIENCE_MS)
    QApplication.processEvents()  # laid out in the next turn
    click(named(card, "Close curves"))
    assert not card.isVisible() and not page.curves_button.isChecked()
    click(page.curves_button)
    qtbot.waitUntil(card.isVisible, timeout=PATIENCE_MS)


def test_a_run_is_read_again_only_when_its_files_are_others(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    read: list[str] = []
    really = run_curves._read

    def noted(path: Path) -> run_curves.ReadRun:
        read.append(path.name)
        return really(path)

    monkeypatch.setattr(run_curves, "_read", noted)
    card_of(qtbot, window, project_with_run, "first")
    card_of(qtbot, window, project_with_run, "first", "second")
    card_of(qtbot, window, project_with_run, "second")
    assert read == ["first", "second"]
    log = project_with_run / "runs" / "first" / "events.jsonl"
    log.write_text(log.read_text("utf-8") + "\n", "utf-8")
    card_of(qtbot, window, project_with_run, "first")
    assert read == ["first", "second", "first"]


def test_curves_are_saved(
    qtbot: QtBot, start_app: Start, project_with_run: Path, tmp_path: Path
) -> None:
    window = start_app(project_with_run)
    card = card_of(qtbot, window, project_with_run, "first", "second")
    store = window.session.run_curves
    for name, save in (
        ("a.png", lambda path: card._save_picture(path, svg=False)),
        ("a.svg", lambda path: card._save_picture(path, svg=True)),
        ("a.csv", store.save_csv),
    ):
        with qtbot.waitSignal(store.saved, timeout=PATIENCE_MS):
            save(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    drawing = (tmp_path / "a.svg").read_text("utf-8")
    assert "<svg" in drawing and "second" in drawing
    assert "<image" not in drawing  # sharp at any size
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text("utf-8").splitlines()))
    assert sorted(row["run"] for row in rows) == ["first"] * 6 + ["second"] * 2
    assert [row["epoch"] for row in rows if row["run"] == "second"] == ["1", "2"]


def test_a_run_that_is_not_readable_is_named_and_hides_no_other(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    (project_with_run / "runs" / "first" / "experiment.toml").write_text("[", "utf-8")
    window = start_app(project_with_run)
    card_of(qtbot, window, project_with_run, "first", "second")
    overlay = window.session.run_curves.overlay
    assert [one.run.name for one in overlay.lines if one.run.name == "second"] == ["second"]
    assert len(overlay.problems) == 1 and "experiment.toml" in overlay.problems[0]


# The plot ----------------------------------------------------------------------------------


def test_the_cursor_has_the_values_of_all_lines(qtbot: QtBot, qapp: QApplication) -> None:
    style.apply(qapp)
    plot = OverlayPlot("Curves")
    qtbot.addWidget(plot)
    plot.show_lines([
        OverlayLine("a", 0, np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 7.0])),
        OverlayLine("b", 1, np.array([1.0, 2.0]), np.array([8.0, 9.0])),
        OverlayLine("c", 2, np.zeros(0), np.zeros(0)),
    ], axis="Epoch", percent=False)
    assert plot.values_at(2.2) == {0: 6.0}  # the second has ended by then
    assert plot.values_at(1.9) == {0: 6.0, 1: 9.0}


def test_only_so_many_points_are_drawn_as_the_screen_shows(
    qtbot: QtBot, qapp: QApplication
) -> None:
    style.apply(qapp)
    plot = OverlayPlot("Curves")
    qtbot.addWidget(plot)
    plot.resize(600, 300)
    plot.begin_drawing()
    y = np.ones(100_000)
    y[77_777] = 9.0
    plot.show_lines([OverlayLine("a", 0, np.arange(100_000.0), y)], axis="Step", percent=False)
    assert plot._plot is not None
    x, drawn = plot._items[0].getData()
    assert len(x) <= 2 * 600
    assert drawn.max() == 9.0  # no spike is lost
    pen = plot._items[0].opts["pen"]  # a wide one takes a second to paint ten such lines
    assert (pen.widthF(), pen.style()) == (1.0, Qt.PenStyle.SolidLine)
    plot.show_lines([OverlayLine("a", 0, np.arange(9.0), y[:9])], axis="Step", percent=False)
    assert plot._items[0].opts["pen"].widthF() == 2.0


def test_more_lines_than_colours_have_other_patterns(qapp: QApplication) -> None:
    style.apply(qapp)
    pens = [pen_of(number) for number in range(24)]
    assert len({(pen.color().name(), pen.style()) for pen in pens}) == 24


@pytest.mark.parametrize(("longest", "unit"), [(12.0, "s"), (600.0, "min"), (40_000.0, "h")])
def test_time_has_the_unit_in_which_it_is_read_best(longest: float, unit: str) -> None:
    assert time_unit(longest)[0] == unit
