"""Whatever a project calls its things, the window shows the names and never obeys them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QModelIndex, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QGraphicsTextItem,
    QGraphicsView,
    QLabel,
    QWidget,
)
from pytestqt.qtbot import QtBot

import mmstudio
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.pages.listed import PAGES
from mmstudio.gui.plain_text import LONGEST_TIP, MarkedLabel, plain_tip
from tests.gui.conftest import PATIENCE_MS
from tests.small_project import TOML, read_rows, train_small, write_small_project, write_table

TIP = Qt.ItemDataRole.ToolTipRole
EVIL = "<img src=x><b>"
GUI = Path(mmstudio.__file__).parent / "gui"


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained project in which all that can have a name is called like HTML."""
    folder = write_small_project(tmp_path / f"{EVIL}project")
    for name in ("images", "sounds"):
        (folder / name).rename(folder / f"{EVIL}{name}")
    rows = []
    for row in read_rows(folder):
        for column in ("file_name", "audio"):
            if row[column]:
                row[column] = f"{EVIL}{row[column]}"
        for column in ("text", "shape", "size"):
            if row[column]:
                row[column] = f"{EVIL}{row[column]}"
        rows.append({f"{EVIL}{name}" if name != "split" else name: cell
                     for name, cell in row.items()})
    rows[3][f"{EVIL}audio"] = f"{EVIL}sounds/missing.wav"  # a problem for the list
    write_table(folder / "metadata.csv", rows)
    text = TOML
    for column in ("file_name", "audio", "text"):
        text = text.replace(f'column = "{column}"', f'column = "{EVIL}{column}"')
    for name in ("image", "words", "sound"):
        text = text.replace(f"[inputs.{name}]", f'[inputs."{EVIL}{name}"]')
    for name in ("shape", "size"):
        text = text.replace(f"[targets.{name}]", f'[targets."{EVIL}{name}"]')
    (folder / "experiment.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("tests.small_project.TOML", text)
    for run in ("one", "two"):
        train_small(folder, {"training.epochs": 1}, run=f"{EVIL}{run}")
    return folder


def items(model: QAbstractItemModel) -> Iterator[str]:
    """The tooltips of a model's first rows and of its heads."""
    root = QModelIndex()
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(root)
    for row in range(min(model.rowCount(root), 50)):
        for column in range(columns):
            yield model.index(row, column, root).data(TIP)
    for column in range(columns):
        yield model.headerData(column, Qt.Orientation.Horizontal, TIP)


def obeyed(window: QWidget) -> list[str]:
    """Names that Qt would take for HTML: in labels, tooltips, items, plots."""
    found = []
    for widget in [window, *window.findChildren(QWidget)]:
        what = f"{type(widget).__name__} {widget.objectName()}"
        tips = [widget.toolTip()]
        if isinstance(widget, QLabel) and widget.textFormat() != Qt.TextFormat.PlainText:
            if "<img" in widget.text() or not isinstance(widget, MarkedLabel):
                found.append(f"{what} shows {widget.text()!r}")
        if isinstance(widget, QAbstractItemView | QComboBox) and widget.model() is not None:
            tips += items(widget.model())
        if isinstance(widget, QGraphicsView) and widget.scene() is not None:
            found += [f"{what} draws {item.toHtml()!r}" for item in widget.scene().items()
                      if isinstance(item, QGraphicsTextItem) and "<img" in item.toHtml()]
        found += [f"{what} tells {tip!r}" for tip in tips
                  if tip and "<img" in tip and Qt.mightBeRichText(tip)]
    return found


def is_settled(tab: QWidget) -> bool:
    """Whether a tab of the Results page shows its figures."""
    return not getattr(tab, "is_working", False)


def test_no_page_obeys_a_name(
    qtbot: QtBot, start_app: Callable[..., MainWindow], hostile: Path
) -> None:
    window = start_app(hostile)
    session = window.session
    qtbot.waitUntil(lambda: session.check.report is not None, timeout=PATIENCE_MS)
    assert EVIL in window.windowTitle()
    seen = 0
    for page in PAGES:
        window.go_to(page)
        QApplication.processEvents()
        if page == "Test":
            qtbot.waitUntil(lambda: session.testing.predictor is not None, timeout=PATIENCE_MS)
            shown = window.page("Test")
            with qtbot.waitSignal(session.testing.predicted, timeout=PATIENCE_MS):
                shown.next_button.click()
        if page == "Train":
            plots = window.page("Train").plots
            qtbot.waitUntil(lambda p=plots: all(q.drawing for q in p.plots()),
                            timeout=PATIENCE_MS)
        if page == "Results":
            shown = window.page("Results")
            qtbot.waitUntil(lambda: session.results.status == "ready", timeout=PATIENCE_MS)
            for number in range(shown.tabs.count()):
                shown.tabs.setCurrentIndex(number)
                qtbot.waitUntil(partial(is_settled, shown.tabs.widget(number)),
                                timeout=PATIENCE_MS)
                assert not obeyed(window)
        assert not obeyed(window)
        seen += sum(EVIL in one.text() for one in window.stack.currentWidget().findChildren(QLabel))
    assert seen > 20  # the names were there to see


def test_a_tip_shows_what_stands_there() -> None:
    assert plain_tip("a < b\nsecond") == "a < b\nsecond"
    assert plain_tip("<b>a</b> & b\nc") == "<qt>&lt;b&gt;a&lt;/b&gt; &amp; b<br>c</qt>"
    assert len(plain_tip("a" * 10**6)) == LONGEST_TIP + 2


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(GUI.rglob("*.py")):
        if path.name != "plain_text.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield path, node


def is_ours(node: ast.expr) -> bool:
    """Whether a tooltip is a text of the app, or was made plain."""
    if isinstance(node, ast.IfExp):
        return is_ours(node.body) and is_ours(node.orelse)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("plain_tip", "field.toolTip") or (
            ast.unparse(node.func) == "self.tr" and is_ours(node.args[0]))
    return isinstance(node, ast.Constant)


def test_every_label_and_tooltip_is_made_plain() -> None:
    wrong = []
    for path, node in calls():
        name = ast.unparse(node.func)
        if name == "QLabel":
            wrong.append((path.name, node.lineno, name))
        if name.endswith(".setToolTip") and not is_ours(node.args[-1]):
            wrong.append((path.name, node.lineno, ast.unparse(node)))
    assert not wrong
