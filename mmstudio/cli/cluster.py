"""``mmstudio cluster``: a job file with which a cluster's scheduler starts a training."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmstudio.cli.arguments import Changes, ExperimentFile, Json
from mmstudio.cli.output import print_json, say, tell
from mmstudio.errors import UserError

if TYPE_CHECKING:
    from mmstudio.cluster.job import ClusterJob

cluster = typer.Typer(
    name="cluster", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    help="Job files with which a cluster's scheduler starts a training.")
RunName = Annotated[str, typer.Option("--run", help="The run's name; a free one by default.")]
Nodes = Annotated[int, typer.Option("--nodes", min=1, max=4096, help="How many machines.")]
Gpus = Annotated[int, typer.Option(
    "--gpus-per-node", min=0, max=64, help="GPUs of each machine; 0 trains on the CPUs.")]
Time = Annotated[str, typer.Option(
    "--time", help="How long it may take: 4:00:00, or with days 1-06:00:00.")]
Output = Annotated[Path | None, typer.Option(
    "--output", help="The file to write; beside the experiment file by default.")]


@cluster.command()
def slurm(
    experiment_file: ExperimentFile, run: RunName = "", nodes: Nodes = 1, gpus_per_node: Gpus = 1,
    time: Time = "4:00:00", output: Output = None, changes: Changes = None, as_json: Json = False,
) -> None:
    """Write a batch script for sbatch."""
    from mmstudio.cluster.slurm import FILE, slurm_script

    job = _job(experiment_file, run, nodes, gpus_per_node, time, changes)
    path = output or experiment_file.parent / FILE
    _write(path, slurm_script(job), job, f"sbatch {_seen_from(experiment_file, path)}", as_json)


@cluster.command()
def ray(
    experiment_file: ExperimentFile, run: RunName = "", nodes: Nodes = 1, gpus_per_node: Gpus = 1,
    time: Time = "4:00:00", output: Output = None, changes: Changes = None, as_json: Json = False,
) -> None:
    """Write a program for ray job submit."""
    from mmstudio.cluster.ray import FILE, ray_program

    job = _job(experiment_file, run, nodes, gpus_per_node, time, changes)
    path = output or experiment_file.parent / FILE
    program = _seen_from(experiment_file, path)
    _write(path, ray_program(job), job,
           f"ray job submit --working-dir . -- python {program} PROJECT_FOLDER", as_json)


@cluster.command()
def skypilot(
    experiment_file: ExperimentFile, run: RunName = "", nodes: Nodes = 1, gpus_per_node: Gpus = 1,
    time: Time = "4:00:00",
    accelerator: Annotated[str, typer.Option(
        "--accelerator", help="The kind of GPU, as 'sky show-gpus' names it.")] = "A100",
    output: Output = None, changes: Changes = None, as_json: Json = False,
) -> None:
    """Write a task for sky launch."""
    from mmstudio.cluster.skypilot import FILE, skypilot_task

    job = _job(experiment_file, run, nodes, gpus_per_node, time, changes)
    path = output or experiment_file.parent / FILE
    _write(path, skypilot_task(job, accelerator), job,
           f"sky launch {_seen_from(experiment_file, path)}", as_json)


def _job(
    experiment_file: Path, run: str, nodes: int, gpus_per_node: int, time: str,
    changes: list[str] | None,
) -> ClusterJob:
    """What is trained; an experiment that can't be read is refused here, not on the cluster."""
    from mmstudio.cli.changes import changed
    from mmstudio.cluster.job import ClusterJob, check_words, seconds_of
    from mmstudio.experiment import Experiment
    from mmstudio.training.run_names import next_run_name

    experiment = changed(Experiment.load(experiment_file), changes or [], "")
    run = run or next_run_name(experiment_file.resolve().parent, experiment)
    if Path(run).name != run or run in (".", ".."):
        raise UserError(f"--run {run} is not a name.", "Give a name without slashes.")
    job = ClusterJob(experiment_file.name, run, nodes, gpus_per_node, seconds_of(time),
                     tuple(changes or ()))
    check_words(job)
    return job


def _seen_from(experiment_file: Path, path: Path) -> str:
    """A job file as a shell in the experiment file's folder names it."""
    from mmstudio.portable import relative

    return shlex.quote(relative(str(path.resolve()), experiment_file.resolve().parent))


def _write(path: Path, text: str, job: ClusterJob, command: str, as_json: bool) -> None:
    """Write a job file where there is none, and say how it is submitted."""
    from mmstudio.safe_files import write_whole

    if path.exists():
        raise UserError(f"{path} already exists.", "Give another --output, or remove it.")
    try:
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error}.", "Give another --output.") from None
    if as_json:
        print_json({"file": str(path), "run": job.run, "submit": command})
        return
    tell(str(path))
    say(f"In the experiment file's folder, on the cluster:  {command}")
