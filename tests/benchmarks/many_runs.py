"""How long the Runs page takes with many long runs, and how evenly an overlay of ten runs moves.

    python tests/benchmarks/many_runs.py [--runs 500] [--points 100000] [--json] [--folder FOLDER]

Folders of runs are made up in a temporary place, each with a log of its own: those of 500 runs of
100,000 steps take 7 GB (TMPDIR says where; with --folder they stay for the next time). Timed are
the first listing, which reads all logs once and keeps a summary of each; the page in an app that
starts after that, from the click until all is painted; the reading of ten runs' losses of each
step, with the longest hold of the window meanwhile; and the gaps of the event loop while these,
zoomed to a half, are moved, in all and in the window's own time on a processor, which other
programs lengthen less. Under Xvfb where there is no screen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from app_window import ProjectWindow
from virtual_screen import screen

from tests.small_project import train_small, write_small_project

OVERLAID = 10
"""Runs whose curves lie over each other."""
EPOCHS = 100
MOVES = 200
TICK_MS = 2
MOST_OPEN_S, MOST_GAP_MS = 2.0, 33.0


def made_up(folder: Path, runs: int, points: int) -> None:
    """A project with so many runs of so many steps."""
    write_small_project(folder)
    train_small(folder, {"training.epochs": 1})
    first = folder / "runs" / "first"
    events = [json.loads(line) for line in (first / "events.jsonl").read_text("utf-8").splitlines()]
    kinds = {event["event"]: event for event in events}
    for number in range(runs):
        run = folder / "runs" / f"run-{number:04d}"
        run.mkdir()
        shutil.copy(first / "schema.json", run)
        settings = (first / "experiment.toml").read_text("utf-8")
        (run / "experiment.toml").write_text(
            settings.replace("epochs = 1\n", f"epochs = {EPOCHS + number % 7}\n"), "utf-8")
        (run / "events.jsonl").write_text(log_of(kinds, points, number), "utf-8")
    shutil.rmtree(first)


def log_of(kinds: dict[str, Any], points: int, seed: int) -> str:
    """The lines of a run, after those of a short one."""
    per_epoch = max(1, points // EPOCHS)
    at = np.arange(points)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=points)
    losses = np.exp(-3 * at / points) * (1 + noise) + 0.02 * (seed % OVERLAID)
    # as json.dumps writes them, without its second per run
    marked = kinds["step_done"] | {"epoch": "EPOCH", "step": "STEP", "loss": "LOSS"}
    step = json.dumps(marked).replace('"EPOCH"', "%d").replace('"STEP"', "%d").replace(
        '"LOSS"', "%r")
    lines = [json.dumps(kinds["started"] | {"epochs": EPOCHS, "steps_per_epoch": per_epoch})]
    for begin in range(0, points, per_epoch):
        epoch = begin // per_epoch + 1
        lines += [step % (epoch, begin + i + 1, loss)
                  for i, loss in enumerate(losses[begin:begin + per_epoch].tolist())]
        lines.append(json.dumps(kinds["epoch_done"] | {"epoch": epoch, "seconds": 60.0}))
        lines.append(json.dumps(kinds["checkpoint_saved"] | {"epoch": epoch}))
    lines.append(json.dumps(kinds["run_finished"] | {"best_epoch": EPOCHS, "seconds": 6000.0}))
    return "\n".join(lines) + "\n"


class RunsWindow(ProjectWindow):
    """The app's Runs page."""

    longest_hold_s = 0.0

    def until(self, true: Callable[[], bool]) -> None:
        """Let the window work until something holds; notes its longest delay of a clock's tick."""
        from PySide6.QtCore import QEventLoop, QTimer

        # the loop sleeps in between, as the app's own does: a busy one would slow the jobs down
        loop, clock = QEventLoop(), QTimer()
        self.longest_hold_s, ticked = 0.0, time.perf_counter()

        def tick() -> None:
            nonlocal ticked
            now = time.perf_counter()
            self.longest_hold_s = max(self.longest_hold_s, now - ticked - TICK_MS / 1000)
            ticked = now
            if true():
                loop.quit()

        clock.timeout.connect(tick)
        clock.start(TICK_MS)
        loop.exec()
        clock.stop()

    def listed_s(self, runs: int) -> float:
        """List the runs once more; the seconds until they are there."""
        began = time.perf_counter()
        lists: list[object] = []
        self.session.runs.changed.connect(lists.append)
        self.session.runs.refresh()
        self.until(lambda: bool(lists) and len(self.session.runs.listed) == runs)
        return time.perf_counter() - began

    def opened_s(self) -> float:
        """Click the page; the seconds until it is painted."""
        began = time.perf_counter()
        self.window.go_to("Runs")
        self.app.processEvents()
        self.window.grab()
        return time.perf_counter() - began

    def overlay_s(self, runs: int) -> tuple[float, float]:
        """Select runs and their losses of each step.

        Returns:
            The seconds until they are drawn, and the longest for which the window was busy.
        """
        from mmstudio.training.run_curves import STEP_LOSS

        began = time.perf_counter()
        page, store = self.window.page("Runs"), self.session.run_curves
        page.table.clearSelection()
        page.table.select([
            run.path for run in self.session.runs.listed if int(run.name[-4:]) < runs])
        self.until(lambda: len(store.overlay.lines) == runs)
        hold_s = self.longest_hold_s
        page.curves_card.figure.setCurrentIndex(store.overlay.figures.index(STEP_LOSS))
        self.until(lambda: store.overlay.wish.figure == STEP_LOSS)
        self.app.processEvents()
        return time.perf_counter() - began, max(hold_s, self.longest_hold_s)

    def gaps_ms(self) -> tuple[list[float], list[float]]:
        """Move the curves to and fro, as a drag does.

        Returns:
            Each move's time until all is painted, and of that the thread's own.
        """
        from PySide6.QtCore import QEvent, QObject

        class Paints(QObject):
            count = 0

            def eventFilter(self, watched: QObject, event: QEvent) -> bool:
                self.count += event.type() == QEvent.Type.Paint
                return False

        plot = self.window.page("Runs").curves_card.plot._plot
        box = plot.getViewBox()
        low, high = box.viewRange()[0]
        box.setXRange(low, (low + high) / 2, padding=0)
        self.app.processEvents()
        paints = Paints()
        plot.viewport().installEventFilter(paints)
        gaps: list[float] = []
        own: list[float] = []
        for at in range(MOVES):
            began, worked = time.perf_counter(), time.thread_time()
            box.translateBy(x=(high - low) / MOVES * (1 if at < MOVES / 2 else -1))
            box.sigRangeChangedManually.emit([True, False])  # what a drag emits after each move
            while paints.count <= len(gaps):
                self.app.processEvents()
            gaps.append(1000 * (time.perf_counter() - began))
            own.append(1000 * (time.thread_time() - worked))
        return gaps, own


