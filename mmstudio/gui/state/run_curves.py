"""The curves of chosen runs, read and smoothed in jobs, and what differs between the runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from mmstudio.gui.state.job_runner import JobRunner
from mmstudio.gui.state.job_slot import JobSlot, LatestSlot
from mmstudio.gui.state.project_store import ProjectStore
from mmstudio.gui.state.runs_store import RunsStore

if TYPE_CHECKING:
    from mmstudio.experiment import Experiment
    from mmstudio.experiment_differences import Difference
    from mmstudio.training.run_curves import CurveName, RunCurves

MOST_CACHED = 40
"""Runs whose curves stay in memory, beside those on show; of 100,000 steps one takes 3 MB."""
FILES = ("experiment.toml", "events.jsonl")

Stamp = tuple[tuple[int, int], ...]
"""The times of change and the sizes of a run's files."""


@dataclass(frozen=True)
class ReadRun:
    """What was read of a run when its files had this stamp.

    ``experiment`` is None, and ``problem`` says why, where it can't be read.
    """

    path: Path
    stamp: Stamp
    curves: RunCurves
    experiment: Experiment | None
    problem: str = ""


@dataclass(frozen=True)
class Wish:
    """What is to be drawn: a figure, None for the one that fits, over a place, smoothed."""

    figure: CurveName | None = None
    axis: str = "epoch"
    smoothing: float = 0.0


@dataclass(frozen=True)
class Line:
    """A run's line: ``x``, ``y`` and the values before smoothing, ``raw``, each (points,)."""

    run: Path
    x: np.ndarray
    y: np.ndarray
    raw: np.ndarray


@dataclass(frozen=True)
class Overlay:
    """Lines over each other.

    Attributes:
        runs: All chosen runs, in their order; a run without the figure has no line.
        figures: The figures that at least one of them has.
        wish: What the lines show, its figure filled in.
        lines: One per run that has it.
        differences: The settings in which those that can be read differ.
        compared: The runs that the differences are of.
        problems: Of runs that can't be read.
    """

    runs: tuple[Path, ...] = ()
    figures: tuple[CurveName, ...] = ()
    wish: Wish = Wish()
    lines: tuple[Line, ...] = ()
    differences: tuple[Difference, ...] = ()
    compared: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()


class RunCurvesStore(QObject):
    """Reads runs' curves, each once while its files stay as they are.

    Signals:
        reading: The curves of some runs are being read, or no longer.
        changed: Carries the `Overlay`.
        saved: Carries the path of a file that was written.
    """

    reading = Signal(bool)
    changed = Signal(object)
    saved = Signal(object)

    def __init__(self, jobs: JobRunner, project: ProjectStore, runs: RunsStore) -> None:
        super().__init__(jobs)
        self._jobs, self._store = jobs, runs
        self._reading, self._saving = (JobSlot(jobs, project.scope) for _ in range(2))
        self._drawing = LatestSlot(jobs, project.scope)
        self._cache: dict[Path, ReadRun] = {}
        self._runs: tuple[Path, ...] = ()
        self.wish = Wish()
        self.overlay = Overlay()
        project.changed.connect(self._on_project)
        runs.deleting.connect(self._let_go)

    @property
    def is_reading(self) -> bool:
        """Whether curves are being read."""
        return self._reading.busy

    def show_runs(self, runs: Sequence[Path]) -> None:
        """Lay these runs over each other, as their files are now."""
        if tuple(runs) == self._runs and self._reading.busy:
            return
        self._runs = tuple(runs)
        self._reading.cancel()
        self._drawing.cancel()
        if not self._runs:
            self.reading.emit(False)
            self._publish(Overlay(wish=self.wish))
            return
        wanted, cached = self._runs, dict(self._cache)

        def work() -> Iterator[ReadRun]:
            import pyqtgraph  # noqa: F401  (slow; the plot that follows needs it)

            for run in wanted:
                known = cached.get(run)
                yield known if known and known.stamp == _stamp(run) else _read(run)

        def done(_: object) -> None:
            self.reading.emit(False)  # what was read is drawn already

        def failed(message: str, hint: str) -> None:
            self.reading.emit(False)
            self._jobs.problem.emit(message, hint)

        self.reading.emit(True)
        self._reading.run(work, done, failed, self._take)

    def draw(self, wish: Wish) -> None:
        """Show another figure of the same runs, or the same otherwise."""
        self.wish = wish
        if self._runs:
            self._draw()

    def save_csv(self, path: Path) -> None:
        """Write all points on show into a file."""
        wish, chosen = self.overlay.wish, self._chosen()

        def content() -> str:
            from mmstudio.training.run_curves import curves_as_csv

            return curves_as_csv({} if wish.figure is None else {
                one.path.name: one.curves.curves[wish.figure] for one in chosen
                if wish.figure in one.curves.curves}, wish.smoothing)

        self._saving.run(lambda: _write(path, content()), self.saved.emit)

    def save_picture(self, path: Path, content: bytes) -> None:
        """Write a picture of the plot into a file."""
        self._saving.run(lambda: _write(path, content), self.saved.emit)

    def _on_project(self) -> None:
        if self._runs:
            self.show_runs([run for run in self._runs if self._store.belongs(run)])

    def _chosen(self) -> list[ReadRun]:
        """The chosen runs, as far as they are read: each has its number from the start."""
        read = takewhile(lambda run: run in self._cache, self._runs)
        return [self._cache[run] for run in read]

    def _take(self, found: Sequence[ReadRun]) -> None:
        for one in found:
            self._cache.pop(one.path, None)
            self._cache[one.path] = one
        for old in [path for path in self._cache if path not in self._runs][:-MOST_CACHED]:
            del self._cache[old]
        self._draw()

    def _draw(self) -> None:
        wish, chosen = self.wish, self._chosen()
        self._drawing.ask(
            lambda: overlay_of(chosen, wish), self._publish, self._jobs.problem.emit)

    def _publish(self, overlay: Overlay) -> None:
        self.overlay = overlay
        self.changed.emit(overlay)

    def _let_go(self, run: Path) -> None:
        """A folder that is being read can't be renamed on every system."""
        self._cache.pop(run, None)
        if run in self._runs:
            self.show_runs([one for one in self._runs if one != run])


