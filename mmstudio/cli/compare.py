"""``mmstudio compare``: which fusion, and does it help at all?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.interrupt import interrupts
from mmstudio.cli.output import print_json, say
from mmstudio.cli.own import Trust, own_components
from mmstudio.cli.staying_awake import AllowSleep, staying_awake
from mmstudio.errors import UserError


def compare(
    experiment_file: ExperimentFile,
    fusions: Annotated[str, typer.Option(
        "--fusions", metavar="A,B,…", help="The fusions to compare, or all; one of each kind by "
        "default.")] = "",
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of each; 3 by default.")] = 0,
    target: Annotated[str, typer.Option(help="The target to rank by; the first by default.")] = "",
    name: Annotated[str, typer.Option("--name", help="The comparison's name; a free one by "
                                      "default.")] = "",
    no_single: Annotated[bool, typer.Option(
        "--no-single", help="Don't train each input alone.")] = False,
    no_combination: Annotated[bool, typer.Option(
        "--no-combination", help="Don't train all together, weighed.")] = False,
    device: Device = "",
    changes: Changes = None,
    resume: Annotated[bool, typer.Option(
        "--resume", help="Resume a comparison; fusions and seeds may be added.")] = False,
    allow_sleep: AllowSleep = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Train several fusions and each input alone on the same split and seeds, and rank them."""
    from mmstudio.cli.changes import changed
    from mmstudio.comparison.contest import compare as compare_all
    from mmstudio.comparison.plan import sensible_fusions
    from mmstudio.experiment import Experiment

    folder = experiment_file.resolve().parent
    own_components(folder, trust)
    experiment = changed(Experiment.load(experiment_file), changes or [], device)
    wanted = [f.strip() for f in fusions.split(",") if f.strip()] or None
    if wanted == ["all"]:
        wanted = sensible_fusions(experiment)
    options: dict[str, Any] = {
        "fusions": wanted, "seeds": seeds, "single": not no_single, "target": target or None,
        "combination": False if no_combination else None}
    plan = _resumed(folder, name, experiment, options) if resume else _new(
        folder, name, experiment, options)
    with staying_awake(allow_sleep), interrupts() as interrupted:
        events = compare_all(plan, folder=folder, should_stop=interrupted)
        if as_json:
            for event in events:
                print_json(event.to_json())
        else:
            _show(events, plan.figure, folder)
    if interrupted():
        say(f"Resume it:  mmstudio compare {shlex.quote(str(experiment_file))} "
            f"--name {shlex.quote(plan.name)} --resume")
        raise typer.Exit(130)


def _new(folder: Path, name: str, experiment: Any, options: dict[str, Any]) -> Any:
    from mmstudio.comparison.folder import ComparisonFolder
    from mmstudio.comparison.plan import make_plan
    from mmstudio.jobs_queue.folder import JobsQueue

    name = name or JobsQueue(folder).free_name("compare", experiment)
    plan = make_plan(experiment, name, **(options | {"seeds": options["seeds"] or 3}))
    if ComparisonFolder.of(folder, name).path.exists():
        raise UserError(f"comparisons/{name} already exists.",
                        "Choose another name, or resume it with --resume.")
    return plan


def _resumed(folder: Path, name: str, experiment: Any, options: dict[str, Any]) -> Any:
    """The comparison that is there, with what is to be added to it."""
    from mmstudio.comparison.contest import check_same
    from mmstudio.comparison.folder import ComparisonFolder, list_comparisons
    from mmstudio.comparison.plan import make_plan

    if not name:
        known = list_comparisons(folder)
        if not known:
            raise UserError(f"{folder / 'comparisons'} holds no comparison to resume.",
                            "Compare without --resume first.")
        name = known[0].name
    old = ComparisonFolder.of(folder, name).plan()
    names = {kind: [c.name for c in old.contestants if c.kind == kind]
             for kind in ("fusion", "input", "combination")}
    more = make_plan(
        experiment, name, target=options["target"] or old.target,
        fusions=options["fusions"] or names["fusion"],
        single=bool(names["input"]), combination=bool(names["combination"]),
        seeds=options["seeds"] or old.seeds)
    check_same(old, more)
    return old.joined(more).on_device(experiment.training.device)