def measured(folder: Path, runs: int) -> dict[str, float]:
    """List, open, lay over each other, move."""
    from mmstudio.training.run_list import list_runs

    began = time.perf_counter()
    list_runs(folder)
    found = {"first_listing_s": time.perf_counter() - began}
    window = RunsWindow(folder)
    listed = window.listed_s(runs)
    found |= {"listing_s": listed, "opening_s": listed + window.opened_s()}
    found["reading_ten_s"], hold_s = window.overlay_s(min(OVERLAID, runs))
    found["longest_hold_ms"] = 1000 * hold_s
    gaps, own = window.gaps_ms()
    found |= {"median_gap_ms": float(np.median(gaps)),
              "gap_95_ms": float(np.percentile(gaps, 95)), "longest_gap_ms": max(gaps),
              "median_own_ms": float(np.median(own)), "longest_own_ms": max(own)}
    window.session.shutdown()
    window.window.close()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="make the runs up here, once, and keep them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, screen():
        project = (arguments.folder or Path(folder)) / "Many"
        if not project.exists():
            made_up(project, arguments.runs, arguments.points)
        for kept in project.glob("runs/*/summary.json"):
            kept.unlink()
        found = measured(project, arguments.runs)
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "points": arguments.points} | found))
        return
    print(f"{arguments.runs:,} runs of {arguments.points:,} steps")
    limits = {"opening_s": MOST_OPEN_S, "longest_gap_ms": MOST_GAP_MS}
    for name, value in found.items():
        limit = f"  (aim: under {limits[name]:g})" if name in limits else ""
        print(f"{name.replace('_', ' '):18} {value:8.2f}{limit}")


if __name__ == "__main__":
    main()
