"""Starts the window. Torch, pyqtgraph and QtMultimedia are loaded after it stands."""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mmstudio.awake import StayingAwake
from mmstudio.errors import UserError
from mmstudio.paths import config_dir

if TYPE_CHECKING:
    from mmstudio.gui.main_window import MainWindow
    from mmstudio.gui.state.session import Session

log = logging.getLogger("mmstudio.gui")

INTERRUPTED = 130
"""The exit code where a signal ended the app, as of every command."""
SWITCH_INTERVAL_S = 0.001
"""How long a thread may hold the interpreter while the window waits; Python's own is 0.005."""


def main(project: Path | None = None) -> int:
    """Open the app, on a project where one is given, and return its exit code.

    Raises:
        UserError: There is no screen to open it on.
    """
    check_screen()
    from mmstudio.training.device import prepare_process

    prepare_process()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _log_to_file()
    from PySide6.QtWidgets import QApplication

    from mmstudio.gui import style
    from mmstudio.gui.ending import ending_by_signals
    from mmstudio.gui.main_window import MainWindow
    from mmstudio.gui.state.session import Session

    there = QApplication.instance()
    app = there if isinstance(there, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("Multimodal Studio")
    app.setDesktopFileName("mmstudio")
    style.apply(app)
    session = Session()
    window = MainWindow(session)
    awake = StayingAwake()
    _attend(session, window, awake)

    def report(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            app.quit()
            return
        from mmstudio.gui.state.jobs import explain

        session.jobs.problem.emit(*explain(error.with_traceback(trace)))

    sys.excepthook = report
    # One after the other, so that the window's own work never waits for an import's lock.
    window.stood.connect(session.libraries.load_table_reader)
    session.libraries.tables_ready.connect(window.prepare_pages)
    window.prepared.connect(session.libraries.warm_up)
    window.show()
    if project is not None:
        session.opener.open(project)
    with ending_by_signals(window.end) as ended:
        try:
            code = app.exec()
        finally:
            session.shutdown()
            awake.release()
            sys.excepthook = sys.__excepthook__
    return INTERRUPTED if ended() else code


def _attend(session: Session, window: MainWindow, awake: StayingAwake) -> None:
    """Keep the system awake for long work, and tell of its end."""
    from mmstudio.gui.desktop_notes import DesktopNotes
    from mmstudio.gui.settings import NOTIFY, STAY_AWAKE
    from mmstudio.gui.state.keep_awake import KeepAwake
    from mmstudio.gui.state.notifier import Notifier

    settings = window.settings
    keep = KeepAwake(session.jobs, session.heavy, settings.is_on(STAY_AWAKE), awake)
    notifier = Notifier(session.training, session.comparing, session.queue,
                        session.searching, settings.is_on(NOTIFY),
                        DesktopNotes(session.jobs).show)
    switches = {STAY_AWAKE: keep.switch, NOTIFY: notifier.switch}
    window.menus.switched.connect(lambda name, on: switches[name](on))


def check_screen() -> None:
    """Raise UserError where there is no screen: Qt would end the process without a word."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UserError(
            "There is no screen to open the window on.",
            "Use the command line instead: mmstudio train experiment.toml",
        )


def _log_to_file() -> None:
    try:
        config_dir().mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            config_dir() / "mmstudio.log", maxBytes=1_000_000, backupCount=1, encoding="utf-8"
        )
    except OSError as error:
        log.warning("no log file: %s", error)
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("mmstudio")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
