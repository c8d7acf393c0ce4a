"""Cross-validations in the queue: what they are added with, done, resumed, and whom they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.cli.queue_work import do_job
from mmstudio.errors import UserError
from mmstudio.evaluation.cross_validation.figures import folds_of_run, read_folds
from mmstudio.jobs_queue.folder import JobsQueue
from mmstudio.jobs_queue.in_use import refuse_in_use, writes
from mmstudio.jobs_queue.job import Job
from mmstudio.jobs_queue.progress import share_done
from tests.one_thread import one_thread as one_thread  # a fixture
from tests.small_project import small_experiment

SMALL = {"inputs.sound.use": False, "training.epochs": 1, "training.combine": False}


def test_it_is_stopped_goes_on_and_its_figures_can_be_read(
    project: Path, one_thread: None
) -> None:
    queue = JobsQueue(project)
    job = queue.add("folds", small_experiment(SMALL), options={"folds": 2})
    assert job.name == "folds-1" and share_done(project, job) == 0
    asked = iter([False] * 3)
    assert not do_job(queue, job.job, lambda: next(asked, True))
    job = queue.job(job.job)
    assert job.begun and share_done(project, job) in (0, pytest.approx(0.5, abs=0.5))
    run = project / "runs" / "folds-1.fold1"
    assert do_job(queue, job.job, lambda: False)
    files = folds_of_run(run)
    assert files is not None and files.name == "folds-1"
    shown = read_folds(files)
    assert shown.folds == 2 and shown.rows > 0
    accuracy = next(f for f in shown.figures if f.name == "accuracy")
    assert accuracy.interval is not None and accuracy.folds is not None
    assert accuracy.interval[0] <= accuracy.value <= accuracy.interval[1]
    assert accuracy.folds[0] <= accuracy.value <= accuracy.folds[1]
    assert share_done(project, queue.job(job.job)) == 1
    assert folds_of_run(project / "runs" / "other.fold1") is None


def test_its_folds_stay_as_they_are_and_its_name_is_nobody_elses(project: Path) -> None:
    queue = JobsQueue(project)
    job = queue.add("folds", small_experiment(SMALL), "cv", {"folds": 3})
    (project / "runs" / "cv.fold2").mkdir(parents=True)
    with pytest.raises(UserError, match=r"cv\.fold2 waits in the queue"):
        refuse_in_use(project / "runs" / "cv.fold2")
    assert [writes(job, run) for run in ("cv", "cv.fold1", "cv.folder", "cv2.fold1", "cvx")] == [
        True, True, False, False, False]
    with pytest.raises(UserError, match="runs/cv already exists"):
        queue.add("train", small_experiment(SMALL), "cv")
    (project / "runs" / "folds-1.fold1").mkdir()
    assert queue.add("folds", small_experiment(SMALL)).name == "folds-2"


@pytest.mark.parametrize("folds", [1, 101, "five"])
def test_a_damaged_number_of_folds_is_named(folds: object) -> None:
    job = Job(1, "folds", "cv", "waiting", 1.0, {"folds": folds})
    with pytest.raises(ValueError, match="folds"):
        Job.from_json(job.to_json())
