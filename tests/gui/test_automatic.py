"""Encoders that are left to the training: the box, the options, what was chosen last."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.experiment import AUTO, Experiment
from mmstudio.gui.main_window import MainWindow
from mmstudio.training.events import EncoderChosen
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import named

Start = Callable[..., MainWindow]
REASON = "starter/minilm does better: on 30 training rows it leaves 20% unexplained"


def shown_model_page(window: MainWindow) -> QWidget:
    window.go_to("Model")
    return window.page("Model")


def note_choice(project: Path, run: str, *choices: EncoderChosen) -> None:
    """Write into a run's log what was chosen in it."""
    with (project / "runs" / run / "events.jsonl").open("a", encoding="utf-8") as log:
        log.writelines(json.dumps(choice.to_json()) + "\n" for choice in choices)


def test_automatic_stands_first_is_saved_and_has_no_options_of_its_own(
    start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = shown_model_page(window)
    box = named(page, "words encoder", QComboBox)
    assert (box.itemData(0), box.itemText(0)) == (AUTO, "Automatic")
    tip = "Chosen when training starts, by what your data shows."
    assert box.itemData(0, Qt.ItemDataRole.ToolTipRole) == tip
    box.setCurrentIndex(box.findData(AUTO))
    card = page._inputs["words"]
    assert tip in box.toolTip() and card._summary.text() == tip
    card.more.line.click()
    assert page.findChild(QWidget, "words Vocabulary") is not None
    assert page.findChild(QWidget, "words Width") is None
    window.session.project.save()
    saved = Experiment.load(small_project / "experiment.toml")
    assert saved.inputs["words"].encoder.name == AUTO == "auto"
    assert saved == window.session.project.experiment
    box.setCurrentIndex(box.findData("ngrams"))
    assert window.session.project.experiment.inputs["words"].encoder.options == {}


def test_a_project_whose_encoders_are_left_open_says_so_at_once(
    start_app: Start, small_project: Path
) -> None:
    file = small_project / "experiment.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(
        'encoder = { name = "cnn", width = 16 }\n', ""), encoding="utf-8")
    page = shown_model_page(start_app(small_project))
    box = named(page, "image encoder", QComboBox)
    assert box.currentText() == "Automatic" and box.isEnabled()


def test_the_card_tells_what_the_last_run_chose_and_why(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    note_choice(project_with_run, "first",
                EncoderChosen("words", "pretrained_text", "starter/minilm", REASON),
                EncoderChosen("image", "cnn", "", "Nothing else is here."))
    window = start_app(project_with_run)
    page = shown_model_page(window)
    said = page.findChild(QLabel, "words encoder chosen")
    assert said.text() == "", "the encoder is chosen by hand"
    for name in ("words", "image", "sound"):
        window.session.project.edit(("inputs", name, "encoder"), {"name": AUTO})
    qtbot.waitUntil(said.isVisible, timeout=PATIENCE_MS)
    assert said.text() == (
        "Last time: MiniLM sentences (starter pack). starter/minilm does better.")
    assert page._inputs["words"]._last_choice.toolTip() == REASON
    assert not page._inputs["words"]._summary.isVisible(), "the line says it too"
    assert page.findChild(QLabel, "image encoder chosen").text() == (
        "Last time: CNN, from scratch. Nothing else is here.")
    assert page.findChild(QLabel, "sound encoder chosen").text() == ""
    assert page._inputs["sound"]._summary.isVisible()


def test_the_box_knows_what_is_on_this_disk_where_no_published_model_is_chosen(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    models = start_app(small_project).session.models
    qtbot.waitUntil(lambda: models.is_here("someone/else") is False, timeout=PATIENCE_MS)
