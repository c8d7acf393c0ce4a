"""Trains twenty times in one session of the app, and says what memory and threads are left.

    python tests/trials/twenty_trainings.py [--times 20] [--rows 240] [--epochs 3]

The window stands on a screen that is none, with all of its pages made and the Train page on show,
and each training is a new run of a small project. Memory is what the process holds for itself
after its garbage was collected. Ends with 1 where the last training leaves more than 5 % above
the second, or a thread that was not there after the second.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QThread  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from mmstudio.gui import style  # noqa: E402
from mmstudio.gui.main_window import MainWindow  # noqa: E402
from mmstudio.gui.pages.listed import PAGES  # noqa: E402
from mmstudio.gui.state.session import Session  # noqa: E402
from mmstudio.training.device import prepare_process  # noqa: E402
from tests.small_project import write_small_project  # noqa: E402

PATIENCE_S = 300.0
MOST_GROWTH = 0.05


def until(true: Callable[[], bool]) -> None:
    """Let the window work until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
        if time.monotonic() > end:
            sys.exit("the window does not come to an end")


def settled(session: Session) -> None:
    """Wait until no job is at work, and what nobody needs is gone."""
    until(lambda: session.jobs.all_over)
    for _ in range(3):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        gc.collect()
    until(lambda: session.jobs.all_over)


def memory_mb() -> float:
    """What the process holds for itself."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    private = [line for line in lines if line.startswith("Private_Dirty")]
    return sum(int(line.split()[1]) for line in private) / 1024


def threads() -> int:
    """Threads of the process, whoever made them."""
    return len(os.listdir("/proc/self/task"))


def objects() -> Counter[str]:
    """Living objects of the program, Qt and torch, by their classes."""
    names = (f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return Counter(name for name in names
                   if name.startswith(("mmstudio", "PySide6", "torch", "pyqtgraph")))


def trained(session: Session) -> None:
    """Train once, to its end, with its model loaded for the Test page."""
    ended: list[str] = []

    def end(reason: str) -> None:
        ended.append(reason)

    session.training.ended.connect(end)
    session.training.start()
    until(lambda: bool(ended))
    session.training.ended.disconnect(end)
    if ended != ["completed"]:
        sys.exit(f"the training ended: {ended[0]}")
    until(lambda: not session.testing.loading)
    settled(session)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for name in ("MMSTUDIO_CACHE", "MMSTUDIO_CONFIG", "MMSTUDIO_PROJECTS"):
            os.environ[name] = str(Path(place) / name.lower())
        sys.exit(tried(Path(place), options.times, options.rows, options.epochs))


def tried(place: Path, times: int, rows: int, epochs: int) -> int:
    """Train so often and tell; the exit code."""
    prepare_process()
    app = QApplication(sys.argv[:1])
    style.apply(app)
    session = Session()
    window = MainWindow(session)
    window.resize(1280, 800)
    window.show()
    session.libraries.load_table_reader()
    session.libraries.warm_up()
    until(lambda: session.libraries.ready)
    session.opener.open(write_small_project(place / "Shapes", rows=rows))
    until(lambda: session.project.folder is not None)
    session.project.edit("training.epochs", epochs)
    for page in [*PAGES, "Train"]:
        window.go_to(page)
        QApplication.processEvents()
    settled(session)
    sizes, counts = [], []
    second: Counter[str] = Counter()
    for turn in range(1, times + 1):
        trained(session)
        sizes.append(memory_mb())
        counts.append(threads())
        print(f"{turn:3}  {sizes[-1]:7.1f} MB  {counts[-1]} threads", flush=True)
        if turn == 2:
            second = objects()
    more = {name: count for name, count in (objects() - second).items() if count >= times - 2}
    session.shutdown()
    window.close()
    return told(sizes, counts, more)


def told(sizes: list[float], counts: list[int], more: dict[str, int]) -> int:
    """Say what was left; the exit code."""
    growth = sizes[-1] / sizes[1] - 1
    print(f"memory after the last against after the second: {growth:+.1%}")
    print(f"threads after the last and after the second: {counts[-1]}, {counts[1]}")
    print(f"of the app's own threads there are left: "
          f"{[t.name for t in threading.enumerate() if t is not threading.main_thread()]}, "
          f"{sum(issubclass(type(one), QThread) for one in gc.get_objects())} Qt's")
    for name, count in sorted(more.items(), key=lambda pair: -pair[1])[:20]:
        print(f"  {count:6} more of {name}")
    return int(growth > MOST_GROWTH or counts[-1] > counts[1])


if __name__ == "__main__":
    main()
