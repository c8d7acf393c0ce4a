"""An ensemble of a search in the app: it answers and says why like any run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from mmstudio.evaluation.ensembling import make_ensemble
from mmstudio.gui.main_window import MainWindow
from mmstudio.inference.ensemble import Ensemble
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named

Start = Callable[..., MainWindow]


def test_an_ensemble_answers_on_the_test_page(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    runs = [project_with_run / "runs" / name for name in ("first", "second")]
    list(make_ensemble(runs, "both", folder=project_with_run, device="cpu"))
    window = start_app(project_with_run)
    session, page = window.session, go_to(window, "Test")
    session.testing.load(project_with_run / "runs" / "both")
    qtbot.waitUntil(lambda: isinstance(session.testing.predictor, Ensemble), timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS) as asked:
        click(named(page, "Next test sample", QPushButton))
    answer = asked.args[0]
    assert answer.tasks["shape"].scores and answer.contributions["shape"].inputs
    session.runs.open(project_with_run / "runs" / "both")
    train = go_to(window, "Train")
    qtbot.waitUntil(train.answers.isVisible, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not session.testing.loading, timeout=PATIENCE_MS)
