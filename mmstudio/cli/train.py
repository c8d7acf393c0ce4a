"""``mmstudio train``: train an experiment."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.interrupt import after_the_epoch, interrupts
from mmstudio.cli.output import print_json, say
from mmstudio.cli.own import Trust, own_components
from mmstudio.errors import UserError


def train(
    experiment_file: ExperimentFile,
    run: Annotated[str, typer.Option("--run", help="The run's name; a free one by default.")] = "",
    device: Device = "",
    changes: Changes = None,
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
    if not run:
        from mmstudio.training.run_folder import next_run_name

        run = next_run_name(folder, experiment)
    if Path(run).name != run or run in (".", ".."):
        raise UserError(f"--run {run} is not a name.", "Give a name without slashes.")
    from mmstudio.cli.progress import show_training
    from mmstudio.training.loop import train as train_run

    with interrupts() as interrupted, after_the_epoch() as last_epoch:
        events = train_run(experiment, folder / "runs" / run, folder=folder, resume=resume,
                           should_stop=interrupted, stop_after_epoch=last_epoch)
        if as_json:
            for event in events:
                print_json(event.to_json())
        else:
            show_training(events, folder / "runs" / run)
    if interrupted() or (last_epoch() and _can_go_on(folder / "runs" / run)):
        say(f"Go on with it:  mmstudio train {shlex.quote(str(experiment_file))} "
            f"--run {shlex.quote(run)} --resume")
    if interrupted():
        raise typer.Exit(130)


def _can_go_on(run: Path) -> bool:
    """Whether it was stopped before its last epoch."""
    from mmstudio.training.run_folder import RunFolder

    finished = RunFolder(run).history().finished
    return finished is not None and finished.reason == "stopped"


def _resumed(folder: Path, run: str) -> tuple[Any, str]:
    from mmstudio.training.run_folder import RunFolder, list_runs

    if not run:
        runs = [r for r in list_runs(folder) if r.status != "unreadable"]
        if not runs:
            raise UserError(f"{folder / 'runs'} holds no run to resume.",
                            "Train without --resume first.")
        run = runs[0].name
    return RunFolder.existing(folder / "runs" / run).experiment(), run
