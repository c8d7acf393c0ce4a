"""The queue's folder: places, states, locks, and files that anybody may have written."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.in_use import refuse_promised
from mmstudio.jobs_queue.job import Job
from mmstudio.jobs_queue.worker_lock import WorkerLock
from mmstudio.training.run_folder import RunFolder
from tests.small_project import small_experiment, start_small


@pytest.fixture
def queue(project: Path) -> JobsQueue:
    """With three trainings that wait."""
    queue = JobsQueue(project)
    for name in ("a", "b", "c"):
        queue.add("train", small_experiment(), name)
    return queue


def names(queue: JobsQueue) -> list[str]:
    return [job.name for job in queue.jobs()]


def test_jobs_wait_in_the_order_in_which_they_were_added(queue: JobsQueue) -> None:
    assert [(j.job, j.name, j.state) for j in queue.jobs()] == [
        (1, "a", "waiting"), (2, "b", "waiting"), (3, "c", "waiting")]
    assert JobsQueue(queue.project).jobs() == queue.jobs()


def test_a_job_keeps_the_settings_that_it_was_added_with(project: Path) -> None:
    queue = JobsQueue(project)
    job = queue.add("train", small_experiment({"training.epochs": 7}))
    (project / "experiment.toml").write_text("[data]\ntable = 'other.csv'\n")
    assert queue.experiment(job).training.epochs == 7
    assert str(project) not in (queue.path / "1.toml").read_text()


def test_names_that_nobody_gave_are_free(project: Path) -> None:
    queue = JobsQueue(project)
    (project / "runs" / "concat-image-words-sound-1").mkdir(parents=True)
    assert [queue.add("train", small_experiment()).name for _ in range(2)] == [
        "concat-image-words-sound-2", "concat-image-words-sound-3"]
    assert [queue.add("compare", small_experiment()).name for _ in range(2)] == [
        "comparison-1", "comparison-2"]


@pytest.mark.parametrize("name", ["a", "../out", ".."])
def test_a_name_that_is_taken_or_leads_elsewhere_is_refused(queue: JobsQueue, name: str) -> None:
    with pytest.raises(UserError):
        queue.add("train", small_experiment(), name)
    assert names(queue) == ["a", "b", "c"]


def test_jobs_are_moved_removed_held_and_released(queue: JobsQueue) -> None:
    queue.move(3, 1)
    assert names(queue) == ["c", "a", "b"]
    queue.move(3, 9)
    assert names(queue) == ["a", "b", "c"]
    queue.hold(2)
    assert [j.state for j in queue.jobs()] == ["waiting", "held", "waiting"]
    queue.release(2)
    queue.remove(1)
    assert [(j.name, j.state) for j in queue.jobs()] == [("b", "waiting"), ("c", "waiting")]
    assert not list(queue.path.glob("1.*"))
    queue.stop(3)
    assert queue.job(3).state == "stopped"
    with pytest.raises(UserError, match="no job 1"):
        queue.hold(1)


def test_a_second_worker_is_told_who_works_and_reads_on(queue: JobsQueue) -> None:
    other = JobsQueue(queue.project)
    with queue.working():
        with (pytest.raises(UserError, match=f"already being run by process {os.getpid()}"),
              other.working()):
            pass
        assert names(other) == ["a", "b", "c"]
        queue.changed(1, state="running")
        for refused in (other.remove, other.hold, other.release):
            with pytest.raises(UserError, match="Job 1 is running"):
                refused(1)
        other.stop(1)
        assert queue.job(1).wish == "stop"
    assert not (queue.path / "working.json").exists()
    other.remove(1)  # its worker is gone


def test_a_job_whose_worker_was_killed_is_stopped_at_once(queue: JobsQueue) -> None:
    queue.changed(1, state="running")
    queue.stop(1)
    assert (queue.job(1).state, queue.job(1).wish) == ("stopped", "")
    assert queue.job(1).ended


@pytest.mark.parametrize(("key", "value"), [
    ("kind", "shell"), ("name", "../../x"), ("state", "odd"), ("job", "one"), ("place", None)])
def test_a_damaged_job_is_named(queue: JobsQueue, key: str, value: object) -> None:
    path = queue.path / "2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=r"2\.json"):
        queue.jobs()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_are_not_followed(queue: JobsQueue, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    Experiment.load(queue.path / "1.toml").save(mine)
    (queue.path / "1.toml").unlink()
    (queue.path / "1.toml").symlink_to(mine)
    with pytest.raises(UserError, match=r"1\.toml is a link"):
        queue.experiment(queue.job(1))


def test_a_job_that_is_held_between_listing_and_taking_is_not_begun(
    queue: JobsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = JobsQueue(queue.project)
    listed = queue.jobs

    def meanwhile() -> list[Job]:
        found = listed()
        # whoever asks now must wait until the job is taken
        with pytest.raises(UserError, match="Another program is changing"):
            other.hold(1)
        return found

    monkeypatch.setattr("mmstudio.jobs_queue.folder.EDITING_S", 0.0)
    monkeypatch.setattr(queue, "jobs", meanwhile)
    assert queue.take() == dataclasses.replace(listed()[0], state="running")
    monkeypatch.undo()
    queue.hold(2)
    third = queue.take()
    assert third is not None and third.name == "c" and queue.take() is None


TAKER = """
import sys
from pathlib import Path
from mmstudio.jobs_queue.folder import JobsQueue
queue = JobsQueue(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
while (job := queue.take()) is not None:
    print(job.job, flush=True)
"""


def test_of_two_processes_each_takes_other_jobs(project: Path) -> None:
    queue = JobsQueue(project)
    for number in range(1, 25):
        queue.add("train", small_experiment(), f"run{number}")
    root = str(Path(__file__).resolve().parents[2])
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKER, str(project)], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         env=os.environ | {"PYTHONPATH": root})
        for _ in range(2)]
    for taker in takers:
        assert taker.stdout is not None and taker.stdin is not None
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("go\n")  # type: ignore[union-attr]
        taker.stdin.flush()  # type: ignore[union-attr]
    taken = [int(line) for taker in takers for line in taker.communicate()[0].split()]
    assert sorted(taken) == list(range(1, 25))
    assert all(job.state == "running" for job in queue.jobs())


def test_a_look_at_who_works_refuses_no_worker(
    queue: JobsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look takes the worker's lock for a moment: it does so while nobody can begin."""
    queue.changed(1, state="running")
    is_held = WorkerLock.is_held
    began: list[str] = []

    def looked(lock: WorkerLock) -> bool:
        with (pytest.raises(UserError, match="Another program is changing"),
              JobsQueue(queue.project).working()):
            began.append("worker")
        return is_held(lock)

    monkeypatch.setattr("mmstudio.jobs_queue.folder.EDITING_S", 0.0)
    monkeypatch.setattr(WorkerLock, "is_held", looked)
    queue.release(1)
    assert queue.job(1).state == "waiting" and began == []


def test_a_job_that_was_left_waits_again_unless_it_was_to_be_stopped(queue: JobsQueue) -> None:
    assert queue.take() is not None and queue.take() is not None
    with queue.working():
        queue.stop(1)
    assert [queue.put_back(n).state for n in (1, 2)] == ["stopped", "waiting"]
    assert queue.job(1).ended and not queue.job(2).ended


def test_who_works_the_queue_off_is_named(queue: JobsQueue) -> None:
    assert JobsQueue(queue.project).worker() == ""
    with queue.working():
        assert JobsQueue(queue.project).worker() == f"process {os.getpid()}"
    assert JobsQueue(queue.project).worker() == ""
    (queue.path / "working.json").write_text("{}")  # of one that was killed
    assert JobsQueue(queue.project).worker() == ""


def test_a_run_that_was_interrupted_waits_to_go_on(project: Path) -> None:
    queue = JobsQueue(project)
    with pytest.raises(UserError, match="killed"):
        queue.add_unfinished("killed")
    for _ in zip(range(20), start_small(project, run="killed"), strict=False):
        pass  # left in its midst
    job = queue.add_unfinished("killed")
    assert (job.name, job.state, job.begun) == ("killed", "waiting", True)
    assert queue.experiment(job).training == RunFolder(
        project / "runs" / "killed").experiment().training
    with pytest.raises(UserError, match="waits in the queue already"):
        queue.add_unfinished("killed")
    queue.stop(job.job)
    assert queue.add_unfinished("killed").job == job.job
    assert [(j.name, j.state) for j in queue.jobs()] == [("killed", "waiting")]


@pytest.mark.parametrize("options", [
    {"seeds": -1}, {"seeds": "3"}, {"fusions": "concat"}, {"single": 1}, {"target": []}])
def test_a_comparison_with_damaged_options_is_named(
    queue: JobsQueue, options: dict[str, object]
) -> None:
    path = queue.path / "2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"options": options}))
    with pytest.raises(UserError, match=r"2\.json"):
        queue.jobs()


def test_jobs_are_moved_among_those_that_wait(queue: JobsQueue) -> None:
    queue.changed(1, state="done")
    queue.add("train", small_experiment(), "d")
    queue.hold(3)
    queue.move_by(4, -1)
    assert names(queue) == ["a", "b", "d", "c"]
    queue.move_by(4, -1)
    queue.move_by(4, -1)  # it is the first already
    assert names(queue) == ["a", "d", "b", "c"]
    queue.move_by(2, 9)
    assert names(queue) == ["a", "d", "c", "b"]
    queue.changed(4, state="running")
    queue.move_by(4, 1)
    assert names(queue) == ["a", "d", "c", "b"]


def test_the_name_of_a_job_is_nobody_elses(project: Path) -> None:
    queue, experiment = JobsQueue(project), small_experiment()
    assert queue.free_name("train", experiment) == "concat-image-words-sound-1"
    job = queue.add("train", experiment)
    queue.add("compare", experiment)
    assert queue.free_name("train", experiment) == "concat-image-words-sound-2"
    assert queue.free_name("compare", experiment) == "comparison-2"
    second = queue.add("train", experiment, also=["concat-image-words-sound-2"])
    assert second.name == "concat-image-words-sound-3"
    with pytest.raises(UserError, match="Job 1 of the queue has the name"):
        refuse_promised(project, job.name)
    refuse_promised(project, "comparison-1")


def test_a_queue_that_may_only_be_read_has_no_worker(
    queue: JobsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with queue.working():
        pass  # its lock's file stays

    def refused(code: int) -> None:
        def is_held(lock: WorkerLock) -> bool:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(WorkerLock, "is_held", is_held)

    (queue.path / "working.lock").touch()
    for code in (errno.EACCES, errno.EROFS):
        refused(code)
        assert queue.worker() == ""
    refused(errno.ENOSPC)
    with pytest.raises(UserError, match="can't be written: No space"):
        queue.worker()
