"""A job goes on with the run that it began, and not with a later one of that name."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from mmstudio.cli.queue_work import do_job
from mmstudio.errors import UserError
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.in_use import refuse_in_use
from mmstudio.jobs_queue.job import Job
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_identity import FILE, draw_identity, identity_of
from tests.small_project import small_experiment, train_small

TINY = {"training.epochs": 2, "training.threads": 1, "inputs.image.use": False,
        "inputs.sound.use": False}


class AfterSteps:
    """Asks to stop once it was asked so often."""

    def __init__(self, often: int) -> None:
        self._left = often

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


def stopped_job(project: Path) -> JobsQueue:
    """A queue whose only job was stopped within its first epoch."""
    queue = JobsQueue(project)
    queue.add("train", small_experiment(TINY), "a")
    assert not do_job(queue, 1, AfterSteps(12))
    queue.changed(1, state="stopped")
    return queue


def test_a_released_job_does_not_adopt_a_run_that_took_the_name_of_its_own(project: Path) -> None:
    queue, run = stopped_job(project), project / "runs" / "a"
    assert queue.job(1).run == identity_of(run) != ""
    shutil.rmtree(run)
    train_small(project, TINY | {"training.epochs": 1}, run="a")
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    queue.release(1)
    with pytest.raises(UserError, match="another run than the one that job 1 began") as caught:
        do_job(queue, 1, lambda: False)
    assert "Rename or delete that run and release job 1" in caught.value.hint
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    queue.changed(1, state="failed")
    refuse_in_use(run)  # it is none of the queue's, and may be renamed
    run.rename(project / "runs" / "mine")
    queue.release(1)
    assert do_job(queue, 1, lambda: False)
    assert RunFolder(run).history().epochs == [1, 2]
    assert queue.job(1).run == identity_of(run) != identity_of(project / "runs" / "mine")


def test_a_released_job_goes_on_with_its_own_run(project: Path) -> None:
    queue, run = stopped_job(project), project / "runs" / "a"
    mark = identity_of(run)
    with pytest.raises(UserError, match="stopped in the queue"):
        refuse_in_use(run)
    queue.release(1)
    assert do_job(queue, 1, lambda: False)
    assert identity_of(run) == mark
    started = RunFolder(run).history().started
    assert started is not None and started.first_step > 1


def test_a_run_that_is_taken_up_by_hand_is_the_jobs_from_then_on(project: Path) -> None:
    queue, run = stopped_job(project), project / "runs" / "a"
    shutil.rmtree(run)
    train_small(project, TINY, run="a", should_stop=AfterSteps(12))
    assert queue.add_unfinished("a").run == identity_of(run)
    assert do_job(queue, 1, lambda: False)


def test_a_job_of_an_earlier_version_goes_on_as_it_did(project: Path) -> None:
    queue, run = stopped_job(project), project / "runs" / "a"
    (run / FILE).unlink()
    path = queue.path / "1.json"
    data = json.loads(path.read_text())
    del data["run"]
    path.write_text(json.dumps(data))
    queue.release(1)
    assert do_job(queue, 1, lambda: False)
    assert queue.job(1).run == identity_of(run) != ""


@pytest.mark.parametrize("damaged", [b"", b"x" * 16, b"0" * 15, b"0" * 70, b"\xff\xfe"])
def test_a_damaged_mark_counts_as_none(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / FILE).write_bytes(damaged)
    assert identity_of(tmp_path) == ""
    job = Job(1, "train", "a", "stopped", 1.0, begun=True, run="0" * 16)
    assert not job.began(tmp_path)
    assert dataclasses.replace(job, run="").began(tmp_path)
    draw_identity(tmp_path)
    mark = identity_of(tmp_path)
    draw_identity(tmp_path)
    assert identity_of(tmp_path) == mark != ""
