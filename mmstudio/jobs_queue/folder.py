"""The queue of a project is a folder: a file per job, and locks."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.jobs_queue.job import Job, is_name
from mmstudio.jobs_queue.names import PLACES, free_name
from mmstudio.jobs_queue.worker_lock import HOLDER, WORKING, WorkerLock
from mmstudio.reading import read_json, reading
from mmstudio.safe_files import refuse_links, write_whole
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_identity import identity_of

FOLDER = "queue"
EDITING = "editing.lock"
EDITING_S = 20.0
"""How long another change of the queue is waited for; one takes a moment."""
MOST_BYTES = 1 << 20
_JOB = re.compile(r"(\d+)\.json")


class JobsQueue:
    """What a project is to train.

    Per job ``7.json``, what it is and how it stands, and ``7.toml``, its experiment as it was when
    the job was added: later changes of the project's own change no job. ``7.log`` holds what its
    process said. All but this are written beside and renamed, one change at a time; whoever reads
    needs no lock.

    Args:
        project: Its folder.
    """

    def __init__(self, project: Path) -> None:
        self.project = Path(project)
        self.path = self.project / FOLDER

    def jobs(self) -> list[Job]:
        """All jobs in their order.

        Raises:
            UserError: A job's file is damaged, or a link.
        """
        if not self.path.is_dir():
            return []
        with reading(self.path, "Check its permissions."):
            names = [path.name for path in self.path.iterdir() if _JOB.fullmatch(path.name)]
        refuse_links(self.path, names)
        found = []
        for name in names:
            # one that another process removes meanwhile is no more
            with suppress(FileNotFoundError):
                found.append(self._read(self.path / name))
        return sorted(found, key=lambda job: (job.place, job.job))

    def job(self, number: int) -> Job:
        """One job. Raises UserError where there is none of this number."""
        for job in self.jobs():
            if job.job == number:
                return job
        raise UserError(f"The queue of {self.project} has no job {number}.",
                        "mmstudio queue list shows them.")

    def _read(self, path: Path) -> Job:
        if not os.path.lexists(path):
            raise FileNotFoundError(path)
        with reading(path, "Remove the file: the job is lost, the others are not."):
            return Job.from_json(read_json(path, MOST_BYTES))

    def experiment(self, job: Job) -> Experiment:
        """What a job trains. Raises UserError."""
        refuse_links(self.path, [f"{job.job}.toml"])
        return Experiment.load(self.path / f"{job.job}.toml")

    def log(self, job: Job) -> Path:
        """Where a job's process says what it has to say."""
        return self.path / f"{job.job}.log"

    def free_name(self, kind: str, experiment: Experiment) -> str:
        """A name for a run or a comparison that is begun at once; no job is to have it.

        Args:
            kind: ``train``, ``compare`` or ``folds``.
            experiment: What is trained.

        Raises:
            UserError: A job's file is damaged, or a link.
        """
        taken = {job.name for job in self.jobs() if PLACES[job.kind] == PLACES[kind]}
        return free_name(self.project, kind, experiment, taken)

    def add(
        self, kind: str, experiment: Experiment, name: str = "",
        options: dict[str, Any] | None = None, also: Collection[str] = (),
    ) -> Job:
        """Put a job at the end.

        Args:
            kind: ``train``, ``compare`` or ``folds``.
            experiment: As it is to be trained.
            name: Of the run or the comparison; a free one by default.
            options: Of a comparison, or of a cross-validation.
            also: Names that are as good as taken, such as of a run whose folder is to come.

        Raises:
            UserError: The name is taken or no name, or the queue can't be written.
        """
        with self._editing():
            jobs = self.jobs()
            taken = {*also, *(job.name for job in jobs if PLACES[job.kind] == PLACES[kind])}
            name = name or free_name(self.project, kind, experiment, taken)
            place = PLACES[kind]
            if not is_name(name):
                raise UserError(f"{name} is not a name.", "Give a name without slashes.")
            if name in taken or (self.project / place / name).exists():
                raise UserError(f"{place}/{name} already exists, or waits in the queue.",
                                "Take another name.")
            return self._added(jobs, kind, experiment, name, options)

    def add_unfinished(self, name: str) -> Job:
        """Put a run at the end that goes on where it was left.

        Args:
            name: Of the run, whose folder is there.

        Raises:
            UserError: There is no such run, it waits already, or the queue can't be written.
        """
        run = self.project / PLACES["train"] / name
        experiment, mark = RunFolder.existing(run).experiment(), identity_of(run)
        with self._editing():
            jobs = self.jobs()
            for job in jobs:
                if (job.kind, job.name) == ("train", name):
                    if not job.is_over:
                        raise UserError(f"The run {name} waits in the queue already.",
                                        "Start the queue.")
                    job = dataclasses.replace(job, state="waiting", begun=True, run=mark,
                                              message="", hint="", ended="")
                    self._write(job)
                    return job
            return self._added(jobs, "train", experiment, name, begun=True, run=mark)

    def _added(
        self, jobs: list[Job], kind: str, experiment: Experiment, name: str,
        options: dict[str, Any] | None = None, *, begun: bool = False, run: str = "",
    ) -> Job:
        number = max((job.job for job in jobs), default=0) + 1
        place = max((job.place for job in jobs), default=0.0) + 1
        job = Job(number, kind, name, "waiting", place, options or {}, begun=begun, run=run,
                  added=_now())
        write_whole(self.path / f"{number}.toml",
                    experiment.seen_from(self.path).to_toml(full=False))
        self._write(job)
        return job

    def remove(self, number: int) -> Job:
        """Take a job out; its run stays. Raises UserError where it runs, or there is none."""
        with self._editing():
            job = self._idle(number, "removed")
            for suffix in ("json", "toml", "log", "lock"):
                (self.path / f"{number}.{suffix}").unlink(missing_ok=True)
        return job

    def move(self, number: int, place: int) -> None:
        """Have a job be the first (1), the second … of those that wait. Raises UserError."""
        with self._editing():
            job = self.job(number)
            others = [j for j in self.jobs() if j.job != number]
            waiting = [i for i, j in enumerate(others) if j.state in ("waiting", "held")]
            at = waiting[place - 1] if 0 < place <= len(waiting) else len(others)
            for i, one in enumerate([*others[:at], job, *others[at:]]):
                if one.place != i + 1:
                    self._write(dataclasses.replace(one, place=float(i + 1)))

    def move_by(self, number: int, places: int) -> None:
        """Have a job run so many places earlier (negative) or later than now. Raises UserError."""
        with self._editing():
            jobs = self.jobs()
            waiting = [job.job for job in jobs if job.state in ("waiting", "held")]
            if number not in waiting:
                return  # it has begun meanwhile
            at = waiting.index(number)
            to = min(max(at + places, 0), len(waiting) - 1)
            waiting.insert(to, waiting.pop(at))
            order = {n: i for i, n in enumerate(waiting)}
            places_now = sorted(job.place for job in jobs if job.job in order)
            for job in jobs:
                if job.job in order and job.place != places_now[order[job.job]]:
                    self._write(dataclasses.replace(job, place=places_now[order[job.job]]))

    def hold(self, number: int) -> None:
        """Have a job wait until it is released. Raises UserError."""
        with self._editing():
            job = self._idle(number, "held")
            self._write(dataclasses.replace(job, state="held"))

    def release(self, number: int) -> None:
        """Have a job that was held, stopped or failed wait for its turn again. Raises UserError."""
        with self._editing():
            job = self._idle(number, "released")
            self._write(dataclasses.replace(job, state="waiting", message="", hint="", ended=""))

    def stop(self, number: int) -> None:
        """Stop a job, also one whose worker was killed; released, it goes on. Raises UserError."""
        with self._editing():
            job = self.job(number)
            if job.state == "running" and WorkerLock(self.path).is_held():
                self._write(dataclasses.replace(job, wish="stop"))
            elif job.state in ("waiting", "held", "running"):
                self._write(dataclasses.replace(job, state="stopped", ended=_now()))

    def changed(self, number: int, **changes: Any) -> Job:
        """Note how a job stands; only for who works the queue off. Raises UserError, OSError."""
        with self._editing():
            job = dataclasses.replace(self.job(number), **changes)
            if job.is_over:
                job = dataclasses.replace(job, ended=_now(), wish="")
            self._write(job)
        return job

    def take(self) -> Job | None:
        """Begin the first job that waits; None where none does. Raises UserError.

        It is looked for and marked under one lock: of several that ask at once each gets another
        one, and one that was held, moved or removed a moment ago is not begun.
        """
        with self._editing():
            for job in self.jobs():
                if job.state == "waiting":
                    job = dataclasses.replace(job, state="running", wish="")
                    self._write(job)
                    return job
        return None

    def put_back(self, number: int) -> Job:
        """Have a job that was left before its end wait again, unless it was to be stopped."""
        with self._editing():
            job = self.job(number)
            stopped = job.wish == "stop"
            job = dataclasses.replace(job, state="stopped" if stopped else "waiting", wish="",
                                      ended=_now() if stopped else "")
            self._write(job)
        return job

    @contextmanager
    def working(self) -> Iterator[None]:
        """Be the one that works the queue off.

        Raises:
            UserError: Another process does; names it.
        """
        lock = WorkerLock(self.path)
        with self._editing():
            if not lock.take():
                raise UserError(
                    f"The queue of {self.project} is already being run by {lock.holder()}.",
                    "What you add to it runs there; mmstudio queue list shows its state.")
        try:
            yield
        finally:
            lock.release()

    def worker(self) -> str:
        """Who works it off: "process 4711 on tower"; "" where nobody does. Raises UserError.

        Who may only read the folder can't look at its lock, and is told of nobody.
        """
        lock = WorkerLock(self.path)
        if not (self.path / WORKING).is_file():
            return ""
        try:
            with self._locked():
                return lock.holder() if lock.is_held() else ""
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                return ""
            raise self._unwritable(error) from None

    @contextmanager
    def job_lock(self, job: Job, waits: Callable[[], bool]) -> Iterator[bool]:
        """Be the one that does a job; a process that was left behind by a kill may still do it.

        Args:
            job: Which.
            waits: Asked while another process does it; False gives up.

        Yields:
            Whether it is held.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / f"{job.job}.lock")
        while waits():
            try:
                lock.acquire(timeout=0.5)
            except Timeout:
                continue
            try:
                yield True
            finally:
                lock.release()
            return
        yield False

    def _idle(self, number: int, what: str) -> Job:
        job = self.job(number)
        if job.state == "running" and WorkerLock(self.path).is_held():
            raise UserError(f"Job {number} is running and can't be {what}.",
                            f"Stop it first: mmstudio queue stop {number}.")
        return job

    def _make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path} can't be made: {error.strerror}.",
                            "Check the folder's permissions.") from None
        refuse_links(self.path, [EDITING, WORKING, HOLDER])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock

        self._make()
        with FileLock(self.path / EDITING, timeout=EDITING_S):
            yield

    @contextmanager
    def _editing(self) -> Iterator[None]:
        try:
            with self._locked():
                yield
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UserError:
        from filelock import Timeout

        if isinstance(error, Timeout):
            return UserError(f"Another program is changing {self.path} for too long.",
                             "End it, then try again.")
        return UserError(f"{self.path} can't be written: {error.strerror or error}.",
                         "Free some space, or check its permissions.")

    def _write(self, job: Job) -> None:
        write_whole(self.path / f"{job.job}.json", json.dumps(job.to_json(), indent=1))


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
