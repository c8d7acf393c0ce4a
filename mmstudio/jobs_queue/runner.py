"""Works a queue off: each job in a process of its own, so that none can end the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mmstudio
from mmstudio.errors import UserError
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.job import Job
from mmstudio.safe_files import refuse_links

LOOK_S = 0.2
"""Between two looks at whether a job is to be stopped."""
ENDING_S = 60.0
"""How long a process that was asked to stop may take, before it is ended."""
INTERRUPTED = 130
MOST_TOLD = 2000
"""Characters of what a failed process said last."""


@dataclass(frozen=True)
class QueueEvent:
    """A job has begun or ended.

    Attributes:
        event: ``job_started`` or ``job_ended``.
        job: As it stands now.
    """

    event: str
    job: Job

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"event": self.event, **self.job.to_json()}


def work_off(
    queue: JobsQueue, should_stop: Callable[[], bool] = lambda: False,
    command: Callable[[JobsQueue, Job], list[str]] | None = None,
) -> Iterator[QueueEvent]:
    """Do all jobs that wait, those that are added meanwhile included.

    A job that was running when the last worker was killed goes on.

    Args:
        queue: Of a project.
        should_stop: Asked all the time; True stops the job at hand, which waits again then.
        command: What does a job; the command line's own by default.

    Yields:
        What happens.

    Raises:
        UserError: Another process works it off, or it can't be read or written.
    """
    with queue.working():
        for job in queue.jobs():
            if job.state == "running":
                queue.put_back(job.job)
        while not should_stop():
            next_one = queue.take()
            if next_one is None:
                return
            yield QueueEvent("job_started", next_one)
            yield QueueEvent("job_ended", _done(queue, next_one, should_stop, command or _command))


def _command(queue: JobsQueue, job: Job) -> list[str]:
    # -P: the project's folder, where it runs, may hold code that nobody trusts
    return [sys.executable, "-P", "-m", "mmstudio", "queue", "work", str(job.job), "--project",
            str(queue.project.absolute())]


def _environment() -> dict[str, str]:
    """This process's, in which Python finds the same mmstudio, and nothing in the project."""
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)
             if path]
    ours = Path(mmstudio.__file__).absolute().parent.parent
    # of an installed one Python knows, and would prefer what else is there to its own modules
    if ours.name not in ("site-packages", "dist-packages"):
        paths.insert(0, str(ours))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return environment | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


def _done(
    queue: JobsQueue, job: Job, should_stop: Callable[[], bool],
    command: Callable[[JobsQueue, Job], list[str]],
) -> Job:
    """Have a job done; as it stands afterwards."""
    try:
        refuse_links(queue.path, [queue.log(job).name])
    except UserError as error:
        return queue.changed(job.job, state="failed", message=error.message, hint=error.hint)
    with queue.log(job).open("wb") as log:
        code, stopped = _ended(queue, job, should_stop, command(queue, job), log)
    if code == 0:
        return queue.changed(job.job, state="done", message="", hint="")
    # a batch system tells all processes of a session, and the job may have ended first
    if stopped == "queue" or (code == INTERRUPTED and should_stop()):
        return queue.put_back(job.job)
    if stopped == "job" or code == INTERRUPTED:
        return queue.changed(job.job, state="stopped")
    said = queue.log(job).read_bytes().decode("utf-8", "replace").strip()[-MOST_TOLD:]
    message, _, hint = said.partition("\n")
    if code != 1:
        message, hint = f"Its process ended with {code}.", said
    return queue.changed(job.job, state="failed", message=message, hint=hint)


def _ended(
    queue: JobsQueue, job: Job, should_stop: Callable[[], bool], command: list[str], log: BinaryIO
) -> tuple[int, str]:
    """The exit code of a job's process, and who stopped it: "queue", "job" or nobody."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=queue.project,
        env=_environment(),
        # a terminal's Ctrl-C would reach it as well, and what ends it here be its second: an order
        start_new_session=True, creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0))
    stopped, asked = "", 0
    try:
        while True:
            try:
                return process.wait(LOOK_S), stopped
            except subprocess.TimeoutExpired:
                pass
            if not stopped:
                stopped = "queue" if should_stop() else _wish(queue, job)
                if stopped:
                    process.terminate()
            elif (asked := asked + 1) * LOOK_S > ENDING_S:
                process.kill()
    finally:
        if process.poll() is None:  # the one who iterates has left
            process.terminate()
            process.wait()


def _wish(queue: JobsQueue, job: Job) -> str:
    now = next((one for one in queue.jobs() if one.job == job.job), job)
    return "job" if now.wish == "stop" else ""
