"""``mmstudio train``: train an experiment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.interrupt import after_the_epoch, interrupts
from mmstudio.cli.output import print_json
from mmstudio.cli.own import Trust, own_components
from mmstudio.cli.run_names import can_go_on, check_name, resumed, say_how_to_go_on
from mmstudio.cli.shared_training import shared_training
from mmstudio.cli.staying_awake import AllowSleep, staying_awake
from mmstudio.errors import UserError
from mmstudio.training.distributed.started import among_several


def train(
    experiment_file: ExperimentFile,
    run: Annotated[str, typer.Option("--run", help="The run's name; a free one by default.")] = "",
    device: Device = "",
    changes: Changes = None,
    start_from: Annotated[str, typer.Option(
        "--start-from", metavar="RUN", help="Begin with the weights of a run, such as "
        "runs/first; the data and the labels may be others.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run.")] = False,
    devices: Annotated[int, typer.Option(
        "--devices", min=1, help="How many devices of this machine share the training.",
    )] = 1,
    folds: Annotated[int, typer.Option(
        "--folds", metavar="K", help="Cross-validate: hold out each of K parts of the training and "
        "validation rows in turn, and report the figures over all held-out rows.")] = 0,
    allow_sleep: AllowSleep = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Train an experiment; the run is written to runs/NAME beside the experiment file."""
    folder = experiment_file.resolve().parent
    if start_from:
        if resume or folds:
            other = "--resume goes on with one" if resume else "its model has seen every fold"
            raise UserError(f"--start-from begins a new run, {other}.", "Give one of the two.")
        start = json.dumps(_seen_from(folder, start_from))
        changes = [*(changes or []), f"training.start_from={start}"]
    if among_several():
        # before torch is loaded: its C++ side says at every start that no gradient was missing
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        own_components(folder, trust)
        if devices > 1:
            raise UserError("torchrun says already how many devices there are.",
                            "Leave out --devices.")
        if folds:
            raise UserError("A cross-validation trains its folds in one process each.",
                            "Start it without torchrun.")
        shared_training(experiment_file, run, device, changes or [], resume, as_json)
        return
    own_components(folder, trust)
    if folds:
        if devices > 1:
            raise UserError("A cross-validation trains its folds in one process each.",
                            "Leave out --devices.")
        with staying_awake(allow_sleep):
            _cross_validated(experiment_file, run, device, changes or [], folds, resume, as_json)
        return
    if resume:
        experiment, run = resumed(folder, run)
    else:
        from mmstudio.experiment import Experiment

        experiment = Experiment.load(experiment_file)
    from mmstudio.cli.changes import changed

    experiment = changed(experiment, changes or [], device)
    if not run:
        from mmstudio.jobs_queue.folder import JobsQueue

        run = JobsQueue(folder).free_name("train", experiment)
    check_name(run)
    if devices > 1:
        with staying_awake(allow_sleep):
            code = _launched(
                experiment_file, run, device, changes or [], resume, as_json, devices)
        raise typer.Exit(code)
    from mmstudio.cli.progress import show_training
    from mmstudio.training.loop import train as train_run

    with (staying_awake(allow_sleep), interrupts() as interrupted,
          after_the_epoch() as last_epoch):
        events = train_run(experiment, folder / "runs" / run, folder=folder, resume=resume,
                           should_stop=interrupted, stop_after_epoch=last_epoch)
        if as_json:
            for event in events:
                print_json(event.to_json())
        else:
            show_training(events, folder / "runs" / run)
    if interrupted() or (last_epoch() and can_go_on(folder / "runs" / run)):
        say_how_to_go_on(experiment_file, run)
    if interrupted():
        raise typer.Exit(130)


def _cross_validated(
    experiment_file: Path, run: str, device: str, changes: list[str], folds: int, resume: bool,
    as_json: bool,
) -> None:
    """Train a model for each fold."""
    from mmstudio.cli.changes import changed
    from mmstudio.cli.folds import train_folds
    from mmstudio.experiment import Experiment

    if resume and changes:
        raise UserError("A cross-validation resumes with the settings that it began with.",
                        "Leave out --set, or begin a new one.")
    train_folds(changed(Experiment.load(experiment_file), changes, device),
                experiment_file, run, folds, resume=resume, as_json=as_json)


def _seen_from(folder: Path, run: str) -> str:
    """A run's folder as an experiment in ``folder`` names it; a bare name is one of its runs."""
    from mmstudio.portable import relative

    if Path(run).name == run and not Path(run).is_dir():
        return f"runs/{run}"
    return relative(str(Path(run).resolve()), folder)


def _launched(
    experiment_file: Path, run: str, device: str, changes: list[str], resume: bool, as_json: bool,
    devices: int,
) -> int:
    """Train in several processes; the exit code."""
    from mmstudio.training.distributed.launch import launch

    words = ["train", str(experiment_file), "--run", run]
    words += ["--device", device] if device else []
    words += [word for change in changes for word in ("--set", change)]
    words += ["--resume"] if resume else []
    return launch([*words, *(["--json"] if as_json else [])], devices)
