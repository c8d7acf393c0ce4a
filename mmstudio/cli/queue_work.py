"""What the process of a queued job does: train, compare or cross-validate, from where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmstudio.errors import UserError
from mmstudio.jobs_queue.job import COMPARISON, USUAL_FOLDS

if TYPE_CHECKING:
    from mmstudio.jobs_queue.folder import JobsQueue
    from mmstudio.jobs_queue.job import Job


def do_job(queue: JobsQueue, number: int, should_stop: Callable[[], bool]) -> bool:
    """Do a job to its end; whether it came to it.

    A process that a kill of the queue has left behind may still be at it: that one is waited for,
    and what is left is done here.

    Raises:
        UserError: As the training or the comparison.
    """
    job = queue.job(number)
    with queue.job_lock(job, lambda: not should_stop()) as held:
        if not held:
            return False
        if job.kind == "train":
            return _trained(queue, job, should_stop)
        if job.kind == "folds":
            return _cross_validated(queue, job, should_stop)
        return _compared(queue, job, should_stop)


def _trained(queue: JobsQueue, job: Job, should_stop: Callable[[], bool]) -> bool:
    from mmstudio.safe_files import remove_begun
    from mmstudio.training.events import RunFinished
    from mmstudio.training.loop import train
    from mmstudio.training.run_folder import RunFolder
    from mmstudio.training.run_identity import identity_of

    number, path = job.job, queue.project / "runs" / job.name
    resume = job.begun and (path / "experiment.toml").is_file()
    if resume:
        files = RunFolder.existing(path)
        if not job.began(path):
            raise UserError(f"{path} is another run than the one that job {number} began.",
                            f"Rename or delete that run and release job {number}, which begins "
                            "anew then; or take it out of the queue.")
        finished = files.history(steps=False).finished
        if finished is not None and finished.reason != "stopped":
            return True
        experiment = files.experiment()
    else:
        if job.begun and path.is_dir():
            remove_begun(path)  # killed before its first file was whole
        experiment = queue.experiment(job)
        RunFolder(path).check_free()
        job = queue.changed(number, begun=True, run="")
    last = None
    for event in train(experiment, path, folder=queue.project, resume=resume,
                       should_stop=should_stop):
        if not job.run and (mark := identity_of(path)):
            job = queue.changed(number, run=mark)
        last = event
    return isinstance(last, RunFinished) and last.reason != "stopped"


def _compared(queue: JobsQueue, job: Job, should_stop: Callable[[], bool]) -> bool:
    from mmstudio.comparison.contest import compare
    from mmstudio.comparison.events import ComparisonFinished
    from mmstudio.comparison.folder import ComparisonFolder
    from mmstudio.comparison.plan import make_plan

    files = ComparisonFolder.of(queue.project, job.name)
    if job.begun and files.exists:
        plan = files.plan()
    else:
        if files.exists:
            raise UserError(f"{files.path} already exists.", "Add it under another name.")
        plan = make_plan(queue.experiment(job), job.name,
                         **_options_of(job))
        queue.changed(job.job, begun=True)
    last = None
    for event in compare(plan, folder=queue.project, should_stop=should_stop):
        last = event
    return isinstance(last, ComparisonFinished) and last.reason != "stopped"


def _cross_validated(queue: JobsQueue, job: Job, should_stop: Callable[[], bool]) -> bool:
    from mmstudio.evaluation.cross_validation.events import CrossValidationFinished
    from mmstudio.evaluation.cross_validation.folder import FoldsFolder
    from mmstudio.evaluation.cross_validation.folds import cross_validate

    files = FoldsFolder(queue.project / "runs" / job.name)
    resume = job.begun and files.exists
    if not resume:
        files.check_free(_folds_of(job))
        queue.changed(job.job, begun=True)
    last = None
    for event in cross_validate(queue.experiment(job), job.name, folder=queue.project,
                                folds=_folds_of(job), resume=resume, should_stop=should_stop):
        last = event
    return isinstance(last, CrossValidationFinished) and last.reason != "stopped"


def _folds_of(job: Job) -> int:
    return int(job.options.get("folds", USUAL_FOLDS))


def _options_of(job: Job) -> dict[str, Any]:
    """What a comparison was added with."""
    return {name: job.options[name] for name in COMPARISON if name in job.options}