def _show(events: Iterator[Any], figure: Any, folder: Path) -> None:
    """Progress for people, then the ranking and the sentence."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from mmstudio.cli.terminal import Console
    from mmstudio.comparison.progress import ComparisonProgress

    console = Console()
    progress = ComparisonProgress(figure)
    with Progress(TextColumn("{task.description}", markup=False), BarColumn(),
                  MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True),
                  transient=True) as bar:
        task = bar.add_task("Starting", total=None)
        for event in events:
            progress.apply(event)
            _advance(bar, task, progress)
            if line := _line(event, progress):
                bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
    if progress.ranking is not None:
        show_ranking(console, progress.ranking)
    finished = progress.finished
    if finished is not None:
        if finished.reason == "stopped":
            console.print("Stopped.", highlight=False)
        if finished.report:
            console.print(f"Report:  {folder / finished.report}", highlight=False, markup=False,
                          soft_wrap=True)


def _advance(bar: Any, task: Any, progress: Any) -> None:
    history = progress.history
    what = f"run {progress.number} of {progress.total}: {progress.title}"
    if history.started is None:
        preparing = history.preparing
        if preparing is not None:
            bar.update(task, description=preparing.message, completed=preparing.done,
                       total=preparing.total or None)
        return
    total = history.started.epochs * history.started.steps_per_epoch
    done = history.last_step.step if history.last_step is not None else 0
    bar.update(task, description=what, completed=done, total=total)


def _line(event: Any, progress: Any) -> str:
    """What stays on the screen of an event; "" of most."""
    from mmstudio.comparison.events import ComparisonStarted, RunFailed, RunScored

    if isinstance(event, ComparisonStarted):
        done = f", {event.done} of them done" if event.done else ""
        return f"{event.total} runs{done}; compared on {event.rows:,} {event.split} rows"
    if isinstance(event, RunScored):
        return (f"{event.run}  {progress.figure.text(event.score)}  validation "
                f"{progress.figure.text(event.validation)}  {event.seconds:.0f} s")
    if isinstance(event, RunFailed):
        return f"{event.run} failed: {event.message} {event.hint}"
    return ""


def show_ranking(console: Any, ranking: Any) -> None:
    """The ranking as a table, who ties with the best, and the sentence."""
    from rich.markup import escape
    from rich.table import Table

    from mmstudio.comparison.report import (
        about,
        difference_text,
        interval_words,
        tied_sentence,
    )
    from mmstudio.training.looks import looks_sentence
    from mmstudio.units import duration_text, size_text

    table = Table(title=escape(about(ranking)), title_justify="left")
    for column in ("", "method", ranking.figure.title.lower(), "95 % interval",
                   "against the best", "s/epoch", "training", "parameters", "size", "runs"):
        left = column in ("", "method")
        table.add_column(escape(column), justify="left" if left else "right")
    for rank, standing in enumerate(ranking.standings, start=1):
        table.add_row(
            str(rank), escape(standing.contestant.title),
            ranking.figure.text(standing.score.mean), interval_words(ranking, standing),
            difference_text(ranking, standing), f"{standing.seconds_per_epoch:.2f}",
            duration_text(standing.seconds), f"{standing.parameters:,}",
            size_text(standing.bytes, compared=True), f"{standing.runs}/{ranking.seeds}")
    console.print(table)
    verdict = ranking.verdict
    told = (verdict.ground, verdict.together, verdict.sentence) if verdict else ()
    told = (looks_sentence(ranking.looks), *told)
    for text in filter(None, (tied_sentence(ranking), *told)):
        console.print(text, highlight=False, markup=False, soft_wrap=True)
