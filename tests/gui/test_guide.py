"""The user guide in the window: every page has its place, links stay inside, F1 is about here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from mmstudio.gui.dialogs.guide_dialog import GuideDialog, guide_pages
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.menus import FIRST_STEPS
from mmstudio.gui.pages.listed import LISTED
from tests.gui.driving import go_to

Start = Callable[..., MainWindow]


@pytest.fixture
def dialog(qtbot: QtBot) -> GuideDialog:
    made = GuideDialog()
    qtbot.addWidget(made)
    made.show()
    return made


def titles_on_show(dialog: GuideDialog) -> list[str]:
    items = [dialog.contents.item(row) for row in range(dialog.contents.count())]
    return [item.text() for item in items if not item.isHidden()]


@pytest.mark.parametrize("address", [FIRST_STEPS, *(entry.guide for entry in LISTED)])
def test_every_page_of_the_window_has_its_place(dialog: GuideDialog, address: str) -> None:
    dialog.show_page(address)
    name, _, heading = address.partition("#")
    page = guide_pages()[dialog.contents.currentRow()]
    assert page.path.stem == name
    assert dialog.browser.toPlainText().startswith(page.title)
    if heading:
        assert f"\n## {heading}\n" in page.text
        assert dialog.browser.verticalScrollBar().value() > 0


def test_links_lead_to_pages_and_headings_that_are_there() -> None:
    names = {page.path.name for page in guide_pages()}
    links = [link for page in guide_pages() for link in re.findall(r"\]\(([^)]+)\)", page.text)]
    assert links
    assert not [link for link in links if not link.startswith("https://") and link not in names]


def test_a_link_shows_its_page_and_an_address_asks_the_system(
    dialog: GuideDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    dialog.browser.anchorClicked.emit(QUrl("10-accuracy.md"))
    assert guide_pages()[dialog.contents.currentRow()].path.stem == "10-accuracy"
    dialog.browser.anchorClicked.emit(QUrl("https://pytorch.org/"))
    dialog.browser.anchorClicked.emit(QUrl("file:///etc/passwd"))
    assert opened == [QUrl("https://pytorch.org/")]


def test_a_search_leaves_the_pages_that_hold_the_words(qtbot: QtBot, dialog: GuideDialog) -> None:
    dialog.show_page(FIRST_STEPS)
    qtbot.keyClicks(dialog.words, "Shapley")
    assert titles_on_show(dialog) == [p.title for p in guide_pages() if "Shapley" in p.text]
    shown = guide_pages()[dialog.contents.currentRow()]
    assert len(dialog.browser.extraSelections()) == shown.text.count("Shapley") > 0
    first = dialog.browser.textCursor().position()
    qtbot.keyClick(dialog.words, Qt.Key.Key_Return)
    qtbot.keyClick(dialog.words, Qt.Key.Key_Return)
    assert dialog.browser.textCursor().position() >= first
    qtbot.keyClicks(dialog.words, " of nothing that is there")
    assert titles_on_show(dialog) == []
    assert dialog.count.text() == "Nothing found"
    dialog.words.clear()
    assert len(titles_on_show(dialog)) == len(guide_pages())


def test_f1_opens_the_guide_at_the_page_on_show(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    go_to(window, "Compare")
    (action,) = [a for a in window.menus.file.parentWidget().actions() if a.text() == "&Help"]
    guide = next(a for a in action.menu().actions() if a.text() == "User guide")
    assert guide.shortcut().toString() == "F1"
    guide.trigger()
    (dialog,) = window.findChildren(GuideDialog)
    assert guide_pages()[dialog.contents.currentRow()].title == "Fusion"
    go_to(window, "Data")
    guide.trigger()
    assert window.findChildren(GuideDialog) == [dialog]
    assert guide_pages()[dialog.contents.currentRow()].title == "Your data"
