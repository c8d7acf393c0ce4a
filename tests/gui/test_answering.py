"""What a run answers with, in the window: quick models first, then all together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.gui.forms import NumberBox
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.train.answers_line import AnswersLine
from mmstudio.gui.pages.train.finished_note import FinishedNote
from mmstudio.gui.pages.train.training_options import TrainingOptions
from mmstudio.gui.parts.run_figures import RunFigures
from mmstudio.training import weighing
from mmstudio.training.events import CheckpointSaved, Combined, EpochDone, Shortened, Started
from mmstudio.training.history import RunHistory
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named
from tests.small_project import small_experiment, train_small, write_small_project

Start = Callable[..., MainWindow]
SHARES: dict[str, list[dict[str, Any]]] = {"shape": [
    {"kind": "machine", "inputs": ["sound"], "name": "all", "share": 0.58},
    {"kind": "fusion", "inputs": ["words", "sound"], "name": "", "share": 0.42}]}
RESTS = "Answers rest on sound alone 58 %, words and sound together 42 %."


def combined(figure: float, trained: bool) -> Combined:
    return Combined(SHARES, {"shape": {"accuracy": figure}}, trained)


def history_of(*events: Any) -> RunHistory:
    """A run of 18 epochs with these events."""
    history = RunHistory()
    history.apply(Started("runs/first", "CPU", "float32", 10, 18, 2, 1, {"train": 30},
                          ["words", "sound"], {"shape": "accuracy"}))
    for event in events:
        history.apply(event)
    return history


def epoch(number: int, figure: float, best: bool = True) -> list[Any]:
    figures = {"loss": 1.0, "shape": {"accuracy": figure}}
    return [EpochDone(number, figures, figures, 1.0, 30.0, 5.0, 0),
            CheckpointSaved(number, best)]


def test_the_line_says_what_answers_rest_on_and_how_many_epochs_fit(qtbot: QtBot) -> None:
    line = AnswersLine()
    qtbot.addWidget(line)
    line.show_run(history_of())
    assert line.isHidden() and line.label.text() == ""
    line.show_run(history_of(Shortened(12, 5.0)))
    assert line.label.text() == "12 epochs fit into 5 minutes."
    line.show_run(history_of(Shortened(1, 0.5), combined(0.9, True)))
    assert line.label.text() == f"1 epoch fits into 0.5 minutes. {RESTS}"
    assert line.label.toolTip() == "shape: quick models 58 %, the fusion 42 %"
    line.show_run(None)
    assert line.isHidden()


def test_figures_are_those_of_the_answers_with_the_fusions_below(qtbot: QtBot) -> None:
    figures = RunFigures()
    qtbot.addWidget(figures)

    def shown(*events: Any) -> list[str]:
        figures.show_run(history_of(*events))
        return [text.text() for text in figures._figures["task shape"]]

    assert shown(*epoch(1, 0.5)) == ["shape · accuracy", "50.0 %", "validation, epoch 1"]
    assert shown(combined(0.75, False)) == [
        "shape · accuracy", "75.0 %", "validation, quick models"]
    assert shown(*epoch(1, 0.5), *epoch(2, 0.4, best=False), combined(0.875, True)) == [
        "shape · accuracy", "87.5 %", "validation, all together\nfusion 50.0 %, epoch 1"]


def test_the_note_tells_whose_figures_it_gives(qtbot: QtBot) -> None:
    note = FinishedNote()
    qtbot.addWidget(note)
    note.show_end("completed", history_of(*epoch(3, 0.5)), has_model=True)
    assert note.text.startswith("Training finished: best at epoch 3, shape 50.0 % All epochs")
    note.show_end("completed", history_of(*epoch(3, 0.5), combined(0.875, True)), has_model=True)
    assert note.text == (
        "Training finished: shape 87.5 % Validation figures of all answers weighed together; the "
        "fusion was best at epoch 3. All epochs are done; the best model is kept.")
    note.show_end("stopped", history_of(combined(0.75, False)), has_model=True)
    assert note.text == ("Training stopped before the first epoch was done. Quick models answer: "
                         "shape 75.0 %.")
    assert not note.try_it.isHidden()
    note.show_end("stopped", history_of(), has_model=False)
    assert note.text.endswith("There is no model yet.") and note.try_it.isHidden()


def test_quick_models_are_offered_once_and_a_closed_note_stays_away(qtbot: QtBot) -> None:
    note = FinishedNote()
    qtbot.addWidget(note)
    history = history_of(combined(0.75, False))
    note.show_answering(history, has_model=True)
    assert note.text == ("Quick models can answer already: shape 75.0 % Validation figures. "
                         "Training continues, and better answers follow.")
    assert not note.try_it.isHidden() and note.show_run.isHidden()
    history.apply(combined(0.875, True))
    note.show_answering(history, has_model=True)
    assert note.text.startswith("The model so far can answer: shape 87.5 %")
    note.hide()
    note.show_answering(history, has_model=True)
    assert note.text == ""
    note.show_answering(history_of(combined(0.75, False)), has_model=True)
    assert note.text.startswith("Quick models"), "another run"


def test_minutes_say_what_automatic_means(qtbot: QtBot) -> None:
    options = TrainingOptions()
    qtbot.addWidget(options)
    box = options.findChild(NumberBox, "Minutes")
    automatic = small_experiment({"training.epochs": 0})

    def shown(experiment: Experiment, rows: int) -> str:
        options.show_experiment(experiment, rows)
        return str(box.text())

    assert shown(automatic, 840) == "Automatic (about 5)"
    assert shown(automatic, 6000) == "Automatic (about 15)"
    assert shown(automatic, 0) == "Automatic"
    assert shown(small_experiment(), 840) == "No limit", "its epochs are set"
    assert shown(automatic.replaced("training.minutes", 2.5), 840) == "2.5"
    shown(automatic, 840)
    told: list[tuple[str, Any]] = []
    options.changed.connect(lambda *edit: told.append(edit))
    box.stepBy(1)
    assert told == [("training.minutes", 1.0)]


def test_the_switch_stands_in_more_options_with_its_help(qtbot: QtBot) -> None:
    options = TrainingOptions()
    qtbot.addWidget(options)
    switch = options.findChild(QWidget, "Combine")
    options.show_experiment(small_experiment({"training.combine": True}))
    assert switch.isChecked()
    assert "off answers with the fusion alone" in switch.toolTip().replace("\n", " ")
    told: list[tuple[str, Any]] = []
    options.changed.connect(lambda *edit: told.append(edit))
    switch.click()
    assert told == [("training.combine", False)]


@pytest.fixture
def combining_project(tmp_path: Path) -> Path:
    """One that is trained for ever, answers combined, no sounds."""
    folder = write_small_project(tmp_path / "Shapes")
    small_experiment({
        "training.combine": True, "training.epochs": 10_000, "training.patience": 10_000,
        "inputs.sound.use": False}).save(folder / "experiment.toml")
    return folder


def test_quick_models_answer_on_the_test_page_while_training_goes_on(
    qtbot: QtBot, start_app: Start, combining_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weighing, "EVERY_S", 1e9)
    window = start_app(combining_project)
    session, page = window.session, go_to(window, "Train")
    click(named(page, "Start training", QPushButton))
    qtbot.waitUntil(lambda: page.finished_note.text.startswith("Quick models can answer"),
                    timeout=PATIENCE_MS)
    assert page.answers.label.text().startswith("Answers rest ") and page.answers.isVisible()
    session.training.pause(True)
    click(named(page, "Try it on the Test page", QPushButton))
    test = window.page("Test")
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    assert session.testing.asks_run_in_training
    assert session.testing.predictor.model.combination is not None
    state = test.findChild(QLabel, "Whose answers")
    qtbot.waitUntil(state.isVisible, timeout=PATIENCE_MS)
    assert state.text() == "Answers of quick models; training continues."
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        click(named(test, "Next test sample", QPushButton))
    values = test.board.values()
    first = session.testing.predictor
    monkeypatch.setattr(weighing, "EVERY_S", 0.0)
    monkeypatch.setattr(weighing, "MOST_SHARE", 1e9)
    session.training.pause(False)
    qtbot.waitUntil(lambda: state.text() == "Answers of the model so far; training continues.",
                    timeout=PATIENCE_MS)
    assert session.testing.predictor is not first and test.board.values() == values
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS):
        session.training.stop()
    assert not state.isVisible()
    qtbot.waitUntil(lambda: not session.testing.loading, timeout=PATIENCE_MS)


def test_an_opened_run_tells_what_its_answers_rest_on(
    qtbot: QtBot, start_app: Start, combining_project: Path
) -> None:
    train_small(combining_project, {"training.combine": True, "training.epochs": 2,
                                    "inputs.sound.use": False})
    window = start_app(combining_project)
    page = go_to(window, "Train")
    assert not page.answers.isVisible()
    assert named(page, "Epochs", QSpinBox).value() == 10_000
    window.session.runs.open(combining_project / "runs" / "first")
    qtbot.waitUntil(page.answers.isVisible, timeout=PATIENCE_MS)
    history = window.session.runs.history
    figure = history.combined.validation["shape"]["accuracy"]
    assert page.answers.label.text().startswith("Answers rest ")
    assert f"shape · accuracy {100 * figure:.1f} %" in page.figures.text()
    qtbot.waitUntil(lambda: not window.session.testing.loading, timeout=PATIENCE_MS)
