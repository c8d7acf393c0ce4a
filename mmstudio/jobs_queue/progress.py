"""How far a job is, read from the few bytes that tell it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmstudio.jobs_queue.job import USUAL_FOLDS, Job
from mmstudio.jobs_queue.names import PLACES
from mmstudio.safe_files import refuse_links

HEAD_BYTES, TAIL_BYTES = 1 << 16, 1 << 16
"""Of a run's log: how the training began, and its last steps."""


def share_done(project: Path, job: Job) -> float | None:
    """The share of a job that is done, 0 to 1; None where nothing tells it.

    Of a training the share of its steps, of a comparison and of folds that of their trainings.

    Raises:
        UserError: Its files are links.
    """
    if job.state == "done":
        return 1.0
    if not job.begun:
        return 0.0
    if job.kind == "compare":
        return _share_of_comparison(project / PLACES["compare"] / job.name)
    if job.kind == "folds":
        folds = int(job.options.get("folds", USUAL_FOLDS))
        runs = [project / PLACES["folds"] / f"{job.name}.fold{n}" for n in range(1, folds + 1)]
        return sum(share_of_run(run) or 0.0 for run in runs) / folds
    return share_of_run(project / PLACES["train"] / job.name)


def share_of_run(run: Path) -> float | None:
    """The share of a run's steps that are made; None where its log does not tell."""
    refuse_links(run, ["events.jsonl"])
    try:
        with (run / "events.jsonl").open("rb") as file:
            head = file.read(HEAD_BYTES)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(len(head), size - TAIL_BYTES))
            tail = file.read(TAIL_BYTES)
    except OSError:
        return None
    total = steps = None
    finished = False
    for event in _events(head + b"\n" + tail):
        # one that goes on begins anew after its end
        finished = event.get("event") == "run_finished"
        with suppress(KeyError, TypeError, ValueError):
            if event.get("event") == "started":
                total = int(event["epochs"]) * int(event["steps_per_epoch"])
                steps = max(0, int(event["first_step"]) - 1) or (
                    (int(event["first_epoch"]) - 1) * int(event["steps_per_epoch"]))
            elif event.get("event") == "step_done":
                steps = int(event["step"])
    if finished:
        return 1.0
    if not total or steps is None:
        return None
    return min(1.0, max(0.0, steps / total))


def _events(lines: bytes) -> list[dict[str, Any]]:
    """What stands in whole lines; where head and tail meet, one may be torn."""
    found = []
    for line in lines.split(b"\n"):
        with suppress(ValueError, RecursionError):
            data = json.loads(line)
            if isinstance(data, dict):
                found.append(data)
    return found


def _share_of_comparison(folder: Path) -> float | None:
    import tomllib

    refuse_links(folder, ["plan.toml", "scores"])
    try:
        plan = tomllib.loads((folder / "plan.toml").read_text(encoding="utf-8"))
        total = len(plan["contestants"]) * int(plan["seeds"])
        done = sum(name.endswith(".json") for name in os.listdir(folder / "scores"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return min(1.0, done / total) if total > 0 else None
