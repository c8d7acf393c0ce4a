"""Which runs must stay as they are: one is being trained, or waits in the queue."""

from __future__ import annotations

from pathlib import Path

from mmstudio.errors import UserError
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.training.run_folder import RunFolder

WORDS = {"running": "is being trained by the queue", "waiting": "waits in the queue",
         "held": "waits in the queue, on hold"}
GOES_ON = "can be resumed by the queue"


def refuse_in_use(run: Path) -> None:
    """Look whether a run may be renamed, moved or deleted.

    Args:
        run: Its folder, in a project's ``runs``.

    Raises:
        UserError: A training holds it, or a job of the project's queue is to write it; or the
            queue can't be read.
    """
    queue = JobsQueue(run.parent.parent)
    for job in queue.jobs():
        if job.kind == "train" and job.name == run.name:
            words = WORDS.get(job.state, GOES_ON if job.begun and job.state != "done" else "")
            if words:
                raise UserError(f"The run {run.name} {words} (job {job.job}).",
                                "Wait until it ends, or take it out of the queue first.")
        elif job.kind == "train" and job.state in WORDS:
            start = queue.experiment(job).training.start_from
            if start and Path(start).name == run.name and Path(start).parent.name == "runs":
                raise UserError(f"Job {job.job} of the queue starts from the run {run.name}.",
                                "Wait until it ends, or take it out of the queue first.")
    if RunFolder(run).is_held():
        raise UserError(f"The run {run.name} is being trained.",
                        "Wait until it ends, or stop it first.")
