"""Which runs must stay as they are: one is being trained, or waits in the queue."""

from __future__ import annotations

import re
from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.job import Job
from mmstudio.training.run_folder import RunFolder

WORDS = {"running": "is being trained by the queue", "waiting": "waits in the queue",
         "held": "waits in the queue, on hold"}
BEGUN = {"stopped": "was stopped in the queue and can be resumed there",
         "failed": "failed in the queue and can be resumed there"}
"""A job that was begun and is released goes on with its run."""


def refuse_promised(project: Path, name: str) -> None:
    """Look whether a run may get a name: what waits in the queue would fail where it had its own.

    Args:
        project: Its folder.
        name: For the run.

    Raises:
        UserError: A job is to write a run of this name; or the queue can't be read.
    """
    for job in JobsQueue(project).jobs():
        if writes(job, name) and job.state != "done":
            raise UserError(f"Job {job.job} of the queue has the name {name}.",
                            "Take another name, or take the job out of the queue first.")


def refuse_in_use(run: Path) -> None:
    """Look whether a run may be renamed, moved or deleted.

    Args:
        run: Its folder, in a project's ``runs``.

    Raises:
        UserError: A training holds it, or a job of the project's queue is to write it or to start
            from it; or the queue can't be read.
    """
    queue = JobsQueue(run.parent.parent)
    for job in queue.jobs():
        if job.kind == "compare":
            continue
        if writes(job, run.name):
            begun = job.begun and (job.name != run.name or job.began(run))
            words = WORDS.get(job.state) or (BEGUN.get(job.state) if begun else None)
            if words:
                raise UserError(f"The run {run.name} {words} (job {job.job}).",
                                "Wait until it ends, or take it out of the queue first.")
        elif job.state in WORDS and _starts_from(queue, job, run):
            raise UserError(f"{job.name}, job {job.job} of the queue, starts from the run "
                            f"{run.name}.",
                            "Wait until it ends, or take it out of the queue first.")
    if RunFolder(run).is_held():
        raise UserError(f"The run {run.name} is being trained.",
                        "Wait until it ends, or stop it first.")


def writes(job: Job, run: str) -> bool:
    """Whether a job writes, or goes on with, a run of this name."""
    if job.kind == "folds":
        return re.fullmatch(rf"{re.escape(job.name)}(\.fold\d+)?", run) is not None
    return job.kind == "train" and job.name == run


def _starts_from(queue: JobsQueue, job: Job, run: Path) -> bool:
    start = queue.experiment(job).training.start_from
    return bool(start) and (queue.project / start).resolve() == run.resolve()
