"""The Data page's samples: filters, sorting, counts to click on, one sample whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from mmstudio.data.store import decode_all
from mmstudio.data.store_space import store_bytes, stored_limit
from mmstudio.gui.dialogs.store_dialog import StoreDialog
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.media.views.input_detail import InputDetail
from mmstudio.gui.pages.data.page import DataPage
from mmstudio.modalities.text import TextModality
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import choose, click, named
from tests.small_project import read_rows

Rows = list[dict[str, str]]


@pytest.fixture
def page(
    qtbot: QtBot, start_app: Callable[..., MainWindow], small_project: Path
) -> DataPage:
    """The Data page of the small project, counted and checked."""
    window = start_app(small_project)
    window.go_to("Data")
    page = window.page("Data")
    assert isinstance(page, DataPage)
    qtbot.waitUntil(lambda: page.side._counts is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not window.session.check.running, timeout=PATIENCE_MS)
    return page


@pytest.fixture
def rows(page: DataPage, small_project: Path) -> Rows:
    return read_rows(small_project)


def shown(page: DataPage) -> list[int]:
    """The rows on show, from the top."""
    header = [int(page.model.headerData(i, Qt.Orientation.Vertical)) - 1
              for i in range(page.model.rowCount())]
    return header


def wait_for(qtbot: QtBot, page: DataPage, expected: list[int]) -> None:
    qtbot.waitUntil(lambda: not page.model.shown.is_asking and shown(page) == expected,
                    timeout=PATIENCE_MS)


def section(page: DataPage, name: str) -> int:
    heads = [page.model.headerData(i, Qt.Orientation.Horizontal)
             for i in range(page.model.columnCount())]
    return heads.index(name)


def test_search_split_class_and_missing_input_narrow_each_other(
    qtbot: QtBot, page: DataPage, rows: Rows
) -> None:
    QTest.keyClicks(named(page, "Search samples", QLineEdit), "POINT")
    expected = [i for i, row in enumerate(rows) if "point" in row["text"]]
    wait_for(qtbot, page, expected)
    choose(qtbot, named(page, "Show split", QComboBox), "train")
    expected = [i for i in expected if rows[i]["split"] == "train"]
    wait_for(qtbot, page, expected)
    page.filters.toggle_label("size", "big")
    expected = [i for i in expected if rows[i]["size"] == "big"]
    wait_for(qtbot, page, expected)
    page.filters.toggle_missing("audio")
    expected = [i for i in expected if not rows[i]["audio"]]
    wait_for(qtbot, page, expected)
    click(named(page, "Remove filter no audio", QPushButton))
    qtbot.waitUntil(lambda: not page.filters.question.missing, timeout=PATIENCE_MS)
    click(named(page, "Show all samples", QPushButton))
    wait_for(qtbot, page, list(range(60)))
    assert named(page, "Search samples", QLineEdit).text() == ""


def test_the_menu_offers_what_there_is_with_its_counts(page: DataPage, rows: Rows) -> None:
    page.filters._fill_menu()
    menu = page.filters._menu
    texts = [action.text() for action in menu.actions()]
    missing = sum(not row["audio"] for row in rows)
    assert f"no audio\t{missing}" in texts
    shapes = next(action.menu() for action in menu.actions() if action.text() == "shape")
    assert [action.text() for action in shapes.actions()] == ["bar\t20", "cross\t20", "dot\t20"]
    shapes.actions()[1].trigger()
    assert page.filters.question.labels == {"shape": {"cross"}}


def test_a_click_on_a_head_sorts_and_the_third_one_takes_it_back(
    qtbot: QtBot, page: DataPage, rows: Rows
) -> None:
    head = page.samples.horizontalHeader()
    column = section(page, "size")
    place = QPoint(head.sectionViewportPosition(column) + 20, head.height() // 2)
    up = sorted((i for i, r in enumerate(rows) if r["size"]), key=lambda i: rows[i]["size"])
    empty = [i for i, r in enumerate(rows) if not r["size"]]
    click(head.viewport(), place)
    qtbot.waitUntil(lambda: shown(page)[0] == up[0] and not page.model.shown.is_asking,
                    timeout=PATIENCE_MS)
    assert [rows[i]["size"] for i in shown(page)] == [rows[i]["size"] for i in up + empty]
    click(head.viewport(), place)
    qtbot.waitUntil(lambda: rows[shown(page)[0]]["size"] == "small", timeout=PATIENCE_MS)
    assert all(not rows[i]["size"] for i in shown(page)[-len(empty):])
    click(head.viewport(), place)
    wait_for(qtbot, page, list(range(60)))


def test_the_bars_tell_the_counts_and_a_click_filters(
    qtbot: QtBot, page: DataPage, rows: Rows
) -> None:
    side = page.side
    assert side._split_bar.accessibleName() == "Training: 42, Validation: 9, Test: 9"
    words = "bar 20, cross 20, dot 20"
    assert side._classes.text() == side._classes.accessibleDescription() == words
    assert f"audio {sum(not r['audio'] for r in rows)}" in side._missing.text()
    click(side._classes, QPoint(20, 30))
    wait_for(qtbot, page, [i for i, row in enumerate(rows) if row["shape"] == "cross"])
    assert side._classes.marked == {1}
    click(side._classes, QPoint(20, 30))
    wait_for(qtbot, page, list(range(60)))
    click(side._split_bar, QPoint(20, side._split_bar.height() - 10))
    wait_for(qtbot, page, [i for i, row in enumerate(rows) if row["split"] == "test"])


def test_the_rows_with_problems_can_be_shown_alone(
    qtbot: QtBot, page: DataPage, small_project: Path, rows: Rows
) -> None:
    row = next(i for i, r in enumerate(rows) if r["audio"])
    (small_project / rows[row]["audio"]).write_bytes(b"nothing")
    with qtbot.waitSignal(page.model.problems_changed, timeout=PATIENCE_MS):
        page._check.start()
        qtbot.waitUntil(lambda: page._check.report is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "unreadable" in page.model.problems, timeout=PATIENCE_MS)
    page.filters.toggle_problem("unreadable")
    wait_for(qtbot, page, [row])
    assert page.model.index(0, section(page, "audio")).data(Qt.ItemDataRole.ForegroundRole)
    page.samples.go_to_row(row)
    page._open_row(row)
    qtbot.waitUntil(lambda: "wav" in page.detail._problem_text.text(), timeout=PATIENCE_MS)


def test_a_click_opens_the_sample_and_the_keys_go_on(
    qtbot: QtBot, page: DataPage, rows: Rows
) -> None:
    table = named(page, "Samples", QTableView)
    first = next(i for i, r in enumerate(rows) if all(r.values()) and all(rows[i + 1].values()))
    place = table.visualRect(page.model.index(first, 0)).center()
    click(table.viewport(), place)
    assert page.detail.isVisible() and page.detail.row == first
    sound, words = (part for part in page.detail.findChildren(InputDetail)
                    if part._modality in ("audio", "text"))
    qtbot.waitUntil(lambda: sound._sound is not None, timeout=PATIENCE_MS)
    assert abs(sound._sound.seconds - 0.3) < 0.01
    assert words._text.toPlainText() == rows[first]["text"]
    told = [part.text() for part in page.detail.findChildren(QLabel) if part.isVisible()]
    assert rows[first]["shape"] in told and rows[first]["size"] in told
    QTest.keyClick(table, Qt.Key.Key_Down)
    assert page.detail.row == first + 1
    click(named(page, "Previous sample", QPushButton))
    assert page.detail.row == first
    QTest.keyClick(table, Qt.Key.Key_Escape)
    assert page.side.isVisible() and not page.detail.isVisible()
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert page.detail.isVisible()


def test_a_missing_input_and_a_broken_file_are_told_in_the_detail(
    qtbot: QtBot, page: DataPage, small_project: Path, rows: Rows
) -> None:
    missing = next(i for i, r in enumerate(rows) if not r["audio"])
    page._open_row(missing)
    sound = next(p for p in page.detail.findChildren(InputDetail) if p._modality == "audio")
    assert "Missing" in sound._instead.text() and not sound.content.isVisible()
    broken = next(i for i, r in enumerate(rows) if r["audio"])
    (small_project / rows[broken]["audio"]).write_bytes(b"nothing")
    page._open_row(broken)
    qtbot.waitUntil(lambda: "sound" in sound._instead.text(), timeout=PATIENCE_MS)
    assert not sound._play.isEnabled()


def test_decoded_data_is_cleared_from_the_menu(qtbot: QtBot, page: DataPage) -> None:
    spec = TextModality().fit(["one two", "three"])
    *_, rows = decode_all(TextModality(), spec, ["one", "two"])
    del rows  # what is in use would stay
    assert store_bytes() > 0
    window = page.window()
    window.menus.show_store()
    dialog = window.findChild(StoreDialog)
    clear = named(dialog, "Clear decoded data", QPushButton)
    size = dialog.size_label
    qtbot.waitUntil(lambda: "of at most" in size.text(), timeout=PATIENCE_MS)
    click(clear)
    qtbot.waitUntil(lambda: "cleared" in size.text(), timeout=PATIENCE_MS)
    assert store_bytes() == 0
    dialog.limit.setValue(1.5)
    assert stored_limit() == 1.5
    qtbot.waitUntil(lambda: "1.5 GB" in size.text(), timeout=PATIENCE_MS)
    dialog.limit.setValue(0.0)
    assert stored_limit() is None
    click(named(dialog, "Close", QPushButton))