def overlay_of(runs: Sequence[ReadRun], wish: Wish) -> Overlay:
    """The lines of one figure; the validation loss where none, or one that no run has, is asked."""
    from mmstudio.experiment_differences import differing_settings
    from mmstudio.training.run_curves import VALIDATION_LOSS, smoothed

    figures = tuple(dict.fromkeys(name for run in runs for name in run.curves.curves))
    figure = wish.figure
    if figure not in figures:
        figure = VALIDATION_LOSS if VALIDATION_LOSS in figures else next(iter(figures), None)
    lines = []
    for run in runs:
        curve = None if figure is None else run.curves.curves.get(figure)
        if curve is None:
            continue
        x = curve.along(wish.axis)
        placed = np.isfinite(x)
        lines.append(Line(run.path, x[placed], smoothed(curve.values, wish.smoothing)[placed],
                          curve.values[placed]))
    settings: Mapping[Path, Experiment] = {
        run.path: run.experiment for run in runs if run.experiment is not None}
    return Overlay(
        tuple(run.path for run in runs), figures, replace(wish, figure=figure), tuple(lines),
        tuple(differing_settings(list(settings.values()))), tuple(settings),
        tuple(run.problem for run in runs if run.problem))


def _stamp(run: Path) -> Stamp:
    stamp = []
    for name in FILES:
        with contextlib.suppress(OSError):  # not there: the others tell
            state = (run / name).stat()
            stamp.append((state.st_mtime_ns, state.st_size))
    return tuple(stamp)


def _read(path: Path) -> ReadRun:
    from mmstudio.errors import UserError
    from mmstudio.training.run_curves import RunCurves
    from mmstudio.training.run_folder import RunFolder

    stamp = _stamp(path)  # first: what comes meanwhile is then seen as new
    try:
        run = RunFolder.existing(path)
        return ReadRun(path, stamp, RunCurves.of(run.history()), run.experiment())
    except UserError as error:
        return ReadRun(path, stamp, RunCurves({}), None, f"{error.message} {error.hint}".strip())


def _write(path: Path, content: str | bytes) -> Path:
    from mmstudio.errors import UserError
    from mmstudio.reading import reason_of
    from mmstudio.safe_files import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise UserError(f"{path} can't be written: {reason_of(error)}.",
                        "Choose another folder, or make room on the disk.") from error
    return path
