"""The Results page: matrices, the samples behind a cell, the way to the Test page."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QTableView,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mmstudio.evaluation.row_facts import RowFacts
from mmstudio.evaluation.scores import kept_scores
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.state import results as results_state
from mmstudio.gui.state.heavy_work import TRAINING
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import LEFT, click, go_to, named
from tests.gui.test_pages import cut_texts

Start = Callable[..., MainWindow]


def opened(qtbot: QtBot, window: MainWindow) -> Any:
    """The Results page with its results."""
    page = go_to(window, "Results")
    results = window.session.results
    qtbot.waitUntil(lambda: results.status == "ready", timeout=PATIENCE_MS)
    return page


def listed(page: Any) -> list[list[str]]:
    """What the table of samples shows."""
    model = named(page, "Samples of the cell", QTableView).model()
    return [[str(model.index(row, column).data(Qt.ItemDataRole.AccessibleTextRole))
             for column in range(model.columnCount())] for row in range(model.rowCount())]


def pick(box: QComboBox, data: object) -> None:
    """Choose an entry, without the list that only a screen can show."""
    box.setCurrentIndex([box.itemData(i) for i in range(box.count())].index(data))
    box.activated.emit(box.currentIndex())


def heads(page: Any) -> list[str]:
    model = named(page, "Samples of the cell", QTableView).model()
    return [str(model.headerData(i, Qt.Orientation.Horizontal))
            for i in range(model.columnCount())]


def test_the_page_stands_between_test_and_runs(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)
    QTest.keyClick(window, Qt.Key.Key_5, Qt.KeyboardModifier.ControlModifier)
    assert window.current_page == "Results"


def test_nothing_is_computed_before_the_page_is_seen(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    window.page("Results")
    go_to(window, "Test")
    qtbot.waitUntil(lambda: window.session.testing.predictor is not None, timeout=PATIENCE_MS)
    assert window.session.results.status == "none"
    assert kept_scores(project_with_run / "runs" / "second") is None


def test_a_click_in_a_matrix_lists_its_samples(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    kept = kept_scores(window.session.results.run)
    assert kept is not None  # beside the run, for the next time
    views = page.mistakes.strip.views
    assert [view.title for view in views] == [
        "All inputs", "image alone", "words alone", "sound alone", "image + words",
        "image + sound", "words + sound"]
    task = kept.tasks["shape"]
    for view, at in zip(views, (0, 4, 5, 6), strict=False):
        assert at < 4 or kept.subset(at) == (view.title.split()[0],)
        rows = kept.counted(at) & task.known
        wanted = np.zeros((3, 3), int)
        np.add.at(wanted, (task.values[rows], task.answers(at)[rows]), 1)
        assert (view._counts == wanted).all()
    row, column = np.unravel_index(views[1]._counts.argmax(), (3, 3))
    view = views[1]
    QTest.mouseClick(view, LEFT, pos=view.place_of(int(row), int(column)).toPoint())
    lines, at = listed(page), heads(page)
    assert len(lines) == views[1]._counts.max()
    assert {line[at.index("True")] for line in lines} == {task.labels[row]}
    assert {line[at.index("Answer")] for line in lines} == {task.labels[column]}
    sure = [float(line[at.index("Confidence")].removesuffix(" %")) for line in lines]
    pick(named(page, "Order", QComboBox), "unsure")
    assert [float(line[at.index("Confidence")].removesuffix(" %"))
            for line in listed(page)] == sorted(sure)
    click(view, QPoint(5, 5))  # the head: all samples
    assert len(listed(page)) == (kept.counted(4) & task.known & (
        task.answers(4) != task.values)).sum()


def test_a_matrix_is_driven_by_keys_and_copied(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    view = page.mistakes.strip.views[0]
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert "true cross, answered cross" in view.accessibleDescription()
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert len(listed(page)) == view._counts[1, 1]
    assert view.chosen == (1, 1)
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0] == "\tbar\tcross\tdot"
    assert lines[1] == "\t".join(["bar", *map(str, view._counts[0])])


def test_samples_are_searched_and_opened_on_the_test_page(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    pick(named(page, "Which samples", QComboBox), "")
    every = listed(page)
    words = every[0][heads(page).index("words")]
    wanted = next(line for line in every if line[heads(page).index("words")] not in ("—", ""))
    words = wanted[heads(page).index("words")]
    QTest.keyClicks(named(page, "Search samples", QLineEdit), words)
    qtbot.waitUntil(lambda: 0 < len(listed(page)) < len(every), timeout=PATIENCE_MS)
    table = named(page, "Samples of the cell", QTableView)
    table.selectRow(0)
    row = int(listed(page)[0][heads(page).index("Row")])
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert window.current_page == "Test"
    test = window.page("Test")
    qtbot.waitUntil(lambda: f"row {row}" in test.sample_line.text(), timeout=PATIENCE_MS)
    assert window.session.testing.run == window.session.results.run


def test_samples_are_narrowed_down_by_their_content(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    pick(named(page, "Which samples", QComboBox), "")
    scores = window.session.results.shown.scores
    box = named(page, "Inputs", QComboBox)
    pick(box, "=image")
    assert len(listed(page)) == (~scores.present[:, 0]).sum() > 0
    pick(box, "none")
    assert len(listed(page)) == scores.present.all(axis=1).sum()
    trait = next(name for name in scores.traits if name.startswith("image"))
    values = scores.traits[trait]
    pick(box, f"<{trait}")
    assert len(listed(page)) == (values <= np.nanquantile(values, 1 / 3)).sum() > 0
    pick(box, "")
    assert len(listed(page)) == len(scores)


def test_the_largest_mixups_are_in_a_list(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    facts = window.session.results.shown.facts["shape"]
    facts._kept["mixups", 0, 0] = np.array([[0, 1, 4], [1, 2, 1]])
    page._show_task()
    box = named(page, "Largest mix-ups", QComboBox)
    assert [box.itemText(i) for i in range(1, box.count())] == [
        "bar taken for cross: 4", "cross taken for dot: 1"]
    pick(box, (0, 1))
    assert page.mistakes.strip.views[0].chosen == (0, 1)
    assert page.mistakes.strip.views[1].chosen is None


def test_another_task_split_and_run_are_shown(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    pick(named(page, "Task", QComboBox), "size")
    assert page.mistakes.strip.views[0].as_text().split("\n")[0] == "\tbig\tsmall"
    results = window.session.results
    pick(named(page, "Split", QComboBox), "validation")
    qtbot.waitUntil(lambda: results.status == "ready" and results.shown.scores.split
                    == "validation", timeout=PATIENCE_MS)
    assert named(page, "Task", QComboBox).currentData() == "size"
    first = project_with_run / "runs" / "first"
    other = first if results.run != first else project_with_run / "runs" / "second"
    pick(named(page, "Model", QComboBox), other)
    qtbot.waitUntil(lambda: results.status == "ready" and results.shown.scores.run == other,
                    timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.session.testing.run == other, timeout=PATIENCE_MS)


def test_many_rows_wait_for_the_button_and_can_be_stopped(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_state, "AUTOMATIC_ROWS", 3)
    window = start_app(project_with_run)
    results = window.session.results
    page = go_to(window, "Results")
    qtbot.waitUntil(lambda: results.status == "missing", timeout=PATIENCE_MS)
    shown = " ".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())
    assert "not been answered yet" in shown and " 9 rows" in shown
    click(named(page, "Evaluate", QPushButton))
    click(named(page, "Stop evaluation", QPushButton))
    assert results.status == "missing"
    click(named(page, "Evaluate", QPushButton))
    qtbot.waitUntil(lambda: results.status == "ready", timeout=PATIENCE_MS)


def test_without_a_model_the_page_says_what_to_do(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Results")
    assert any("no model yet" in label.text() for label in page.findChildren(QLabel))
    click(named(page, "Go to the Train page", QPushButton))
    assert window.current_page == "Train"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_words_are_cut(
    qtbot: QtBot, start_app: Start, project_with_run: Path, theme: str
) -> None:
    window = start_app(project_with_run, theme=theme)
    page = opened(qtbot, window)
    for tab in range(page.tabs.count()):
        show_tab(qtbot, page, tab)
        assert not cut_texts(page)


def show_tab(qtbot: QtBot, page: Any, number: int) -> Any:
    """A tab, its figures worked out."""
    page.tabs.setCurrentIndex(number)
    tab = page.tabs.widget(number)
    if hasattr(tab, "is_working"):
        qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
    QApplication.processEvents()  # what was laid out just now is shown in the next turn
    return tab


def figures(page: Any, name: str) -> list[list[str]]:
    """What a table of figures shows."""
    model = named(page, name, QTableView).model()
    return [[str(model.index(row, column).data()) for column in range(model.columnCount())]
            for row in range(model.rowCount())]


def test_the_figures_per_class_are_sorted_and_copied(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    window = start_app(project_with_run)
    page = opened(qtbot, window)
    show_tab(qtbot, page, 1)
    shown = figures(page, "Figures per class")
    kept = kept_scores(window.session.results.run)
    task = kept.tasks["shape"]
    precision, recall, _, support = precision_recall_fscore_support(
        task.values, task.answers(0), zero_division=0)
    for row, name in enumerate(("bar", "cross", "dot")):
        assert shown[row][0] == name and shown[row][4] == str(support[row])
        assert shown[row][1].startswith(f"{100 * precision[row]:.1f}")
        assert shown[row][2].startswith(f"{100 * recall[row]:.1f} (")
    table = named(page, "Figures per class", QTableView)
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [row[0] for row in figures(page, "Figures per class")] == ["dot", "cross", "bar"]
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].split("\t")[:2] == ["Class", "Precision %"]
    assert lines[1].split("\t") == figures(page, "Figures per class")[0]


def test_a_threshold_moves_its_figures(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    tab = show_tab(qtbot, page, 2)
    named(page, "Threshold", QSlider).setValue(0)
    assert "At 0.00" in tab.figures.text() and "recall 100.0 %" in tab.figures.text()
    tab.by_threshold.handle_moved.emit(1.0)  # as dragging the line does
    assert "At 1.00" in tab.figures.text() and "recall 0.0 %" in tab.figures.text()
    assert "Area" in tab.roc.accessibleDescription()
    click(named(page, "As a table", QToolButton))
    assert len(figures(page, "Figures by threshold, as a table")) == 19


def test_without_a_known_label_there_are_no_curves(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    page = opened(qtbot, start_app(project_with_run))
    tab = show_tab(qtbot, page, 2)
    scores = tab.facts.scores
    task = scores.tasks["shape"]
    unknown = dataclasses.replace(task, known=np.zeros(len(scores), bool))
    facts = RowFacts(dataclasses.replace(scores, tasks={"shape": unknown}), "shape")
    tab.fill(tab.shown, facts)
    assert "No row of this split has a known label" in tab.note.text()
    assert not tab.is_working and tab.content.isHidden()
    tab.fill(tab.shown, tab.facts)
    qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
    assert not tab.content.isHidden() and not tab.note.text()


def test_trust_is_calibrated_on_the_validation_rows(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    tab = show_tab(qtbot, page, 3)
    assert (window.session.results.run / "calibration.json").is_file()
    rows = figures(page, "Calibration per subset of the inputs")
    assert [row[0] for row in rows[:4]] == ["All inputs", "image alone", "words alone",
                                            "sound alone"]
    assert all(0.05 <= float(row[5]) <= 20 for row in rows)
    named(page, "Least confidence", QSlider).setValue(0)
    assert "100.0 % of the samples are answered" in tab.least_words.text()
    tab._choose(tab.table.model().index(1, 0))
    assert "image alone" in tab.reliability.accessibleDescription()


def test_the_map_lists_what_a_loop_holds(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    tab = show_tab(qtbot, page, 4)
    assert [tab.of_box.itemText(i) for i in range(tab.of_box.count())] == [
        "All inputs together", "Answers", "image", "words", "sound"]
    assert len(tab._members) == 9
    tab._click(0)
    assert tab.model.rowCount() == 1
    viewport = tab.plot.plot.viewport()
    corners = [QPoint(2, 2), QPoint(viewport.width() - 2, 2),
               QPoint(viewport.width() - 2, viewport.height() - 2),
               QPoint(2, viewport.height() - 2), QPoint(2, 3)]
    mouse(viewport, QEvent.Type.MouseButtonPress, corners[0])
    for corner in corners[1:]:
        mouse(viewport, QEvent.Type.MouseMove, corner)
    mouse(viewport, QEvent.Type.MouseButtonRelease, corners[-1])
    assert tab.model.rowCount() == 9
    for layout, of, colour in (("pca", "words", "right"), ("tsne", "", "sure")):
        pick(tab.layout_box, layout)
        pick(tab.of_box, of)
        qtbot.waitUntil(lambda: not tab.is_working, timeout=PATIENCE_MS)
        pick(tab.colour_box, colour)
        assert tab.plot.accessibleDescription()


def mouse(widget: QWidget, kind: QEvent.Type, place: QPoint) -> None:
    """What a hand does that holds the left button."""
    QApplication.sendEvent(widget, QMouseEvent(
        kind, QPointF(place), QPointF(widget.mapToGlobal(place)), LEFT, LEFT,
        Qt.KeyboardModifier.NoModifier))


def test_what_people_should_know_of_the_figures_is_told_and_looks_are_counted(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    from mmstudio.training.looks import count_looks

    window = start_app(project_with_run)
    page = opened(qtbot, window)
    results = window.session.results
    run = results.run
    assert count_looks(run) == 1 and page.note.text == ""
    page._look_again()
    qtbot.waitUntil(lambda: results.status == "ready", timeout=PATIENCE_MS)
    assert count_looks(run) == 1  # the same figures once more
    pick(named(page, "Split", QComboBox), "validation")
    qtbot.waitUntil(lambda: results.status == "ready", timeout=PATIENCE_MS)
    assert count_looks(run) == 1 and page.note.text == ""
    kept = results.shown.scores
    told = {**kept.told, "trained_on": 3, "changed": ["3 of 9 rows were trained on."],
            "unseen": {"shape": 2}, "counted_wrong": ["shape"]}
    shown = results_state.ready(
        replace(kept, told=told), results.shown.table, "metadata.csv")
    results._take(shown)
    assert "2 rows have a label of 'shape'" in page.note.text
    assert "3 of 9 rows were trained on." in page.note.text
    pick(named(page, "Split", QComboBox), "test")
    qtbot.waitUntil(lambda: results.status == "ready", timeout=PATIENCE_MS)
    assert count_looks(run) == 2
    assert "looked at 2 times" in page.note.text


def test_what_happens_beside_an_evaluation_does_not_end_it_but_heavy_work_does(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = start_app(project_with_run)
    session = window.session
    results = session.results
    page = opened(qtbot, window)
    tabs = show_tab(qtbot, page, 3), show_tab(qtbot, page, 4)
    go = threading.Event()

    def waits(*_: Any) -> Iterator[Any]:
        assert go.wait(60)
        yield from ()

    monkeypatch.setattr("mmstudio.evaluation.scores.scored", waits)
    monkeypatch.setattr("mmstudio.evaluation.representations.represented", waits)
    monkeypatch.setattr("mmstudio.evaluation.representations.load_representations", lambda _: None)
    monkeypatch.setattr("mmstudio.inference.calibrated.read_calibration", lambda *_: None)
    monkeypatch.setattr("mmstudio.evaluation.scores.kept_scores", lambda *_: None)
    run = results.run
    results.evaluate()
    session.training.ended.emit("stopped")
    session.project.splits_changed.emit(session.project.splits)
    assert results.status == "working" and results.run == run
    tabs[0]._calibrate()
    tabs[1]._work_out()
    session.heavy.begin(TRAINING, lambda: None)
    assert results.status == "missing"
    qtbot.waitUntil(lambda: not tabs[0].is_working and not tabs[1].is_working, timeout=8000)
    told: list[str] = []
    session.jobs.problem.connect(lambda message, _: told.append(message))
    results.evaluate()
    tabs[0]._calibrate()
    tabs[1]._work_out()
    assert told == [TRAINING.now] * 3 and results.status == "missing"
    assert not tabs[0].is_working and not tabs[1]._job.busy
    go.set()
    session.heavy.end()
    qtbot.waitUntil(lambda: session.jobs.all_over, timeout=PATIENCE_MS)


def test_nothing_of_another_target_stays_while_the_new_is_worked_out(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    trust, spread = show_tab(qtbot, page, 3), show_tab(qtbot, page, 4)
    assert trust.reliability._drawn and spread.plot._drawn and len(spread._members)
    shown, facts = spread.shown, spread.facts
    spread.fill(shown, facts)
    trust.fill(shown, facts)
    assert not spread.plot._drawn and not len(spread._members)
    assert spread.plot.accessibleDescription() == ""
    spread._paint()
    assert not spread.plot._drawn
    for plot in (trust.reliability, trust.answered):
        assert not plot._drawn and plot.accessibleDescription() == ""
    assert trust.least_words.text() == ""
    numbers = page.mistakes.numbers
    numbers.against.show_words("another's")
    numbers.show_facts(facts)
    assert numbers.against.accessibleDescription() == "" and not numbers.against._drawn
    numbers._slot.cancel()


def test_a_mistake_waits_for_the_model_that_made_it(
    qtbot: QtBot, start_app: Start, project_with_run: Path
) -> None:
    window = start_app(project_with_run)
    session = window.session
    test = go_to(window, "Test")
    qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
    page = opened(qtbot, window)
    other = next(run for run in session.results.model_runs() if run != session.testing.run)
    session.testing.load(other)
    page._open_sample(3)
    assert session.testing.loading and test.sample_line.text() == ""
    qtbot.waitUntil(lambda: "row 4" in test.sample_line.text(), timeout=PATIENCE_MS)
    assert not session.testing.loading


def test_of_too_many_classes_only_the_mixups_are_shown(
    qtbot: QtBot, start_app: Start, project_with_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_state, "MOST_CELLS", 8)  # of three classes there are nine cells
    window = start_app(project_with_run)
    page = opened(qtbot, window)
    shown = window.session.results.shown
    facts = shown.facts["shape"]
    assert page.mistakes.strip.views == [] and page.mistakes.strip.isHidden()
    assert "too many classes" in page.mistakes.hint.text()
    assert not any(key[0] == "confusion" for key in facts._kept)
    facts._kept["mixups", 0, 0] = np.array([[0, 1, 4]])
    page._show_task()
    box = named(page, "Largest mix-ups", QComboBox)
    pick(box, (0, 1))
    wanted = facts.is_wrong(0) & (facts.task.values == 0) & (facts.answers(0) == 1)
    assert len(listed(page)) == wanted.sum()
