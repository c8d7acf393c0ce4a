"""Shows notifications by what the desktop has for them; nothing where it has nothing."""

from __future__ import annotations

import html
import logging
import shutil
import subprocess
import sys

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QSystemTrayIcon

from mmstudio.gui import style
from mmstudio.gui.state.job_runner import JobRunner

APP = "Multimodal Studio"
PATIENCE_S = 5.0
SHOWN_MS = 10_000

log = logging.getLogger("mmstudio.gui")


class DesktopNotes(QObject):
    """Notifications in the desktop's own way.

    On Linux a small program hands them to the desktop's service, as Qt's own way needs a place for
    icons there that many desktops lack; elsewhere Qt does it.
    """

    def __init__(self, jobs: JobRunner) -> None:
        super().__init__(jobs)
        self._jobs = jobs
        self._icon: QSystemTrayIcon | None = None

    def show(self, title: str, text: str) -> None:
        """Show a title and a text."""
        command = command_for(title, text)
        if command:
            self._jobs.start(lambda: run(command), lambda _: None)
        elif QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            if self._icon is None:
                self._icon = QSystemTrayIcon(style.icon("mdi6.vector-combine", "accent"), self)
                self._icon.messageClicked.connect(self._icon.hide)
            self._icon.show()
            self._icon.showMessage(title, text)


def command_for(title: str, text: str) -> list[str]:
    """The command that shows it on a Linux desktop; none elsewhere, or where none is there."""
    if not sys.platform.startswith("linux"):
        return []
    body = html.escape(text, quote=False)  # services read marks in it
    if shutil.which("notify-send"):
        return ["notify-send", f"--app-name={APP}", "--", title, body]
    if shutil.which("busctl"):
        name = "org.freedesktop.Notifications"
        return ["busctl", "--user", "--", "call", name, "/org/freedesktop/Notifications", name,
                "Notify", "susssasa{sv}i", APP, "0", "", title, body, "0", "0", str(SHOWN_MS)]
    return []


def run(command: list[str]) -> bool:
    """Whether the command did it; what it says of its failure goes into the log."""
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=PATIENCE_S, check=True)
    except subprocess.CalledProcessError as error:
        log.info("no notification: %s", error.stderr.strip() or error)
        return False
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("no notification: %s", error)
        return False
    return True
