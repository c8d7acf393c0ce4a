"""What one training brought into the window is gone after the next: a session may be long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from tests.gui.conftest import PATIENCE_MS, delete_now


def widgets() -> Counter[str]:
    """All that there are, with and without a window, by their kinds and their parents'."""
    delete_now()

    def place(widget: QWidget | None) -> str:
        return "" if widget is None else f"{type(widget).__name__} {place(widget.parentWidget())}"

    return Counter(place(widget) for widget in QApplication.allWidgets())


def train(qtbot: QtBot, window: MainWindow) -> None:
    """Train, look at the run, and then at the first one of all again."""
    session = window.session
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.start()
    look_at_plots(qtbot, window)
    for page in ("Test", "Runs"):
        window.go_to(page)
        QApplication.processEvents()
    qtbot.waitUntil(lambda: bool(session.runs.listed), timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.runs.opened, timeout=PATIENCE_MS):
        session.runs.open(session.runs.listed[-1].path)
    look_at_plots(qtbot, window)


def look_at_plots(qtbot: QtBot, window: MainWindow) -> None:
    """Show the page and wait until all is painted."""
    window.go_to("Train")
    QApplication.processEvents()
    plots = window.page("Train").plots
    qtbot.waitUntil(lambda: plots.loss.drawing and not plots._dirty, timeout=PATIENCE_MS)
    assert all(plot.drawing for plot in plots.tasks.values())


def test_no_training_leaves_widgets_behind(
    qtbot: QtBot, start_app: Callable[..., MainWindow], small_project: Path
) -> None:
    window = start_app(small_project)
    session = window.session
    session.project.edit("training.epochs", 1)
    counts, held = [], []
    for both in (False, True, False, True):
        session.project.edit("targets.size.use", both)
        train(qtbot, window)
        counts.append(widgets())
        # who holds a window of Python's own keeps it; what is part of another goes with that
        held += QApplication.allWidgets()
    assert counts[3] - counts[1] == Counter()


def test_a_plot_takes_all_that_it_made_with_it(qtbot: QtBot) -> None:
    from mmstudio.gui.plots.epoch_plot import EpochPlot

    before = len(QApplication.allWidgets())
    plot = EpochPlot()
    made = QApplication.allWidgets()
    plot.deleteLater()
    delete_now()
    assert len(made) > before == len(QApplication.allWidgets())
