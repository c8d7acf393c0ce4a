"""What the window's tests share: a session, a window, a small project with a trained run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mmstudio.gui import style
from mmstudio.gui.main_window import MainWindow
from mmstudio.gui.state.session import Session
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import train_small, write_small_project

PATIENCE_MS = 120_000
"""How long a job may take on a busy machine; nothing waits as long when all is well."""


OFFSCREEN_SAYS = "This plugin does not support (propagateSizeHints|raise|grabbing the keyboard)"
"""Qt's screenless platform says so of each window: it speaks of itself, not of the app."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Overlook what the screenless platform says of itself."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.qt_log_ignore(OFFSCREEN_SAYS, extend=True))


def delete_now() -> None:
    """Delete what was told to go: Qt itself does so only once its own loop runs."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QCoreApplication.processEvents()


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A project folder that is learnt in seconds."""
    return write_small_project(tmp_path / "Shapes")


@pytest.fixture(scope="session")
def trained_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project with two runs, `first` and `second`. Not to be written to."""
    folder = write_small_project(tmp_path_factory.mktemp("trained") / "Shapes")
    train_small(folder, {"training.epochs": 6})
    train_small(folder, {"training.epochs": 2, "fusion.name": "gated"}, run="second")
    return folder


@pytest.fixture
def project_with_run(trained_project: Path, tmp_path: Path) -> Path:
    """The trained project as a copy of the test's own."""
    return Path(shutil.copytree(trained_project, tmp_path / "Shapes"))


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    """A session with torch loaded, as it is some seconds after the start."""
    session = Session()
    with qtbot.waitSignal(session.libraries.components_ready, timeout=PATIENCE_MS):
        session.libraries.warm_up()
    yield session
    session.shutdown()
    session.deleteLater()
    delete_now()


@pytest.fixture
def opened(qtbot: QtBot, session: Session) -> Callable[[Path], Session]:
    """Open a project and wait until it stands."""

    def open_project(folder: Path) -> Session:
        with qtbot.waitSignals(
            [session.project.changed, session.runs.changed], timeout=PATIENCE_MS
        ):
            session.opener.open(folder)
        return session

    return open_project


@pytest.fixture
def start_app(qtbot: QtBot, qapp: QApplication) -> Iterator[Callable[..., MainWindow]]:
    """Start the app as `mmstudio.gui.app` does; several starts follow each other."""
    windows: list[MainWindow] = []

    def start(project: Path | None = None, theme: str = "light") -> MainWindow:
        style.apply(qapp)
        style.set_theme(theme)
        session = Session()
        window = MainWindow(session)
        windows.append(window)
        window.stood.connect(session.libraries.load_table_reader)
        session.libraries.tables_ready.connect(window.prepare_pages)
        window.prepared.connect(session.libraries.warm_up)
        window.resize(1280, 800)
        with qtbot.waitSignal(session.libraries.components_ready, timeout=PATIENCE_MS):
            window.show()
        if project is not None:
            with qtbot.waitSignals(
                [session.project.changed, session.runs.changed], timeout=PATIENCE_MS
            ):
                session.opener.open(project)
        return window

    yield start
    for window in windows:
        window.session.shutdown()
        window.close()
        window.deleteLater()
    delete_now()
    style.set_theme("light")
