"""Which runs must stay as they are: one is being trained, or waits in the queue."""

from __future__ import annotations

from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.training.run_folder import RunFolder

WORDS = {"running": "is being trained by the queue", "waiting": "waits in the queue",
         "held": "waits in the queue, on hold"}


def refuse_promised(project: Path, name: str) -> None:
    """Look whether a run may get a name: what waits in the queue would fail where it had its own.

    Args:
        project: Its folder.
        name: For the run.

    Raises:
        UserError: A job is to write a run of this name; or the queue can't be read.
    """
    for job in JobsQueue(project).jobs():
        if job.kind == "train" and job.name == name and job.state != "done":
            raise UserError(f"Job {job.job} of the queue has the name {name}.",
                            "Take another name, or take the job out of the queue first.")


def refuse_in_use(run: Path) -> None:
    """Look whether a run may be renamed, moved or deleted.

    Args:
        run: Its folder, in a project's ``runs``.

    Raises:
        UserError: A training holds it, or a job of the project's queue is to write it; or the
            queue can't be read.
    """
    for job in JobsQueue(run.parent.parent).jobs():
        if job.kind == "train" and job.name == run.name and job.state in WORDS:
            raise UserError(f"The run {run.name} {WORDS[job.state]} (job {job.job}).",
                            "Wait until it ends, or take it out of the queue first.")
    if RunFolder(run).is_held():
        raise UserError(f"The run {run.name} is being trained.",
                        "Wait until it ends, or stop it first.")
