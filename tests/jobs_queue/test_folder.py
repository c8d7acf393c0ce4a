"""The queue's folder: places, states, locks, and files that anybody may have written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.jobs_queue.folder import JobsQueue
from tests.small_project import small_experiment


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
