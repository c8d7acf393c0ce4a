"""Label sets and numbers in the window: chosen, trained, listed and answered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QListView,
    QPushButton,
    QTableView,
)
from pytestqt.qtbot import QtBot

from mmstudio.data.propose import Column
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.testing.answer_card import AnswerCard
from mmstudio.gui.pages.testing.score_bars import IS_ANSWER, IS_TRUTH
from mmstudio.gui.plots.curve_line import height_range
from mmstudio.tasks.base import Answer
from mmstudio.units import number_text
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, named, read_scores
from tests.mixed_project import train_mixed, write_mixed_project

Start = Callable[..., MainWindow]


@pytest.fixture(scope="module")
def trained_mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_mixed_project(tmp_path_factory.mktemp("mixed") / "Mixed")
    train_mixed(folder, {"training.epochs": 4})
    return folder


@pytest.fixture
def window(start_app: Start, trained_mixed: Path, tmp_path: Path) -> MainWindow:
    return start_app(Path(shutil.copytree(trained_mixed, tmp_path / "Mixed")))


def rows_of(view: QListView) -> list[str]:
    model = view.model()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


def choose(combo: QComboBox, key: str) -> None:
    combo.setCurrentIndex(combo.findData(key))


def test_each_target_offers_the_three_tasks_with_their_options(window: MainWindow) -> None:
    window.go_to("Model")
    page = window.stack.currentWidget()
    session = window.session
    combo = named(page, "tags task", QComboBox)
    assert [combo.itemText(i) for i in range(combo.count())] == [
        "One label", "Several labels", "Number"]
    assert combo.currentData() == "multilabel"
    assert session.project.edit(("targets", "tags", "threshold"), 0.3)
    choose(combo, "regression")
    assert session.project.experiment.targets["tags"].task == "regression"
    assert session.project.experiment.targets["tags"].options == {}
    choose(combo, "multilabel")
    assert session.project.edit(("targets", "tags", "separator"), "|")
    assert session.project.experiment.targets["tags"].options == {"separator": "|"}
    click(named(page, "tags more options", QAbstractButton))
    QApplication.processEvents()
    for field in ("Weight", "Separator", "Threshold", "Class weights"):
        assert named(page, f"tags {field}").isVisible()
    assert named(page, "tags Separator").text() == "|"
    click(named(page, "area more options", QAbstractButton))
    assert named(page, "area Unit").text() == "cm²"


def test_a_chosen_task_stays_when_another_column_changes_its_role(window: MainWindow) -> None:
    session = window.session
    assert session.project.edit(("targets", "shape", "task"), "multilabel")
    assert session.project.edit(("targets", "shape", "threshold"), 0.7)

    def without_size(column: Column) -> Column:
        if column.name != "size":
            return column
        return Column(column.name, "ignore", None, None, column.distinct, column.missing,
                      column.examples)

    assert session.project.assign_columns([without_size(c) for c in session.project.columns])
    assert list(session.project.experiment.targets) == ["shape", "tags", "area"]
    assert session.project.experiment.targets["shape"].task == "multilabel"
    assert session.project.experiment.targets["shape"].options == {"threshold": 0.7}
    assert session.project.experiment.targets["tags"].options == {"separator": ","}


def test_the_next_test_sample_shows_labels_and_number(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    window.go_to("Test")
    page = window.stack.currentWidget()
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS) as asked:
        click(named(page, "Next test sample", QPushButton))
    answers = asked.args[0].tasks
    scores = read_scores(page, "tags")
    assert list(scores) == list(answers["tags"].scores)
    shown = rows_of(named(page, "Prediction: area", QListView))
    area = answers["area"]
    assert shown[0] == f"Value, {number_text(area.value, 4)} cm²"
    assert shown[1] == f"Usual error, ± {number_text(area.usual_error, 2)} cm²"
    row = next(r for r, split in enumerate(session.project.splits) if split == "test")
    truth = float(session.project.table.cell(row, "area"))
    assert shown[2] == f"Truth, {truth:.6g} cm²"
    assert shown[3] == f"Off by, {number_text(abs(area.value - truth), 2)} cm²"
    assert named(page, "Winner: area", QLabel).text() == (
        f"{number_text(area.value, 4)} cm²")


def test_runs_and_curves_know_the_new_figures(qtbot: QtBot, window: MainWindow) -> None:
    window.go_to("Runs")
    page = window.stack.currentWidget()
    model = named(page, "Runs", QTableView).model()
    titles = [model.headerData(i, window_orientation()).replace("\n", " ")
              for i in range(model.columnCount())]
    best = window.session.runs.listed[0].metrics
    cells = {t: str(model.index(0, i).data()) for i, t in enumerate(titles)}
    assert cells["Tags macro average precision"] == (
        f"{100 * best['tags macro_average_precision']:.1f} %")
    assert cells["Area r2"] == f"{best['area r2']:.3f}"


def window_orientation() -> object:
    from PySide6.QtCore import Qt

    return Qt.Orientation.Horizontal


@pytest.fixture
def card(qtbot: QtBot) -> AnswerCard:
    card = AnswerCard("tags", ";")
    qtbot.addWidget(card)
    card.resize(360, 300)
    card.show()
    return card


def flags(card: AnswerCard, role: int) -> list[bool]:
    model = card.scores.model()
    return [bool(model.index(row, 0).data(role)) for row in range(model.rowCount())]


def test_labels_that_reach_the_threshold_are_the_answer(card: AnswerCard) -> None:
    answer = Answer(scores={"dog": 0.9, "owl": 0.4, "cat": 0.2}, labels=("dog", "owl"),
                    threshold=0.35)
    card.show_answer(answer, "owl; cat")
    assert card.winner.text() == "dog, owl"
    assert card.share.text() == "threshold 35 %"
    assert flags(card, IS_ANSWER) == [True, True, False]
    assert flags(card, IS_TRUTH) == [False, True, True]
    assert card.truth.text() == "Truth: owl, cat ✗"
    card.show_answer(answer, "owl;dog")
    assert card.truth.text() == "Truth: owl, dog ✓"
    assert not card.grab().isNull()


def test_no_label_is_an_answer_and_a_truth(card: AnswerCard) -> None:
    answer = Answer(scores={"dog": 0.1}, labels=(), threshold=0.5)
    card.show_answer(answer, ";")
    assert card.winner.text() == "No label"
    assert card.truth.text() == "Truth: no label ✓"
    card.show_answer(answer, None)
    assert card.truth.text() == ""


def test_a_number_without_truth_unit_or_error(card: AnswerCard) -> None:
    card.show_answer(Answer(value=3.14159), None)
    assert rows_of(card.scores) == ["Value, 3.142"]
    assert (card.winner.text(), card.share.text(), card.truth.text()) == ("3.142", "", "")
    card.show_answer(Answer(value=3.0, usual_error=0.5), "what")
    assert rows_of(card.scores) == ["Value, 3", "Usual error, ± 0.5"]
    card.show_answer(Answer(value=3.0, usual_error=0.5, unit="mm"), "3.4")
    assert card.truth.text() == "Truth: 3.4 ✓"
    card.show_answer(Answer(value=3.0, usual_error=0.5, unit="mm"), "4")
    assert card.truth.text() == "Truth: 4"
    card.show_answer(None, None)
    assert rows_of(card.scores) == []


def test_a_wild_r2_does_not_flatten_the_others() -> None:
    import numpy as np

    low, high = height_range([(np.array([-40.0, -0.5, 0.6]), False)], percent=False, log=False)
    assert low == pytest.approx(-1.1)
    assert 0.6 < high < 0.8
