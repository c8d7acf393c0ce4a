"""A person's hands and eyes: finds controls by their names, clicks, types and drops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QListView, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from tests.gui.conftest import PATIENCE_MS

W = TypeVar("W", bound=QWidget)
LEFT = Qt.MouseButton.LeftButton


def accessible_name(widget: QWidget) -> str:
    """The name that a screen reader says."""
    if isinstance(widget, QComboBox):
        return widget.accessibleName()  # on Linux, Qt itself tells its choice instead
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


def named(root: QWidget, name: str, kind: type[W] = QWidget) -> W:
    """The one visible control of this kind that has this accessible name.

    Parts of a control may say the same as the control: its label, the plot in its card.
    """
    same = [
        widget for widget in root.findChildren(kind)
        if widget.isVisible() and accessible_name(widget) == name
    ]
    found = [
        widget for widget in same
        if not any(other is not widget and other.isAncestorOf(widget) for other in same)
    ]
    assert len(found) == 1, f"{len(found)} visible controls are named {name!r}: {found}"
    return found[0]


def click(widget: QWidget, at: QPoint | None = None) -> None:
    """Click into the middle of a control, as long as it can be clicked."""
    assert widget.isVisible() and widget.isEnabled(), f"{accessible_name(widget)} can't be clicked"
    QTest.mouseClick(widget, LEFT, pos=at or widget.rect().center())


def click_box(widget: QWidget) -> None:
    """Click onto the square of a check box: its middle may be empty space."""
    click(widget, QPoint(10, widget.height() // 2))


def go_to(window: MainWindow, page: str) -> QWidget:
    """Click a page's button in the rail; the page."""
    click(window.rail.button(page))
    QApplication.processEvents()  # what was laid out just now is shown in the next turn
    assert window.current_page == page
    return window.page(page)


def choose(qtbot: QtBot, combo: QComboBox, data: str) -> None:
    """Choose an entry of a combo box through its list."""
    row = combo.findData(data)
    assert row >= 0, f"{data} is not in {[combo.itemData(i) for i in range(combo.count())]}"
    click(combo)
    view = combo.view()
    qtbot.waitUntil(view.isVisible, timeout=PATIENCE_MS)

    def chosen() -> bool:
        # right after it opened, the list takes a click for the end of the one that opened it
        if view.isVisible():
            place = view.visualRect(view.model().index(row, 0)).center()
            QTest.mouseMove(view.viewport(), place)
            QTest.mouseClick(view.viewport(), LEFT, pos=place)
        elif combo.currentData() != data:
            click(combo)  # that click closed it
        return bool(combo.currentData() == data)

    qtbot.waitUntil(chosen, timeout=PATIENCE_MS)


def type_number(field: QWidget, number: int | float) -> None:
    """Type a number into a field and press Enter."""
    field.selectAll()
    QTest.keyClicks(field, f"{number:g}")
    QTest.keyClick(field, Qt.Key.Key_Return)


def drop(target: QWidget, mime: QMimeData) -> bool:
    """Drag something over a control and let it go; whether it was taken."""
    place = target.rect().center()
    what = (Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(place, *what)
    QApplication.sendEvent(target, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(target, QDragMoveEvent(place, *what))
    event = QDropEvent(QPointF(place), *what)
    QApplication.sendEvent(target, event)
    return event.isAccepted()


def drop_files(target: QWidget, files: Sequence[Path]) -> bool:
    """Drop files as a file manager does; whether they were taken."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    return drop(target, mime)


def read_scores(page: QWidget, task: str) -> dict[str, float]:
    """What the list `Prediction: TASK` shows: label to per cent, in the order shown."""
    view = named(page, f"Prediction: {task}", QListView)
    model = view.model()
    rows = [str(model.index(row, 0).data()) for row in range(model.rowCount())]
    return {
        label: float(score.removesuffix(" %"))
        for label, _, score in (row.rpartition(", ") for row in rows)
    }
