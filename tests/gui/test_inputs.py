"""What the window tells of the inputs: their balance, every subset, contributions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF
from PySide6.QtGui import QCursor, QEnterEvent, QFocusEvent
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QDoubleSpinBox,
    QLabel,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mmstudio.experiment import Experiment
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.parts.bar_list import BarRow
from mmstudio.gui.parts.signed_bars import SignedBars
from mmstudio.gui.plots.balance_words import balance_sentence
from mmstudio.training.events import EpochDone, Started
from mmstudio.training.history import RunHistory
from mmstudio.training.neglect import neglected_inputs, stuck_inputs
from mmstudio.units import signed
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, click_box, go_to, named, type_number

Start = Callable[..., MainWindow]
NAMES = ["image", "words", "sound"]


def history_of(shares: dict[str, list[float]], losses: dict[str, list[float]]) -> RunHistory:
    """A run of some epochs with these shares and own losses."""
    history = RunHistory()
    names = list(shares)
    history.apply(Started("runs/a", "CPU", "float32", 10, 9, 1, 1, {}, names, {"t": "accuracy"}))
    for epoch in range(len(shares[names[0]])):
        history.apply(EpochDone(
            epoch + 1, {"loss": 1.0}, {"loss": 1.0}, 1.0, 1.0, 1.0, 1,
            {n: {"loss": losses[n][epoch], "gradient_share": shares[n][epoch]} for n in names}))
    return history


FALLING, STILL = [2.0, 1.5, 1.0, 0.8, 0.7], [2.0, 2.0, 2.1, 2.0, 2.0]


def test_an_input_with_a_small_share_is_neglected_and_the_sentence_says_what_helps() -> None:
    history = history_of({"image": [0.9] * 5, "sound": [0.3, 0.1, 0.05, 0.04, 0.03]},
                         {"image": FALLING, "sound": FALLING})
    assert neglected_inputs(history) == [("sound", pytest.approx(0.04))]
    text, kind = balance_sentence(history)
    assert "“sound” is neglected" in text and "4 %" in text and "gradient modulation" in text
    assert kind == "warn"


def test_among_many_inputs_a_fair_share_is_small_itself() -> None:
    shares = {f"input {i}": [0.19] * 5 for i in range(5)} | {"last": [0.08] * 5}
    history = history_of(shares, dict.fromkeys(shares, FALLING))
    assert neglected_inputs(history) == []
    assert balance_sentence(history) == ("No input is neglected.", "good")


def test_an_input_whose_loss_stays_while_anothers_falls_is_told() -> None:
    equal = {"image": [0.5] * 5, "sound": [0.5] * 5}
    assert stuck_inputs(history_of(equal, {"image": FALLING, "sound": STILL})) == ["sound"]
    assert stuck_inputs(history_of(equal, {"image": STILL, "sound": STILL})) == []
    text, kind = balance_sentence(history_of(equal, {"image": FALLING, "sound": STILL}))
    assert "“sound” does not learn" in text and "input loss" in text and kind == "warn"


def test_nothing_is_said_too_early_or_of_a_run_that_tells_nothing() -> None:
    early = history_of({"a": [0.99] * 2, "b": [0.01] * 2}, {"a": FALLING, "b": STILL})
    assert balance_sentence(early) == ("", "")
    assert balance_sentence(RunHistory()) == balance_sentence(None) == ("", "")


def test_signs_stand_before_figures_and_nothing_has_none() -> None:
    assert [signed(v) for v in (2.13, -0.3, 0.04, -0.04)] == ["+2.1", "−0.3", "0.0", "0.0"]
    assert signed(-1.256, 2) == "−1.26"


def open_run(qtbot: QtBot, window: MainWindow, name: str = "first") -> QWidget:
    session = window.session
    with qtbot.waitSignal(session.runs.opened, timeout=PATIENCE_MS):
        session.runs.open(session.project.folder / "runs" / name)
    return go_to(window, "Train")


def test_an_opened_run_shows_the_balance_of_its_inputs(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    page = open_run(qtbot, start_app(project_with_run))
    balance = page.plots.balance
    qtbot.waitUntil(lambda: balance.drawing and "image" in balance.text_values(),
                    timeout=PATIENCE_MS)
    history = page.window().session.runs.history
    assert balance.isVisible()
    for name in NAMES:
        assert f"{name} {history.input_loss[name][-1]:.3g}" in balance.accessibleDescription()
    assert balance.remark.isVisible() and balance.remark.text()
    click(named(page, "Share of the gradient", QToolButton))
    qtbot.waitUntil(
        lambda: f"words {100 * history.gradient_share['words'][-1]:.1f} %"
        in balance.text_values(), timeout=PATIENCE_MS)


def test_an_opened_run_shows_every_subset_and_what_each_input_adds(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    page = open_run(qtbot, start_app(project_with_run))
    scored = page.window().session.runs.history.inputs_scored
    assert not page.inputs.isVisible()
    click(named(page, "What each input brings", QToolButton))
    assert page.inputs.isVisible() and not page.plots.isVisible()
    figures = [(100 * s["tasks"]["shape"]["accuracy"], " + ".join(s["inputs"]))
               for s in scored.subsets]
    shown = named(page, "Subsets: shape").accessibleDescription().split(", ")
    assert sorted(shown) == sorted(f"{name} {figure:.1f} %" for figure, name in figures)
    assert shown[0] == f"{max(figures, key=lambda f: f[0])[1]} {max(figures)[0]:.1f} %"
    adds = named(page, "Mean contributions: size").accessibleDescription()
    for name in NAMES:
        assert f"{name} {signed(scored.contributions['size'][name]['mean'], 2)}" in adds
    pairs = named(page, "Pairs of inputs: size").accessibleDescription()
    assert "image + words" in pairs and "words + sound" in pairs
    click(named(page, "Curves", QToolButton))
    assert page.plots.isVisible()


def test_a_run_that_tells_nothing_of_its_inputs_shows_curves_alone(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    """As those from before inputs were watched."""
    log = project_with_run / "runs" / "first" / "events.jsonl"
    lines = [line for line in log.read_text().splitlines() if "inputs_scored" not in line]
    log.write_text("\n".join(lines).replace('"inputs": {"image"', '"was": {"image"') + "\n")
    page = open_run(qtbot, start_app(project_with_run))
    assert not page.plots.balance.isVisible() and not page.view_switch.isVisible()
    assert page.plots.balance not in page.plots.plots()
    with qtbot.waitSignal(page.window().session.runs.opened, timeout=PATIENCE_MS):
        page.window().session.runs.open(project_with_run / "runs" / "second")
    assert page.plots.balance.isVisible() and page.view_switch.isVisible()


def test_training_shows_the_balance_live_and_the_inputs_at_its_end(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Train")
    assert page.plots.balance.isVisible(), "its place is kept from the start"
    seen: list[bool] = []
    page.window().session.training.events.connect(
        lambda _: seen.append(bool(page.plots.balance.text_values())
                              and not page.view_switch.isVisible()))
    with qtbot.waitSignal(page.window().session.training.ended, timeout=PATIENCE_MS):
        page.window().session.training.start()
    qtbot.waitUntil(page.view_switch.isVisible, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "sound" in page.plots.balance.text_values(), timeout=PATIENCE_MS)
    assert seen and set(page.inputs.tasks) == {"shape", "size"}


def test_one_input_alone_has_no_balance(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Train")
    assert page.plots.balance.isVisible()
    for name in ("words", "sound"):
        page.window().session.project.edit(("inputs", name, "use"), False)
    assert not page.plots.balance.isVisible()


def test_contributions_follow_the_check_boxes(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = go_to(window, "Test")
    session = window.session
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        page.next_sample()
    prediction = session.testing.predictor.predict(page.board.values())
    bars = page.answers.cards["shape"].contributions.bars
    assert bars.isVisible() and bars.accessibleName() == "Contributions: shape"
    expected = {f"{n} {signed(v)}" for n, v in prediction.contributions["shape"].inputs.items()}
    assert set(bars.accessibleDescription().split(", ")) == expected
    name = prediction.present[0]
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
        click_box(named(page, f"Use {name}", QCheckBox))
    assert name not in bars.accessibleDescription()
    assert set(prediction.present[1:]) == {
        part.split(" ")[0] for part in bars.accessibleDescription().split(", ")}
    page.clear()
    assert not bars.isVisible()


def test_a_dropout_of_its_own_is_set_and_given_up_under_more_options(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Model")

    def own() -> float | None:
        QApplication.processEvents()
        found = Experiment.load(small_project / "experiment.toml").inputs["words"]
        return found.modality_dropout

    click(named(page, "words more options", QToolButton))
    field = named(page, "words Modality dropout")
    assert field.value() == 0.3
    type_number(field, 0.5)
    qtbot.waitUntil(lambda: own() == 0.5, timeout=PATIENCE_MS)
    click(named(page, "Reset words Modality dropout", QToolButton))
    qtbot.waitUntil(lambda: own() is None, timeout=PATIENCE_MS)
    window.session.project.edit("training.modality_dropout", 0.2)
    qtbot.waitUntil(lambda: named(page, "words Modality dropout").value() == 0.2,
                    timeout=PATIENCE_MS)
    assert own() is None


def test_the_training_options_are_on_the_train_page(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Train")
    click(named(page, "More options", QToolButton))
    for name in ("Input loss", "Gradient modulation", "Modulation strength", "Modality dropout"):
        field = page.options.findChild(QWidget, name)
        assert field.isVisible() and field.isEnabled()
    type_number(page.options.findChild(QDoubleSpinBox, "Input loss"), 0.4)
    assert window.session.project.experiment.training.input_loss == 0.4


def test_an_option_of_the_training_is_explained_where_the_keyboard_is_and_folded_at_the_start(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    options = go_to(window, "Train").options
    QCursor.setPos(window.mapToGlobal(QPoint(1, 1)))  # over no option, wherever it was left
    click(options.more_button)
    said = options.findChild(QLabel, "Option help")
    assert said.text().startswith("Point at an option")
    field = options.findChild(QWidget, "Modality dropout")
    QApplication.sendEvent(field, QFocusEvent(QEvent.Type.FocusIn))  # also in a window behind
    assert said.text() == field.toolTip().replace("\n", " ")
    assert "From 0 to" in said.text()
    QApplication.sendEvent(options.device_box, QEnterEvent(*[QPointF(3, 3)] * 3))  # passes by
    QApplication.sendEvent(options.device_box, QEvent(QEvent.Type.Leave))
    assert said.text() == field.toolTip().replace("\n", " ")
    QApplication.sendEvent(options.device_box, QFocusEvent(QEvent.Type.FocusIn))
    assert said.text() == options.device_box.toolTip()
    options.set_locked(True)
    assert not options.more_button.isChecked()
    click(options.more_button)
    options.set_locked(True)  # told again while it trains: what was opened since stays open
    assert options.more_button.isChecked()


def test_what_reads_as_nothing_has_no_bar(qtbot: QtBot) -> None:
    bars = SignedBars("Contributions: shape")
    qtbot.addWidget(bars)
    bars.show_rows([BarRow("image", 0.04, "0.0"), BarRow("words", -0.03, "0.0")])
    assert bars.largest() == 0.0 and bars.text() == "image 0.0, words 0.0"
    bars.show_rows([BarRow("image", 2.13, "+2.1"), BarRow("words", -0.03, "0.0")])
    assert bars.largest() == 2.13
