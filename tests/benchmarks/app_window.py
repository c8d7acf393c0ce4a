"""The app in a benchmark's own process, started and warmed up as ``mmstudio`` does it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def open_app() -> tuple[Any, Any, Any]:
    """The application, the session and the main window, which is on show.

    The libraries are ready once the event loop has run for a while: ``session.libraries.ready``.
    """
    from PySide6.QtWidgets import QApplication

    from mmstudio.gui import style
    from mmstudio.gui.app import SWITCH_INTERVAL_S
    from mmstudio.gui.main_window import MainWindow
    from mmstudio.gui.state.session import Session
    from mmstudio.training.device import prepare_process

    prepare_process()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    style.apply(app)
    session = Session()
    window = MainWindow(session)
    window.stood.connect(session.libraries.load_table_reader)
    session.libraries.tables_ready.connect(window.prepare_pages)
    window.prepared.connect(session.libraries.warm_up)
    window.resize(1280, 800)
    window.show()
    return app, session, window


class ProjectWindow:
    """The app on a project, driven as a person would."""

    def __init__(self, folder: Path) -> None:
        self.app, self.session, self.window = open_app()
        self.until(lambda: self.session.libraries.ready)
        self.session.opener.open(folder)
        self.until(lambda: self.session.project.table is not None)

    def until(self, true: Callable[[], bool]) -> None:
        """Let the window work until something holds."""
        while not true():
            self.app.processEvents()
