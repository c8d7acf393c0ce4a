"""A page of ours as PDF, by Qt's web engine, in a process of its own that shows nothing.

``QTextDocument`` prints without a window too, but knows neither SVG nor grids, of which the
reports are made. The process is another one because the engine must be set up before the
application is, and because the command line has none.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.safe_files import write_whole

MOST_S = 180.0
LOOK_S = 0.2
FAILED, MISSING = 3, 4
"""Exit codes: it could not be printed, and there is no web engine."""
HINT = "Open the page in a browser and print it to a PDF file there."


def print_pdf(page: Path, pdf: Path, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Print a page; not from the thread of the window, as it takes seconds.

    Args:
        page: An HTML file that needs nothing else; no script in it is run.
        pdf: The file to write.
        should_stop: Asked while it works; True ends it, and nothing is written.

    Raises:
        UserError: There is no web engine here, or it fails.
        OSError: It can't be written.
    """
    beside = pdf.with_name(f".{pdf.name}.{secrets.token_hex(4)}.new")
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    flags = ["--disable-gpu"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's works for no administrator; the page is ours
    environment["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join(flags)
    process = subprocess.Popen(
        [sys.executable, "-m", "mmstudio.gui.page_pdf", str(page.resolve()), str(beside.resolve())],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace")
    try:
        errors = _ended(process, should_stop)
        if errors is None:
            return
        if process.returncode == MISSING:
            raise UserError("Printing needs Qt's web engine, which can't be loaded here: "
                            f"{_last_line(errors)}", HINT)
        if process.returncode or not beside.is_file():
            raise UserError(f"The page could not be printed: {_last_line(errors)}", HINT)
        write_whole(pdf, beside.read_bytes())
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _ended(process: subprocess.Popen[str], should_stop: Callable[[], bool]) -> str | None:
    """What it said in the end; None where it was to stop."""
    waited = 0.0
    while not should_stop():
        try:
            return process.communicate(timeout=LOOK_S)[1]
        except subprocess.TimeoutExpired:
            waited += LOOK_S
            if waited > MOST_S:
                raise UserError("Printing the page takes too long.", HINT) from None
    return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing is known of why"


def main(page: str, pdf: str) -> int:
    """Print and end; gives the exit code."""
    try:
        from PySide6.QtCore import QMarginsF, QUrl
        from PySide6.QtGui import QPageLayout, QPageSize
        from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineSettings
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        print(error, file=sys.stderr)
        return MISSING
    app = QApplication(["print"])
    view = QWebEnginePage()
    settings = view.settings()
    for feature in (QWebEngineSettings.WebAttribute.JavascriptEnabled,
                    QWebEngineSettings.WebAttribute.LocalContentCanAccessRemoteUrls,
                    QWebEngineSettings.WebAttribute.LocalContentCanAccessFileUrls):
        settings.setAttribute(feature, False)
    layout = QPageLayout(QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Portrait,
                         QMarginsF(14, 14, 14, 14), QPageLayout.Unit.Millimeter)
    view.loadFinished.connect(
        lambda loaded: view.printToPdf(pdf, layout) if loaded else app.exit(FAILED))
    view.pdfPrintingFinished.connect(lambda _, done: app.exit(0 if done else FAILED))
    view.load(QUrl.fromLocalFile(page))
    code = app.exec()
    view.deleteLater()  # before its profile, which the application owns
    app.processEvents()
    return int(code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
