"""``mmstudio train``: train an experiment."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.interrupt import interrupts
from mmstudio.cli.output import print_json, say
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError


def train(
    experiment_file: ExperimentFile,
    run: Annotated[str, typer.Option("--run", help="The run's name; a free one by default.")] = "",
    device: Device = "",
    changes: Changes = None,
    start_from: Annotated[str, typer.Option(
        "--start-from", metavar="RUN", help="Begin with the weights of a run, such as "
        "runs/first; the data and the labels may be others.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Train an experiment; the run is written to runs/NAME beside the experiment file."""
    folder = experiment_file.resolve().parent
    own_components(folder, trust)
    if resume:
        experiment, run = _resumed(folder, run)
    else:
        from mmstudio.experiment import Experiment

        experiment = Experiment.load(experiment_file)
    from mmstudio.cli.changes import changed

    experiment = changed(experiment, changes or [], device)
    if start_from:
        if resume:
            raise UserError("--start-from begins a new run, --resume goes on with one.",
                            "Give one of the two.")
        experiment = experiment.replaced("training.start_from", _seen_from(folder, start_from))
    if not run:
        from mmstudio.training.run_folder import next_run_name

        run = next_run_name(folder, experiment)
    if Path(run).name != run or run in (".", ".."):
        raise UserError(f"--run {run} is not a name.", "Give a name without slashes.")
    from mmstudio.cli.progress import show_training
    from mmstudio.training.loop import train as train_run

    with interrupts() as interrupted:
        events = train_run(experiment, folder / "runs" / run, folder=folder, resume=resume,
                           should_stop=interrupted)
        if as_json:
            for event in events:
                print_json(event.to_json())
        else:
            show_training(events, folder / "runs" / run)
    if interrupted():
        say(f"Go on with it:  mmstudio train {shlex.quote(str(experiment_file))} "
            f"--run {shlex.quote(run)} --resume")
        raise typer.Exit(130)


def _seen_from(folder: Path, run: str) -> str:
    """A run's folder as an experiment in ``folder`` names it; a bare name is one of its runs."""
    from mmstudio.portable import relative

    if Path(run).name == run and not Path(run).is_dir():
        return f"runs/{run}"
    return relative(str(Path(run).resolve()), folder)


def _resumed(folder: Path, run: str) -> tuple[Any, str]:
    from mmstudio.training.run_folder import RunFolder, list_runs

    if not run:
        runs = [r for r in list_runs(folder) if r.status != "unreadable"]
        if not runs:
            raise UserError(f"{folder / 'runs'} holds no run to resume.",
                            "Train without --resume first.")
        run = runs[0].name
    return RunFolder.existing(folder / "runs" / run).experiment(), run
