"""How long the Results page takes to open on many rows, and a click in its matrix.

    python tests/benchmarks/results_page.py [--rows 100000] [--labels 10] [--json]

The small project is trained for an epoch, its table is made as long as was asked for, and answers
to all its rows, for seven subsets of three inputs, are made up and kept beside the run, as an
evaluation would keep them. Then the window opens the page: once, and three more times with another
split shown in between. Under Xvfb where there is no screen. The processor's own time is told
beside: on a busy machine the clock says more of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from app_window import ProjectWindow
from virtual_screen import screen

from tests.small_project import read_rows, train_small, write_small_project, write_table

CLICKS = 30
MOST_OPEN_S, MOST_CLICK_MS, MOST_GB = 3.0, 200.0, 1.5


def made_up(folder: Path, rows: int, labels: int) -> None:
    """A project with a run and the kept answers to so many test rows."""
    from mmstudio.evaluation import scores as kept
    from mmstudio.evaluation.depends import depends_on
    from mmstudio.evaluation.plain_figures import to_plain
    from mmstudio.inference.evaluate import evaluate
    from mmstudio.training.run_folder import RunFolder

    write_small_project(folder)
    train_small(folder, {"training.epochs": 1})
    # what the page tells of a whole evaluation, though not what is timed here
    *_, evaluation = evaluate(folder / "runs" / "first", inputs=True, device="cpu")
    few = read_rows(folder)
    names = [f"class {i:03d}" for i in range(labels)]
    table = [few[i % len(few)] | {"split": "test", "shape": names[i % labels],
                                  "text": f"text number {i} of many"} for i in range(rows)]
    write_table(folder / "metadata.csv", [*few, *table])
    chance = np.random.default_rng(0)
    inputs = ("image", "words", "sound")
    subsets = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0],
                        [0, 0, 1]], bool)
    values = np.arange(rows) % labels
    outputs = chance.normal(size=(len(subsets), rows, labels)).astype(np.float32)
    outputs[:, np.arange(rows), values] += 2 * subsets.sum(axis=1)[:, None]
    task = kept.TaskScores(kept.CLASSIFICATION, tuple(names), (), outputs, values,
                           np.ones(rows, bool))
    found = kept.Scores(folder / "runs" / "first", "test", None, inputs, subsets,
                        len(few) + np.arange(rows), chance.random((rows, 3)) > 0.1,
                        {"shape": task}, told=to_plain(evaluation))
    key = depends_on(RunFolder(found.run), "test", None)
    if key is None:
        sys.exit("The run can't be read.")
    kept._keep(found, key, [])


class ResultsWindow(ProjectWindow):
    """The app's Results page, on a project with a run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.until(lambda: bool(self.session.runs.listed))

    def opened_s(self) -> tuple[float, float]:
        """Show the page; the seconds until all of it is painted, and the processor's for that."""
        began, busy = time.perf_counter(), time.process_time()
        self.window.go_to("Results")
        results = self.session.results
        self.until(lambda: results.status in ("ready", "missing", "failed"))
        if results.status != "ready":
            sys.exit(f"The page shows no results: {results.status}. {results.message}")
        self.app.processEvents()
        self.window.grab()
        return time.perf_counter() - began, time.process_time() - busy

    def click_ms(self, row: int, column: int) -> tuple[float, float]:
        """Click a cell; the milliseconds until its samples are painted, and this thread's own."""
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        page = self.window.page("Results")
        view = page.mistakes.strip.views[0]
        place = view.place_of(row, column).toPoint()
        began, busy = time.perf_counter(), time.thread_time()
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
        self.app.processEvents()
        page.mistakes.samples.table.viewport().repaint()
        return 1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - busy)


def memory_gb() -> float:
    """The most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def measured(folder: Path, labels: int) -> dict[str, float]:
    """Open the page and click."""
    window = ResultsWindow(folder)
    before = memory_gb()
    opened = [window.opened_s()]
    for _ in range(3):
        window.window.go_to("Data")
        window.session.results.show(None, "test")
        window.window.page("Results")._stale = True
        opened.append(window.opened_s())
    chance = np.random.default_rng(1)
    clicks = [window.click_ms(*chance.integers(0, labels, 2).tolist()) for _ in range(CLICKS)]
    clicks += [window.click_ms(i % labels, i % labels) for i in range(CLICKS)]
    after = memory_gb()
    window.session.shutdown()
    window.window.close()
    open_s, open_busy_s = (np.median(part[1:]) for part in zip(*opened, strict=True))
    click_ms, click_busy_ms = zip(*clicks, strict=True)
    return {"first_opening_s": opened[0][0], "first_opening_processor_s": opened[0][1],
            "opening_s": float(open_s),
            "opening_processor_s": float(open_busy_s),
            "click_ms": statistics.median(click_ms), "slowest_click_ms": max(click_ms),
            "click_processor_ms": statistics.median(click_busy_ms),
            "memory_before_gb": before, "memory_gb": after}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--labels", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, screen():
        project = Path(folder) / "Many"
        made_up(project, given.rows, given.labels)
        found = measured(project, given.labels)
    if given.json:
        print(json.dumps({"rows": given.rows, "labels": given.labels} | found))
        return
    print(f"{given.rows:,} rows, {given.labels} labels, seven subsets of three inputs")
    limits = {"first_opening_s": MOST_OPEN_S, "opening_s": MOST_OPEN_S, "click_ms": MOST_CLICK_MS,
              "slowest_click_ms": MOST_CLICK_MS, "memory_gb": MOST_GB}
    for name, value in found.items():
        limit = f"  (aim: under {limits[name]:g})" if name in limits else ""
        print(f"{name.replace('_', ' '):26} {value:8.2f}{limit}")


if __name__ == "__main__":
    main()
