"""``mmstudio queue``: what a project is to train, one after another."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.interrupt import interrupts
from mmstudio.cli.output import print_json, say, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.cli.staying_awake import AllowSleep, staying_awake
from mmstudio.errors import UserError

if TYPE_CHECKING:
    from mmstudio.jobs_queue.folder import JobsQueue
    from mmstudio.jobs_queue.job import Job

queue = typer.Typer(
    name="queue", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    help="Trainings and comparisons that wait and run one after another.")
Project = Annotated[Path, typer.Option(
    "--project", help="The project's folder; this one by default.")]
Number = Annotated[int, typer.Argument(metavar="JOB", help="Its number in the list.")]


@queue.command()
def add(
    experiment_file: ExperimentFile,
    name: Annotated[str, typer.Option(
        "--run", "--name", help="The run's or the comparison's name; a free one by default.")] = "",
    compare: Annotated[bool, typer.Option("--compare", help="Compare fusions.")] = False,
    fusions: Annotated[str, typer.Option(
        "--fusions", metavar="A,B,…", help="Those to compare; one of each kind by default.")] = "",
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of each fusion.")] = 3,
    folds: Annotated[int, typer.Option(
        "--folds", metavar="K", help="Cross-validate with so many folds.")] = 0,
    device: Device = "",
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Add a training, a comparison or a cross-validation, as the experiment is now."""
    from mmstudio.cli.changes import changed
    from mmstudio.experiment import Experiment

    folder = experiment_file.resolve().parent
    own_components(folder)
    experiment = changed(Experiment.load(experiment_file), changes or [], device)
    options: dict[str, Any] = {}
    if compare:
        options = {"seeds": seeds}
        if names := [f.strip() for f in fusions.split(",") if f.strip()]:
            options["fusions"] = names
    kind = "compare" if compare else "train"
    if folds:
        _check_folds(folds, compare)
        kind, options = "folds", {"folds": folds}
    job = _queue(folder).add(kind, experiment, name, options)
    _show([job], as_json)
    if not as_json:
        say(f"Run it:  mmstudio queue start --project {shlex.quote(_seen(folder))}")


@queue.command("list")
def list_jobs(project: Project = Path("."), as_json: Json = False) -> None:
    """Show the jobs in their order."""
    jobs = _queue(project).jobs()
    _show(jobs, as_json)
    if not jobs and not as_json:
        say("The queue is empty.")


@queue.command()
def start(
    project: Project = Path("."), allow_sleep: AllowSleep = False, trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Do all jobs that wait, one after another; what was under way goes on."""
    from mmstudio.jobs_queue.runner import work_off

    own_components(project.resolve(), trust)
    failed = False
    with staying_awake(allow_sleep), interrupts() as interrupted:
        for event in work_off(_queue(project.resolve()), interrupted):
            ended = event.event == "job_ended"
            failed |= ended and event.job.state == "failed"
            if as_json:
                print_json(event.to_json())
            else:
                tell(_line(event.job))
    if interrupted():
        say("The running job was stopped and waits:  mmstudio queue start")
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(1)


@queue.command()
def remove(
    numbers: Annotated[list[int], typer.Argument(metavar="JOB…", help="Their numbers.")],
    project: Project = Path("."), as_json: Json = False,
) -> None:
    """Take jobs out; what they trained stays."""
    _show([_queue(project).remove(number) for number in numbers], as_json)


@queue.command()
def move(
    number: Number,
    place: Annotated[int, typer.Argument(help="1 is next.")],
    project: Project = Path("."), as_json: Json = False,
) -> None:
    """Give a job another place among those that wait."""
    _queue(project).move(number, place)
    list_jobs(project, as_json)


@queue.command()
def hold(number: Number, project: Project = Path("."), as_json: Json = False) -> None:
    """Have a job wait until it is released."""
    _queue(project).hold(number)
    list_jobs(project, as_json)


@queue.command()
def release(number: Number, project: Project = Path("."), as_json: Json = False) -> None:
    """Have a job that was held, stopped or failed wait for its turn again."""
    _queue(project).release(number)
    list_jobs(project, as_json)


@queue.command()
def stop(number: Number, project: Project = Path("."), as_json: Json = False) -> None:
    """Stop a job; its model so far is kept, and release has it go on."""
    _queue(project).stop(number)
    list_jobs(project, as_json)


@queue.command(hidden=True)
def work(number: Number, project: Project = Path(".")) -> None:
    """Do one job; for the queue's own use."""
    from mmstudio.cli.queue_work import do_job

    own_components(project.resolve())
    with interrupts() as interrupted:
        finished = do_job(_queue(project.resolve()), number, interrupted)
    if not finished:
        raise typer.Exit(130)


def _queue(project: Path) -> JobsQueue:
    from mmstudio.jobs_queue.folder import JobsQueue

    if not project.is_dir():
        raise UserError(f"There is no folder {project}.", "Give a project's folder: --project.")
    return JobsQueue(project)


def _show(jobs: list[Job], as_json: bool) -> None:
    for job in jobs:
        if as_json:
            print_json(job.to_json())
        else:
            tell(_line(job))


def _line(job: Job) -> str:
    what = {"train": "run", "compare": "comparison", "folds": "cross-validation"}[job.kind]
    failed = f": {job.message} {job.hint}".rstrip() if job.message else ""
    return f"{job.job:4}  {job.state:8} {what} {job.name}{failed}"


def _check_folds(folds: int, compare: bool) -> None:
    from mmstudio.experiment_reading import FEWEST_FOLDS, MOST_FOLDS

    if compare:
        raise UserError("--folds and --compare exclude each other.", "Add two jobs.")
    if not FEWEST_FOLDS <= folds <= MOST_FOLDS:
        raise UserError(f"--folds {folds} is out of range.",
                        f"Give {FEWEST_FOLDS} to {MOST_FOLDS}.")


def _seen(folder: Path) -> str:
    return os.path.relpath(folder)
