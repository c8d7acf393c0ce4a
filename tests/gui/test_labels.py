"""Deciding on rows: the review on the Results page, labels on the Data page, the new table."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from mmstudio.data.prepare import Progress
from mmstudio.data.table import read_table
from mmstudio.evaluation import label_review
from mmstudio.evaluation.decisions import FILE_NAME, read_decisions
from mmstudio.evaluation.findings import (
    CHOSEN,
    COPY,
    DOUBTED,
    FIRST,
    LABEL,
    OUTLIER,
    Finding,
    Said,
)
from mmstudio.evaluation.label_review import Review
from mmstudio.experiment import Experiment
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.results.chosen_rows import ChosenRows
from mmstudio.gui.parts.deciding.label_keys import keys_of
from mmstudio.gui.parts.deciding.panel import DecisionPanel
from mmstudio.gui.state import decisions as decisions_state
from mmstudio.gui.state.session import Session
from mmstudio.training.run_folder import RunFolder
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import accessible_name, click, go_to, named
from tests.gui.test_results import opened, pick, show_tab

Start = Callable[..., MainWindow]
FINDINGS = [
    Finding(LABEL, 2, "train", 0.01, FIRST, "shape", "dot", "bar", ("image", "sound"),
            says=(Said("image", "bar", 0.97), Said("sound", "bar", 0.8))),
    Finding(COPY, 4, "train", 0.0, inputs=("image",), others=(7,)),
    Finding(OUTLIER, 10, "train", 0.3, inputs=("sound",)),
    Finding(LABEL, 12, "train", 0.4, DOUBTED, "size", "big", "small"),
]


def review_of(project: Path) -> Callable[..., Iterator[Any]]:
    def review(run: Path, device: str = "auto") -> Iterator[Any]:
        yield Progress("Representing train rows", 30, 60)
        yield Review(read_table(project / "metadata.csv"), 58, FINDINGS)
    return review


def reviewed(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, window: MainWindow, project: Path
) -> Any:
    """The tab Labels with its findings."""
    monkeypatch.setattr(label_review, "review_labels", review_of(project))
    page = opened(qtbot, window)
    page.tabs.setCurrentWidget(page.labels)
    click(named(page, "Review the data", QPushButton))
    qtbot.waitUntil(lambda: page.labels.panel.isVisible(), timeout=PATIENCE_MS)
    return page.labels


def lines(tab: Any) -> list[tuple[str, ...]]:
    model = named(tab, "Rows to decide on", QTableView).model()
    return [tuple(str(model.index(row, column).data()) for column in range(model.columnCount()))
            for row in range(model.rowCount())]


def test_a_review_is_decided_by_keys_and_kept(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    tab = reviewed(qtbot, monkeypatch, window, project_with_run)
    panel, table = tab.panel, named(tab, "Rows to decide on", QTableView)
    assert lines(tab) == [
        ("3", "Label contradicted", "dot", "bar", ""), ("5", "Near-duplicate", "", "", ""),
        ("11", "Outlier", "", "", "")]
    assert "image “bar” 97 %" in panel.view.words.text()
    assert panel.progress.text() == "0 of 3 decided" and not panel.write_button.isEnabled()
    assert [accessible_name(b) for b in panel.keys.buttons] == [
        "bar: key 1", "cross: key 2", "dot: key 3"]
    QTest.keyClick(table, Qt.Key.Key_1)  # bar
    assert panel.place == 1 and panel.progress.text() == "1 of 3 decided"
    QApplication.processEvents()  # what was laid out just now is shown in the next turn
    click(named(tab, "Show row 8", QPushButton))
    QTest.keyClick(table, Qt.Key.Key_X)
    QTest.keyClick(table, Qt.Key.Key_K)
    assert [line[4] for line in lines(tab)] == ["→ bar", "Left out", "Kept"]
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert [line[4] for line in lines(tab)] == ["→ bar", "Left out", ""] and panel.place == 2
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert lines(tab)[2][4] == "Kept"
    QTest.keyClick(table, Qt.Key.Key_Up)
    assert panel.place == 1
    pick(named(tab, "Findings listed", QComboBox), DOUBTED)
    assert lines(tab) == [("13", "Label in doubt", "big", "small", "")]
    QTest.keyClick(table, Qt.Key.Key_Space)  # as is suggested
    assert lines(tab)[0][4] == "→ small"
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(table, Qt.Key.Key_Q)  # typing begins, of what is no label
    field = named(tab, "Label to give", QLineEdit)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert lines(tab)[0][4] == "" and "“q” is not a label" in panel.note.text
    QTest.keyClick(field, Qt.Key.Key_Escape)
    QTest.keyClick(table, Qt.Key.Key_S)
    field = named(tab, "Label to give", QLineEdit)
    QTest.keyClicks(field, "ma")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert lines(tab)[0][4] == "→ small"
    # nothing is lost when the app closes
    window.session.shutdown()
    assert [(d.row, d.verdict, d.label) for d in read_decisions(project_with_run)] == [
        (2, "relabel", "bar"), (4, "leave out", ""), (10, "keep", ""), (12, "relabel", "small")]
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    page.tabs.setCurrentWidget(page.labels)  # the list itself is there, too
    qtbot.waitUntil(lambda: page.labels.panel.isVisible(), timeout=PATIENCE_MS)
    assert [line[4] for line in lines(page.labels)] == ["→ bar", "Left out", "Kept"]


def test_the_new_table_stands_beside_the_old_one_and_can_be_used(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    before = (project_with_run / "metadata.csv").read_bytes()
    tab = reviewed(qtbot, monkeypatch, window, project_with_run)
    for key in (Qt.Key.Key_1, Qt.Key.Key_X):
        QTest.keyClick(named(tab, "Rows to decide on", QTableView), key)
    click(named(tab, "Write table", QPushButton))
    use = tab.panel.note.use_button
    qtbot.waitUntil(use.isVisible, timeout=PATIENCE_MS)
    assert (project_with_run / "metadata.csv").read_bytes() == before
    new = read_table(project_with_run / "metadata reviewed.csv")
    assert len(new) == 59 and new.cell(2, "shape") == "bar"
    project, training = window.session.project, window.session.project.experiment.training
    with qtbot.waitSignal(project.changed, timeout=PATIENCE_MS):
        click(use)
    assert len(project.table) == 59 and project.experiment.training == training
    saved = Experiment.load(project_with_run / "experiment.toml")
    assert saved.data.table == "metadata reviewed.csv" and saved == project.experiment
    qtbot.waitUntil(tab.panel.note.train_button.isVisible, timeout=PATIENCE_MS)
    click(tab.panel.note.train_button)
    assert window.current_page == "Train"


def test_a_review_can_be_stopped_and_what_is_damaged_is_not_written_over(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project_with_run / FILE_NAME).write_text("not json\n", encoding="utf-8")
    window = start_app(project_with_run)
    go_on = threading.Event()

    def slow(run: Path, device: str = "auto") -> Iterator[Any]:
        while not go_on.wait(0.01):
            yield Progress("Cross-validating shape", 0, 2)
        yield Review(read_table(project_with_run / "metadata.csv"), 58, FINDINGS)

    monkeypatch.setattr(label_review, "review_labels", slow)
    page = opened(qtbot, window)
    page.tabs.setCurrentWidget(page.labels)
    click(named(page, "Review the data", QPushButton))
    qtbot.waitUntil(lambda: "0 of 2" in page.labels.progress.label.text(), timeout=PATIENCE_MS)
    click(named(page, "Stop the review", QPushButton))
    assert window.session.reviewing.status == "none"
    assert named(page, "Review the data", QPushButton).isVisible()
    go_on.set()
    tab = reviewed(qtbot, monkeypatch, window, project_with_run)
    QTest.keyClick(named(tab, "Rows to decide on", QTableView), Qt.Key.Key_X)
    assert not window.session.decisions.all
    window.session.shutdown()
    assert (project_with_run / FILE_NAME).read_text(encoding="utf-8") == "not json\n"


def test_missing_labels_are_given_by_keys_without_a_model(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Data")
    click(named(page, "Label rows", QPushButton))
    view = page._labels
    empty = [i for i in range(60) if i % 9 == 8]
    pick(view.target_box, "size")
    qtbot.waitUntil(lambda: len(view.panel.model.findings) == len(empty), timeout=PATIENCE_MS)
    asked = [f.row for f in view.panel.model.findings]
    assert sorted(asked) == empty and asked != empty
    assert "No model" in view.words.text()
    table = named(view, "Rows to decide on", QTableView)
    QTest.keyClick(table, Qt.Key.Key_2)  # small
    QTest.keyClick(table, Qt.Key.Key_S)
    QTest.keyClick(table, Qt.Key.Key_H)  # a class that is not there yet
    field = named(view, "Label to give", QLineEdit)
    QTest.keyClicks(field, "uge")
    QTest.keyClick(field, Qt.Key.Key_Return)
    QApplication.processEvents()
    assert [line[4] for line in lines(view)[:3]] == ["→ small", "Skipped", "→ huge"]
    assert [accessible_name(b) for b in view.panel.keys.buttons][2:] == ["huge: key 3"]
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert lines(view)[2][4] == ""
    click(named(view, "More rows", QPushButton))
    qtbot.waitUntil(
        lambda: [f.row for f in view.panel.model.findings] == asked[2:], timeout=PATIENCE_MS)
    click(named(view, "Write table", QPushButton))
    qtbot.waitUntil(view.panel.note.use_button.isVisible, timeout=PATIENCE_MS)
    written = read_table(small_project / "metadata reviewed.csv")
    assert written.cell(asked[0], "size") == "small" and written.cell(asked[1], "size") is None
    with qtbot.waitSignal(window.session.project.changed, timeout=PATIENCE_MS):
        click(view.panel.note.use_button)
    qtbot.waitUntil(view.panel.note.train_button.isVisible, timeout=PATIENCE_MS)


def test_a_model_says_which_rows_to_label_first(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = go_to(window, "Data")
    click(named(page, "Label rows", QPushButton))
    view = page._labels
    pick(view.target_box, "size")
    qtbot.waitUntil(lambda: bool(view.panel.model.findings), timeout=PATIENCE_MS)
    store = window.session.labelling
    assert store.listed.run == project_with_run / "runs" / "second"
    assert {f.suggested for f in store.listed.findings} <= {"big", "small"}
    assert "Rows that second is least sure" in view.words.text()
    click(named(page, "Back to the samples", QPushButton))
    assert named(page, "Samples", QTableView).isVisible()


def test_a_training_after_labelling_continues_from_the_last_model(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    session = window.session
    page = go_to(window, "Data")
    click(named(page, "Label rows", QPushButton))
    view = page._labels
    pick(view.target_box, "size")
    qtbot.waitUntil(lambda: bool(view.panel.model.findings), timeout=PATIENCE_MS)
    QTest.keyClick(named(view, "Rows to decide on", QTableView), Qt.Key.Key_1)
    click(named(view, "Write table", QPushButton))
    note = view.panel.note
    qtbot.waitUntil(note.use_button.isVisible, timeout=PATIENCE_MS)
    assert not note.go_on_button.isVisible()
    click(note.use_button)
    qtbot.waitUntil(note.go_on_button.isVisible, timeout=PATIENCE_MS)
    assert note.train_button.isVisible() and "second" in note.text
    session.project.edit("training.epochs", 1)
    with qtbot.waitSignal(session.training.ended, timeout=PATIENCE_MS) as ended:
        click(note.go_on_button)
    assert ended.args[0] == "completed" and window.current_page == "Train"
    run = RunFolder(session.training.run)
    assert run.name not in ("first", "second")
    found = run.experiment()
    assert found.training.start_from == "runs/second" and found.fusion.name == "gated"
    assert found.data.table == "metadata reviewed.csv"
    assert run.history().weights_taken.run == "runs/second"


def test_what_a_loop_holds_is_left_out_or_labelled(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions_state, "MOST_AT_ONCE", 2)  # as for very many
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    tab = show_tab(qtbot, page, 4)
    assert not tab.chosen.isVisible()
    tab.list_places(np.array([0, 1, 2]))
    rows = [tab.model.table_row(at) for at in range(3)]
    decisions = window.session.decisions
    click(named(tab, "Leave these out", QPushButton))
    qtbot.waitUntil(lambda: len(decisions.all) == 3, timeout=PATIENCE_MS)
    assert [(d.row, d.verdict) for d in decisions.all] == [(r, "leave out") for r in rows]
    assert "3 samples" in tab.chosen.words.text()
    box = named(tab, "Label for these", QComboBox)
    box.setCurrentIndex(2)
    box.activated.emit(2)
    qtbot.waitUntil(lambda: len(decisions.all) == 6, timeout=PATIENCE_MS)
    assert [(d.row, d.target, d.label) for d in decisions.all[3:]] == [
        (r, "shape", "cross") for r in rows]
    for left in (3, 0):
        click(named(tab, "Undo these", QPushButton))
        assert len(decisions.all) == left
    assert not tab.chosen.write_button.isEnabled()


def test_what_was_decided_last_is_saved_when_another_project_opens(
    qtbot: QtBot, session: Session, project_with_run: Path
) -> None:
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open(project_with_run)
    qtbot.waitUntil(lambda: session.decisions.ready, timeout=PATIENCE_MS)
    for row in range(5):
        session.decisions.decide(row, "leave out", OUTLIER)
    session.opener.close()  # the file may be behind
    assert [d.row for d in read_decisions(project_with_run)] == list(range(5))
    assert not session.decisions.all and not session.decisions.ready


def test_nothing_is_to_be_written_once_decisions_were_taken_back(
    qtbot: QtBot, session: Session, small_project: Path
) -> None:
    with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
        session.opener.open(small_project)
    store = session.decisions
    qtbot.waitUntil(lambda: store.ready, timeout=PATIENCE_MS)
    panel = DecisionPanel(session.jobs, session.project, store, (LABEL, OUTLIER))
    qtbot.addWidget(panel)
    panel.show()
    chosen = ChosenRows(session.project, store, panel)
    chosen.show_rows(None, None, np.array([]))
    given = session.project.table.cell(2, "shape")

    def offered() -> set[bool]:
        return {store.can_write, panel.write_button.isEnabled(), chosen.write_button.isEnabled()}

    for taken_back in (
            ("keep", ""),  # it is right as it is, after all
            ("relabel", given)):
        store.decide(2, "relabel", LABEL, "shape", "bar")
        assert offered() == {True}
        store.decide(2, taken_back[0], LABEL, "shape", taken_back[1])
        assert offered() == {False}
        store.undo((LABEL,))
        assert offered() == {True}
        store.undo((LABEL,))
        assert offered() == {False}
    store.decide(2, "leave out", OUTLIER)
    store.decide(2, "keep", LABEL, "shape")  # another question
    assert offered() == {True}
    store.decide(2, "keep", OUTLIER)
    assert offered() == {False}
    # a label of a target that goes has no column any more
    store.decide(3, "relabel", LABEL, "size", "huge")
    assert offered() == {True}
    experiment = session.project.experiment
    session.project.use_experiment(replace(
        experiment, targets={"shape": experiment.targets["shape"]}))
    assert offered() == {False}


def test_undo_on_the_map_goes_no_farther_back_in_another_project(
    qtbot: QtBot, session: Session, small_project: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(small_project, tmp_path / "other"))
    for folder in (small_project, other):
        with qtbot.waitSignal(session.project.changed, timeout=PATIENCE_MS):
            session.opener.open(folder)
        qtbot.waitUntil(lambda: session.decisions.ready, timeout=PATIENCE_MS)
        if folder == small_project:
            chosen = ChosenRows(session.project, session.decisions)
            qtbot.addWidget(chosen)
            chosen.show()
            chosen._rows = [1, 2, 3]
            click(chosen.out_button)
            assert len(session.decisions.all) == 3
        else:
            for row in (1, 2, 3):
                session.decisions.decide(row, "leave out", CHOSEN)
            click(chosen.undo_button)
            assert [d.row for d in session.decisions.all] == [1, 2]


def test_digits_are_given_by_their_own_keys() -> None:
    assert keys_of([str(n) for n in range(10)]) == {n: str(n) for n in range(10)}
    assert keys_of(["bar", "2", "dot"]) == {1: "bar", 2: "2", 3: "dot"}
    assert list(keys_of([f"label {n}" for n in range(20)])) == list(range(1, 10))
