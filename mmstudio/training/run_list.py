"""A project's runs as a list: each run in one line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.reading import reading
from mmstudio.training.events import (
    RunFinished,
)
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_notes import RunNotes, read_notes
from mmstudio.training.run_summary import RunSummary, disk_bytes, keep_summary, kept_summary


def list_runs(project: Path) -> list[RunSummary]:
    """The runs of a project, newest first; folders that are not runs are skipped.

    One that can't be read is listed as such: it hides no other.

    Raises:
        UserError: The folder of runs can't be read.
    """
    folder = Path(project) / "runs"
    if not folder.is_dir():
        return []
    with reading(folder, "Check its permissions."):
        paths = list(folder.iterdir())
    runs = []
    for path in paths:
        if not os.path.lexists(path / "experiment.toml"):
            continue
        try:
            with reading(path, ""):
                runs.append(summarise(RunFolder.existing(path)))
        except UserError as error:
            runs.append(_unreadable(path, error))
    return sorted(runs, key=lambda run: (run.created, run.name), reverse=True)


def interrupted_runs(project: Path) -> list[RunSummary]:
    """The runs that a kill or a power cut ended: each can be resumed where it was.

    Raises:
        UserError: The folder of runs can't be read.
    """
    return interrupted_of(list_runs(project))


def interrupted_of(runs: Iterable[RunSummary]) -> list[RunSummary]:
    """Of these runs those that were interrupted, and that no process trains now."""
    return [run for run in runs
            if run.status == "unfinished" and RunFolder(run.path).state.is_file()
            and not RunFolder(run.path).is_held()]


def summarise(run: RunFolder) -> RunSummary:
    """One run in one line; of one that is over it is kept in its folder for the next time.

    Raises:
        UserError: Its experiment or its log can't be read. Notes that can't are its ``problem``.
    """
    summary = kept_summary(run.path)
    if summary is None:
        summary = _worked_out(run)
        if summary.status != "unfinished":
            with suppress(OSError):  # a disk that is full or read-only: worked out again next time
                keep_summary(summary)
    notes, problem = RunNotes(), ""
    try:
        notes = read_notes(run.path)
    except UserError as error:
        problem = f"{error.message} {error.hint}".strip()
    return replace(summary, created=_created(run.path), notes=notes, problem=problem,
                   disk_bytes=disk_bytes(run.path))


def _worked_out(run: RunFolder) -> RunSummary:
    experiment = run.experiment()
    history = run.history(steps=False)
    main = history.started.tasks if history.started is not None else {}
    best = history.answered()
    finished: RunFinished | None = history.finished
    return RunSummary(
        name=run.name,
        path=run.path,
        created=_created(run.path),
        status=(finished.reason if finished is not None
                else "unfinished" if history.stopped is None else "stopped"),
        data=experiment.data.table,
        fusion=experiment.fusion.name,
        inputs=tuple(experiment.active_inputs),
        encoders=tuple(i.encoder.name for i in experiment.active_inputs.values()),
        best_epoch=history.best_epoch,
        metrics={f"{task} {figure}": best[task][figure]
                 for task, figure in main.items() if figure in best.get(task, {})},
        chosen=history.encoders_chosen,
        seconds=history.trained_s,
    )


def _unreadable(path: Path, error: UserError) -> RunSummary:
    return RunSummary(path.name, path, _created(path), "unreadable", "", "", (), (), None,
                      problem=f"{error.message} {error.hint}".strip())


def _created(run: Path) -> datetime:
    try:
        return datetime.fromtimestamp((run / "experiment.toml").lstat().st_mtime)
    except (OSError, ValueError, OverflowError):  # a time that no calendar has
        return datetime.fromtimestamp(0)
