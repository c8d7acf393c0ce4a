"""``mmstudio train --folds``: cross-validation."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from mmstudio.cli.interrupt import after_the_epoch, interrupts
from mmstudio.cli.output import print_json, say, tell
from mmstudio.errors import UserError


def train_folds(
    experiment: Any, experiment_file: Path, name: str, folds: int, *, resume: bool, as_json: bool
) -> None:
    """Cross-validate an experiment and show what comes of it.

    Args:
        experiment: What to train.
        experiment_file: Beside which the runs are written.
        name: Of the folder; "" takes a free one, or the one that was begun last.
        folds: How many.
        resume: Go on with it.
        as_json: Print one line of JSON per event.

    Raises:
        UserError: What the user can mend.
        Exit: It was interrupted.
    """
    from mmstudio.evaluation.cross_validation.folds import cross_validate

    folder = experiment_file.resolve().parent
    name = name or (_latest(folder) if resume else _free_name(folder))
    if Path(name).name != name or name in (".", ".."):
        raise UserError(f"--run {name} is not a name.", "Give a name without slashes.")
    with interrupts() as interrupted, after_the_epoch() as last_epoch:
        events = cross_validate(experiment, name, folder=folder, folds=folds, resume=resume,
                                should_stop=interrupted, stop_after_epoch=last_epoch)
        reason = _printed(events) if as_json else _show(events)
    if interrupted() or reason == "stopped":
        say(f"Resume it:  mmstudio train {shlex.quote(str(experiment_file))} "
            f"--folds {folds} --run {shlex.quote(name)} --resume")
    if interrupted():
        raise typer.Exit(130)


def _free_name(folder: Path) -> str:
    number = 1
    while any((folder / "runs").glob(f"folds-{number}*")):
        number += 1
    return f"folds-{number}"


def _latest(folder: Path) -> str:
    found = list((folder / "runs").glob("*/folds.json"))
    if not found:
        raise UserError(f"{folder / 'runs'} holds no cross-validation to resume.",
                        "Train without --resume first.")
    return max(found, key=lambda path: (path.stat().st_mtime, path)).parent.name


def _printed(events: Iterator[Any]) -> str:
    """A line of JSON per event; why it ended."""
    last = None
    for last in events:
        print_json(last.to_json())
    return "" if last is None else str(last.reason)


def _show(events: Iterator[Any]) -> str:
    """A bar while it trains, a line per fold, the figures at the end; why it ended."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from mmstudio.cli.terminal import Console
    from mmstudio.evaluation.cross_validation.events import FoldDone, FoldRunEvent, FoldStarted
    from mmstudio.training.events import Preparing, Started, StepDone, Warned

    last, held_out = None, ""
    with Progress(TextColumn("{task.description}", markup=False), BarColumn(),
                  TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=None)
        for last in events:
            told = last.event if isinstance(last, FoldRunEvent) else None
            if isinstance(last, FoldStarted):
                held_out = f"fold {last.fold} of {last.of}"
                bar.update(task, description=held_out, completed=0, total=None)
            elif isinstance(last, FoldDone):
                bar.console.print(_fold_line(last), highlight=False, markup=False,
                                  soft_wrap=True)
            elif isinstance(told, Preparing):
                bar.update(task, description=f"{held_out}: {told.message}")
            elif isinstance(told, Started):
                bar.update(task, description=held_out,
                           total=told.epochs * told.steps_per_epoch)
            elif isinstance(told, StepDone):
                bar.update(task, completed=told.step)
            elif isinstance(told, Warned):
                bar.console.print(f"Warning: {told.message} {told.hint}", style="yellow",
                                  highlight=False, markup=False)
    if last is not None and last.reason == "completed":
        for line in _figure_lines(last):
            tell(line)
    return "" if last is None else str(last.reason)


def _fold_line(done: Any) -> str:
    figures = "  ".join(f"{task} {name} {value:.3f}" for task, figures in done.tasks.items()
                        for name, value in figures.items() if name != "loss")
    return f"fold {done.fold}  {done.samples} rows  {figures}"


def _figure_lines(finished: Any) -> Iterator[str]:
    """The figures of all rows, with their intervals and the spread of the folds."""
    from mmstudio.evaluation.cross_validation.figures import figures_in

    yield (f"{finished.samples} rows, each answered by the one model of {finished.folds} that had "
           "not seen it:")
    for figure in figures_in(finished.tasks, finished.each):
        ends = spread = ""
        if figure.interval is not None:
            ends = f"  95 % interval {figure.interval[0]:.3f} to {figure.interval[1]:.3f}"
        if figure.folds is not None:
            spread = f"  folds {figure.folds[0]:.3f} to {figure.folds[1]:.3f}"
        yield f"  {figure.target} {figure.name} {figure.value:.3f}{ends}{spread}"
