"""The plots of a run: numbers on the logarithmic axis, curves that are drawn when they change."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mmstudio.gui import style
from mmstudio.gui.plots.curve_plot import CurvePlot
from mmstudio.gui.plots.epoch_plot import ValueAxis

ROOM_PX = 18


@pytest.mark.parametrize(("low", "high", "size"), [
    (0.085, 2.1, 260), (0.3, 0.9, 260), (0.01, 3, 120), (1e-5, 4, 300), (0.7, 0.95, 90),
    (1e-6, 1e6, 120),
])
def test_numbers_of_the_logarithmic_axis_leave_each_other_room(
    qtbot: QtBot, low: float, high: float, size: int
) -> None:
    axis = ValueAxis("left")
    axis.setLogMode(True)
    bottom, top = np.log10(low), np.log10(high)
    places = sorted(v for _, values in axis.tickValues(bottom, top, size) for v in values)
    assert len(places) >= 2
    assert bottom <= places[0] and places[-1] <= top
    assert all((b - a) / (top - bottom) * size >= ROOM_PX for a, b in pairwise(places))


def test_a_curve_is_drawn_anew_only_where_it_changed(
    qtbot: QtBot, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    style.apply(qapp)
    plot = CurvePlot("Loss", "Loss")
    qtbot.addWidget(plot)
    plot.show()
    plot.begin_drawing()
    drawn: list[list[float]] = []
    draw = pg.PlotDataItem.setData

    def noted(item: pg.PlotDataItem, *args: Any, **options: Any) -> None:
        draw(item, *args, **options)
        if "symbol" in options:  # pyqtgraph itself calls it too
            drawn.append(item.getData()[1].tolist())

    monkeypatch.setattr(pg.PlotDataItem, "setData", noted)
    steps, epochs = [3.0, 2.0], [2.5]

    def redrawn() -> list[list[float]]:
        drawn.clear()
        plot.set_curve("steps", "each step", range(len(steps)), steps, faint=True)
        plot.set_curve("train", "train", range(1, 1 + len(epochs)), epochs)
        plot.redraw()
        return drawn

    plot.set_end(10)
    assert redrawn() == [[3.0, 2.0], [2.5]]
    assert redrawn() == []
    steps.append(1.5)
    assert redrawn() == [[3.0, 2.0, 1.5]]
    epochs.append(1.8)
    assert redrawn() == [[2.5, 1.8]]
    drawn.clear()
    style.set_theme("dark")  # the dots take the new colours
    assert drawn == [[3.0, 2.0, 1.5], [2.5, 1.8]]
    style.set_theme("light")
    steps[:], epochs[:] = [2.9], [2.2]  # another run
    assert redrawn() == [[2.9], [2.2]]
