"""The queue's panel, its badge, and the buttons that put something into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.parts.queue_panel import QueuePanel
from mmstudio.gui.state.heavy_work import TRAINING
from mmstudio.gui.state.queue_store import Listing
from mmstudio.gui.state.session import Session
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.job import Job
from tests.gui.conftest import PATIENCE_MS
from tests.gui.driving import click, go_to, named
from tests.small_project import small_experiment

Start = Callable[..., MainWindow]


def lines(panel: QueuePanel) -> list[tuple[str, str]]:
    """Name and state of each line, from the top."""
    rows = sorted(panel._rows.values(), key=lambda row: row.y())
    return [(row.name.text(), row.about.text()) for row in rows]


def test_a_training_and_a_comparison_are_added_beside_start(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    page = go_to(window, "Train")
    click(named(page, "Add to queue", QAbstractButton))
    note = page.queued_note
    qtbot.waitUntil(lambda: not note.isHidden(), timeout=PATIENCE_MS)
    assert note.text == ("concat-image-words-sound-1 waits in the queue. Start the queue to run "
                         "what waits, one after another.")
    compare = go_to(window, "Compare")
    click(named(compare, "Add to queue", QAbstractButton))
    qtbot.waitUntil(lambda: window.header.queue.text() == "2", timeout=PATIENCE_MS)
    assert "comparison-1" in compare.queued_note.text
    click(named(compare, "Show queue", QAbstractButton))
    assert window.queue_panel.isVisible() and window.header.queue.isChecked()
    assert window.queue_panel.about.text() == "2 wait."
    window.activateWindow()  # on a busy machine another test's window may be the active one
    qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)
    QTest.keyClick(window.queue_panel.clear_button, Qt.Key.Key_Escape)
    assert not window.queue_panel.isVisible() and not window.header.queue.isChecked()


def test_jobs_are_reordered_held_and_removed_in_the_panel(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    folder = JobsQueue(small_project)
    for name in ("a", "b", "c"):
        folder.add("train", small_experiment(), name)
    folder.changed(3, state="failed", message="It is wrong.", hint="Mend it.")
    window = start_app(small_project)
    panel = window.queue_panel
    qtbot.waitUntil(lambda: window.header.queue.text() == "2", timeout=PATIENCE_MS)
    click(window.header.queue)
    qtbot.waitUntil(lambda: lines(panel) == [
        ("a", "Training · waits"), ("b", "Training · waits"),
        ("c", "Training · It is wrong. Mend it.")], timeout=PATIENCE_MS)
    assert not named(panel, "Run a earlier", QAbstractButton).isEnabled()
    assert not named(panel, "Run b later", QAbstractButton).isEnabled()
    click(named(panel, "Run b earlier", QAbstractButton))
    qtbot.waitUntil(lambda: [name for name, _ in lines(panel)] == ["b", "a", "c"],
                    timeout=PATIENCE_MS)
    click(named(panel, "Hold b", QAbstractButton))
    qtbot.waitUntil(lambda: lines(panel)[0] == ("b", "Training · on hold"), timeout=PATIENCE_MS)
    click(named(panel, "Let b wait for its turn", QAbstractButton))
    click(named(panel, "Remove c from the queue", QAbstractButton))
    qtbot.waitUntil(lambda: lines(panel) == [
        ("b", "Training · waits"), ("a", "Training · waits")], timeout=PATIENCE_MS)
    assert [job.state for job in folder.jobs()] == ["waiting", "waiting"]


def test_the_panel_goes_with_its_project(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    window.show_queue()
    assert window.queue_panel.isVisible()
    window.close_project()
    assert not window.queue_panel.isVisible() and not window.header.queue.isVisible()
    window.show_queue()
    assert not window.queue_panel.isVisible()


def test_what_is_added_beside_a_training_starts_after_it_unless_that_is_taken_back(
    qtbot: QtBot, start_app: Start, small_project: Path
) -> None:
    window = start_app(small_project)
    session, panel = window.session, window.queue_panel
    session.heavy.begin(TRAINING, lambda: None)
    page = go_to(window, "Train")
    click(named(page, "Add to queue", QAbstractButton))
    qtbot.waitUntil(lambda: session.queue.follows, timeout=PATIENCE_MS)
    assert "It starts when the current work ends." in page.queued_note.text
    window.show_queue()
    qtbot.waitUntil(lambda: len(lines(panel)) == 1, timeout=PATIENCE_MS)
    assert panel.about.text() == "Starts when the current work ends."
    click(named(panel, "Don't start", QAbstractButton))
    assert panel.about.text() == "1 waits." and not session.queue.follows
    session.heavy.end()
    assert named(panel, "Start queue", QAbstractButton).isEnabled()
    JobsQueue(small_project).changed(1, state="done")
    qtbot.waitUntil(page.queued_note.isHidden, timeout=PATIENCE_MS)
    click(named(panel, "Clear finished", QAbstractButton))
    qtbot.waitUntil(lambda: lines(panel) == [], timeout=PATIENCE_MS)


def test_a_number_that_is_used_again_has_a_line_of_its_own(
    qtbot: QtBot, session: Session
) -> None:
    around = QWidget()
    qtbot.addWidget(around)
    panel = QueuePanel(session.queue, around)
    panel.show_panel(True)
    for name in ("first", "second"):
        session.queue.listed.emit(Listing((Job(1, "train", name, "waiting", 1.0),)))
        assert [row.accessibleName() for row in panel._rows.values()] == [name]
