"""A run in one line, kept in its folder: a list of hundreds must not read all their logs."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mmstudio.reading import read_json
from mmstudio.safe_files import write_whole
from mmstudio.shapes import fitted_to
from mmstudio.training.events import EncoderChosen, without_nan
from mmstudio.training.run_notes import RunNotes

FILE = "summary.json"
VERSION = 1
"""Of what is kept; another one's is worked out anew."""
MOST_BYTES = 1 << 20
STATED = ("experiment.toml", "events.jsonl")
"""The files that a summary is made of."""
MOST_DEPTH = 3
"""Of folders in a run's, as far as its size is counted."""


@dataclass(frozen=True)
class RunSummary:
    """A run in one line.

    Attributes:
        status: ``completed``, ``early_stopped``, ``stopped``, ``unfinished``, or ``unreadable``,
            of which nothing is known but its name and the ``problem``.
        metrics: ``{"digit accuracy": 0.97}``, validation figures of what the run answers with.
        chosen: Per input whose encoder was left open which one it got, and why.
        seconds: How long it was trained, all sessions together; 0 where that isn't known.
        disk_bytes: How much room its folder takes.
        notes: What a person noted about it.
    """

    name: str
    path: Path
    created: datetime
    status: str
    data: str
    fusion: str
    inputs: tuple[str, ...]
    encoders: tuple[str, ...]
    best_epoch: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    chosen: dict[str, EncoderChosen] = field(default_factory=dict)
    seconds: float = 0.0
    disk_bytes: int = 0
    notes: RunNotes = field(default_factory=RunNotes)

    @property
    def one_of_several(self) -> bool:
        """Whether a comparison, a search or a cross-validation trained it, by its name."""
        return _ONE_OF_SEVERAL.search(self.name) is not None


_ONE_OF_SEVERAL = re.compile(r"\.(seed|fold|trial)\d+$")
_SHAPE = {
    "version": range(VERSION, VERSION + 1), "of": [[int]], "status": str, "data": str,
    "fusion": str, "inputs": [str], "encoders": [str], "best_epoch?": int,
    "metrics": {"*": float}, "chosen": {"**": {"input": str, "encoder": str, "model": str,
                                               "reason": str}},
    "seconds": float,
}
_KEPT = ("status", "data", "fusion", "inputs", "encoders", "metrics", "seconds")


def kept_summary(run: Path) -> RunSummary | None:
    """The summary that is kept in a run's folder, without its size, notes and time of making.

    None where there is none, or the run's files are others since.
    """
    try:
        found = fitted_to(_without_none(read_json(run / FILE, MOST_BYTES)), _SHAPE)
    except (OSError, ValueError, RecursionError):
        return None
    if found["of"] != _state_of(run):
        return None
    return RunSummary(
        run.name, run, datetime.fromtimestamp(0), found["status"], found["data"],
        found["fusion"], tuple(found["inputs"]), tuple(found["encoders"]),
        found.get("best_epoch"),
        {name: float("nan") if value is None else value
         for name, value in found["metrics"].items()},
        chosen={name: EncoderChosen(**one) for name, one in found["chosen"].items()},
        seconds=found["seconds"])


def keep_summary(summary: RunSummary) -> None:
    """Keep a summary in its run's folder.

    Raises:
        OSError: It can't be written.
    """
    data: dict[str, Any] = {"version": VERSION, "of": _state_of(summary.path)}
    data |= {name: getattr(summary, name) for name in _KEPT}
    data["chosen"] = {name: dataclasses.asdict(one) for name, one in summary.chosen.items()}
    if summary.best_epoch is not None:
        data["best_epoch"] = summary.best_epoch
    data["inputs"], data["encoders"] = list(summary.inputs), list(summary.encoders)
    write_whole(summary.path / FILE, json.dumps(without_nan(data), ensure_ascii=False))


def disk_bytes(folder: Path) -> int:
    """How much room a run's files take; one that has several names counts once."""
    return sum({(s.st_dev, s.st_ino): s.st_size for s in _files_of(str(folder), 0)}.values())


def _files_of(folder: str, depth: int) -> list[os.stat_result]:
    found: list[os.stat_result] = []
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return found  # another program has removed it
    for entry in entries:
        try:
            state = os.stat(entry.path, follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISREG(state.st_mode):
            found.append(state)
        elif stat.S_ISDIR(state.st_mode) and depth < MOST_DEPTH:
            found += _files_of(entry.path, depth + 1)
    return found


def _state_of(run: Path) -> list[list[int]]:
    """Size and time of change, in ms, of the files that a summary is made of."""
    found = []
    for name in STATED:
        try:
            state = os.lstat(run / name)
        except OSError:
            found.append([0, 0])
        else:
            found.append([state.st_size, state.st_mtime_ns // 1_000_000])
    return found


def _without_none(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}
