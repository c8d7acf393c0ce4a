"""Milliseconds from a drop on the Test page to the painted answer, warm.

    python tests/benchmarks/drop_to_answer.py [--drops 30]

In a real window, on the sample project after one epoch: each drop brings a picture, a text file
and a sound at once, each time others, and the clock runs until the answer to all three is on the
screen. Beside it the same for a picture alone. Under Xvfb where there is no screen.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app_window import open_app
from virtual_screen import screen

WARM_UP = 3
PATIENCE_S = 300.0


def wait(app: object, ready: Callable[[], bool]) -> None:
    """Let the window work until something is so."""
    end = time.perf_counter() + PATIENCE_S
    while not ready():
        if time.perf_counter() > end:
            raise SystemExit("the app did not answer")
        app.processEvents()
        time.sleep(0.0005)


def drop(target: object, files: list[Path]) -> None:
    """Drop files as a file manager does."""
    from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent
    from PySide6.QtWidgets import QApplication

    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    place = target.rect().center()
    what = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(target, QDragEnterEvent(place, *what))
    QApplication.sendEvent(target, QDropEvent(QPointF(place), *what))


def samples(project: Path, count: int) -> list[list[Path]]:
    """Picture, text file and sound of test rows that have all three."""
    import polars

    table = polars.read_csv(project / "metadata.csv", infer_schema=False)
    rows = table.filter(polars.col("split") == "test").drop_nulls(["file_name", "text", "audio"])
    found = []
    for number, row in enumerate(rows.head(count).to_dicts()):
        note = project / f"note {number}.txt"
        note.write_text(row["text"], encoding="utf-8")
        found.append([project / row["file_name"], note, project / row["audio"]])
    return found


def measure(app: object, page: object, files: list[Path]) -> float:
    """Milliseconds from this drop to the painted answer to all its files."""
    page.clear()
    wait(app, lambda: not any(page.board.values().values()))
    app.processEvents()
    answers: list[int] = []
    painted: list[float] = []
    predicted = page._testing.predicted
    heard = predicted.connect(lambda answer: answers.append(len(answer.present)))
    seen = page.answers.painted.connect(
        lambda: painted.append(time.perf_counter()) if len(files) in answers else None)
    began = time.perf_counter()
    drop(page.drop_area, files)
    wait(app, lambda: bool(painted))
    predicted.disconnect(heard)
    page.answers.painted.disconnect(seen)
    return 1000 * (painted[0] - began)


def open_window(project: Path) -> tuple[object, object, object]:
    """The app and its window on the project, a model trained for one epoch, and the Test page."""
    app, session, window = open_app()
    wait(app, lambda: session.libraries.ready)
    session.opener.open(project)
    wait(app, lambda: session.project.table is not None and not session.check.running)
    session.project.edit("training.epochs", 1)
    session.training.start()
    wait(app, lambda: session.testing.predictor is not None and not session.training.running)
    window.go_to("Test")
    return app, window, window.page("Test")


def report(name: str, times_ms: list[float]) -> None:
    """One line of the table."""
    times_ms = sorted(times_ms)
    at = {q: times_ms[min(len(times_ms) - 1, round(q * (len(times_ms) - 1)))] for q in (0.5, 0.95)}
    print(f"{name:24}{at[0.5]:10.1f}{at[0.95]:10.1f}{times_ms[-1]:10.1f}")


def run(drops: int, folder: Path) -> None:
    """Train, drop, print."""
    from mmstudio.data.demo import write_demo

    project = write_demo(folder / "sample").parent
    app, window, page = open_window(project)
    dropped = samples(project, drops + WARM_UP)
    whole = [measure(app, page, files) for files in dropped][WARM_UP:]
    single = [measure(app, page, files[:1]) for files in dropped][WARM_UP:]
    print(f"{'ms, drop to screen':24}{'median':>10}{'95 %':>10}{'max':>10}   ({len(whole)} drops)")
    report("picture, text, sound", whole)
    report("picture", single)
    window.close()
    app.processEvents()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drops", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, screen():
        folder = Path(place)
        os.environ["MMSTUDIO_CONFIG"] = str(folder / "config")
        os.environ["MMSTUDIO_CACHE"] = str(folder / "cache")
        run(options.drops, folder)


if __name__ == "__main__":
    main()
