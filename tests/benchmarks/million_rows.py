"""A table of a million rows in a real window: opening, memory, scrolling, filtering, searching.

    python tests/benchmarks/million_rows.py [--rows 1000000] [--kind csv --kind parquet]

The table (file_name, audio, text, label, split) is made first, in a temporary folder; its rows
share 300 pictures and 60 sounds, so that thumbnails are made while it is scrolled. Per kind of
table the app runs in a process of its own, as a user's does, torch included. Times count from
`open_project` until the samples are painted and the counts stand on the page; the gap is the
longest time that the window's event loop did not come round while the wheel turned, page keys were
pressed and the scroll bar was dragged. Under Xvfb where there is no screen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app_window import open_app
from virtual_screen import screen

PATIENCE_S = 120.0
PICTURES, SOUNDS, CLASSES = 300, 60, 20
STEPS = 150
WORDS = ("the red blue old new car house street night bird water song over under small tall two "
         "three four a in of walks sings falls").split()
TOML = """\
[data]
table = "{table}"
split = "split"
[inputs.image]
column = "file_name"
modality = "image"
[inputs.sound]
column = "audio"
modality = "audio"
[inputs.words]
column = "text"
modality = "text"
[targets.label]
task = "classification"
"""


def make_table(folder: Path, rows: int, kinds: list[str]) -> None:
    """Media, the tables and a project per kind."""
    import numpy as np
    import polars
    import soundfile
    from PIL import Image

    chance = np.random.default_rng(0)
    (folder / "media").mkdir()
    for number in range(PICTURES):
        levels = chance.integers(0, 255, (8, 8, 3)).astype(np.uint8)
        picture = Image.fromarray(levels).resize((160, 120), Image.Resampling.BICUBIC)
        picture.save(folder / "media" / f"{number:03d}.jpg")
    time_s = np.arange(8000) / 8000
    for number in range(SOUNDS):
        sound = np.sin(2 * np.pi * (200 + 10 * number) * time_s) * time_s
        soundfile.write(folder / "media" / f"{number:03d}.wav", sound, 8000)
    number = np.arange(rows)
    text = polars.Series("text", np.array(WORDS)[chance.integers(0, len(WORDS), rows)])
    for _ in range(8):
        text = text + " " + polars.Series(np.array(WORDS)[chance.integers(0, len(WORDS), rows)])
    pictures = polars.Series([f"../media/{i:03d}.jpg" for i in range(PICTURES)])
    sounds = polars.Series([f"../media/{i:03d}.wav" for i in range(SOUNDS)])
    labels = polars.Series([f"class {i}" for i in range(CLASSES)])
    frame = polars.DataFrame({
        "file_name": pictures.gather(number % PICTURES),
        "audio": sounds.gather(number % SOUNDS),
        "text": text + " " + polars.Series(number).cast(polars.String),
        "label": labels.gather(chance.integers(0, CLASSES, rows)),
        "split": polars.Series(["train"] * 8 + ["validation", "test"]).gather(
            chance.integers(0, 10, rows)),
    }).with_columns(polars.when(polars.Series(number % 7 > 0)).then(polars.col("audio")))
    for kind in kinds:
        project = folder / kind
        project.mkdir()
        if kind == "csv":
            frame.write_csv(project / "table.csv")
        else:
            frame.write_parquet(project / "table.parquet")
        (project / "experiment.toml").write_text(TOML.format(table=f"table.{kind}"))


class Heart:
    """Beats as often as the event loop comes round; knows the longest pause."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.longest_s, self._last = 0.0, time.perf_counter()
        self._timer = QTimer(interval=1, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last = now

    def start_anew(self) -> None:
        """Forget the longest pause."""
        self.longest_s, self._last = 0.0, time.perf_counter()


def wait(ready: Callable[[], bool]) -> float:
    """Run the event loop until something is so; how long that took, seconds."""
    from PySide6.QtCore import QEventLoop, QTimer

    began = time.perf_counter()
    loop = QEventLoop()
    look = QTimer(interval=1)

    def check() -> None:
        if ready():
            loop.quit()
        elif time.perf_counter() - began > PATIENCE_S:
            raise SystemExit("the app did not answer")

    look.timeout.connect(check)
    look.start()
    loop.exec()
    return time.perf_counter() - began


def repeat(step: Callable[[int], None], interval_ms: int = 16) -> None:
    """Call `step` with 0, 1, … from the event loop, as events of a person come."""
    from PySide6.QtCore import QTimer

    done = [0]

    def one() -> None:
        step(done[0])
        done[0] += 1

    timer = QTimer(interval=interval_ms)
    timer.timeout.connect(one)
    timer.start()
    wait(lambda: done[0] >= STEPS)
    timer.stop()


def scroll(view: object, heart: Heart) -> dict[str, float]:
    """The longest gap, in ms, of each way to scroll."""
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication

    bar, ground = view.verticalScrollBar(), view.viewport()
    middle = QPointF(ground.rect().center())

    def wheel(_: int) -> None:
        none, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
        event = QWheelEvent(middle, ground.mapToGlobal(middle), QPoint(), QPoint(0, -360), none,
                            Qt.KeyboardModifier.NoModifier, phase, False)
        QApplication.sendEvent(ground, event)

    def page(number: int) -> None:
        keys = (Qt.Key.Key_PageDown,) * 12 + (Qt.Key.Key_PageUp,) * 4
        QTest.keyClick(view, keys[number % len(keys)])

    def drag(number: int) -> None:
        place = QPoint(bar.width() // 2, 12 + (bar.height() - 24) * number // STEPS)
        if number == 0:
            QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseMove(bar, place)
        bar.setSliderPosition(bar.maximum() * number // STEPS)
        if number == STEPS - 1:
            QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=place)

    gaps = {}
    view.setCurrentIndex(view.model().index(0, 0))
    view.setFocus()
    for name, step in (("wheel", wheel), ("page keys", page), ("scroll bar", drag)):
        bar.setValue(0 if name != "wheel" else bar.maximum() // 3)
        wait_s = time.perf_counter() + 0.3
        wait(lambda until=wait_s: time.perf_counter() > until)
        heart.start_anew()
        repeat(step)
        gaps[name] = 1000 * heart.longest_s
    return gaps


def ask(page: object, heart: Heart) -> dict[str, tuple[float, float]]:
    """Seconds until the rows stand, and the longest gap meanwhile, per question."""
    from PySide6.QtCore import Qt

    model, filters = page.model, page.filters
    header = page.samples.horizontalHeader()
    questions: dict[str, Callable[[], None]] = {
        "filter by split": lambda: filters.toggle_split("test"),
        "filter by class": lambda: filters.toggle_label("label", "class 3"),
        "missing input": lambda: filters.toggle_missing("audio"),
        "search": lambda: filters.search.setText("night bird"),
        "search a number": lambda: filters.search.setText("99123"),
        "sort by label": lambda: header.setSortIndicator(3, Qt.SortOrder.DescendingOrder),
        "sort by text": lambda: header.setSortIndicator(2, Qt.SortOrder.AscendingOrder),
    }
    told = {}
    for name, put in questions.items():
        answers: list[int] = []
        heard = model.matched.connect(lambda shown, _, to=answers: to.append(shown))
        heart.start_anew()
        put()
        # after a typed text, the search waits for a pause in the typing: that counts too
        seconds = wait(lambda to=answers: bool(to) and not model.shown.is_asking)
        told[name] = (seconds, 1000 * heart.longest_s)
        model.matched.disconnect(heard)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        filters.clear()
        wait(lambda: not model.shown.is_asking and model.rowCount() == len(model.shown))
    return told


def measure(project: Path) -> None:
    """What the process of one kind does: open, scroll, ask; the figures as JSON."""
    import resource

    _app, session, window = open_app()
    wait(lambda: session.libraries.ready)
    heart = Heart()
    page = window.page("Data")
    counted: list[bool] = []
    page.side.counted.connect(lambda: counted.append(True))
    heart.start_anew()
    session.opener.open(project)
    opened_s = wait(lambda: session.project.table is not None and page.model.rowCount() > 0)
    opened_s += wait(lambda: bool(counted))
    figures = {"rows": len(session.project.table), "opened_s": opened_s,
               "opening_gap_ms": 1000 * heart.longest_s}
    figures["scroll"] = scroll(page.samples, heart)
    figures["asked"] = ask(page, heart)
    scale = 1e6 if sys.platform == "darwin" else 1e3
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    session.shutdown()
    window.close()
    print(json.dumps(figures))


def report(kind: str, told: dict[str, object]) -> None:
    """The figures of one kind."""
    print(f"{kind}: {told['rows']:,} rows")
    print(f"  opened, shown and counted {told['opened_s']:8.2f} s   (longest gap "
          f"{told['opening_gap_ms']:.0f} ms)")
    print(f"  peak memory               {told['peak_mb']:8.0f} MB")
    for name, gap in told["scroll"].items():
        print(f"  longest gap, {name:13}{gap:8.0f} ms")
    for name, (seconds, gap) in told["asked"].items():
        print(f"  {name:26}{seconds:8.2f} s   (longest gap {gap:.0f} ms)")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", action="append", choices=("csv", "parquet"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        measure(options.measure)
        return
    kinds = options.kind or ["csv", "parquet"]
    with tempfile.TemporaryDirectory() as temporary, screen():
        folder = Path(temporary)
        for name in ("cache", "config"):
            os.environ[f"MMSTUDIO_{name.upper()}"] = str(folder / name)
        made = [sys.executable, "-c",
                "import sys; from pathlib import Path; import million_rows as m; "
                "m.make_table(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])",
                temporary, str(options.rows), *kinds]
        subprocess.run(made, check=True, cwd=Path(__file__).parent)
        for kind in kinds:
            command = [sys.executable, os.path.abspath(__file__), "--measure", str(folder / kind)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr)
            report(kind, json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
