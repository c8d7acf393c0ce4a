"""``mmstudio search``: better settings, in the time that there is."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mmstudio.cli.arguments import Changes, Device, ExperimentFile, Json
from mmstudio.cli.interrupt import interrupts
from mmstudio.cli.output import print_json, say, tell
from mmstudio.cli.own import Trust, own_components
from mmstudio.cli.staying_awake import AllowSleep, staying_awake
from mmstudio.errors import UserError


def search(
    experiment_file: ExperimentFile,
    minutes: Annotated[float, typer.Option(
        "--minutes", help="How long it may take; 30 by default, no limit where only --trials is "
        "given, and what it began with on --resume.")] = 0.0,
    trials: Annotated[int, typer.Option(
        "--trials", help="How many settings to try at most; as many as the time allows by "
        "default.")] = 0,
    vary: Annotated[list[str] | None, typer.Option(
        "--vary", metavar="KEY", help="Vary this too; 'all' varies everything; may be "
        "repeated.")] = None,
    fix: Annotated[list[str] | None, typer.Option(
        "--fix", metavar="KEY", help="Leave this as it is; may be repeated.")] = None,
    target: Annotated[str, typer.Option(
        "--target", help="The target that counts; all of them by default.")] = "",
    name: Annotated[str, typer.Option("--name", help="The search's name; a free one by "
                                      "default.")] = "",
    resume: Annotated[bool, typer.Option(
        "--resume", help="Resume a search, or join one that another process runs.")] = False,
    use: Annotated[bool, typer.Option(
        "--use", help="Write the settings that were found into the experiment file.")] = False,
    ensemble: Annotated[bool, typer.Option(
        "--ensemble", help="Have the best models answer together, too: they are kept as one "
        "run.")] = False,
    space: Annotated[bool, typer.Option(
        "--space", help="List what can vary, and train nothing.")] = False,
    device: Device = "",
    changes: Changes = None,
    allow_sleep: AllowSleep = False,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Try settings, train the best of them again with three seeds, and tell which to take."""
    from mmstudio.cli.changes import changed
    from mmstudio.experiment import Experiment
    from mmstudio.search.folder import SearchFolder, free_name, latest
    from mmstudio.search.search import Budget
    from mmstudio.search.search import search as search_all

    folder = experiment_file.resolve().parent
    own_components(folder, trust)
    experiment = changed(Experiment.load(experiment_file), changes or [], device)
    if space:
        _list_space(experiment, as_json)
        return
    if resume:
        name = name or latest(folder) or ""
        if not name or not SearchFolder.of(folder, name).exists:
            raise UserError(f"{folder / 'searches'} holds no search to resume.",
                            "Search without --resume first.")
        if vary or fix or target or changes or ensemble:
            raise UserError("A search resumes with the settings that it began with.",
                            "Leave out --vary, --fix, --target, --ensemble and --set, or begin a "
                            "new one.")
    else:
        name = name or free_name(folder)
        if Path(name).name != name or name in (".", ".."):
            raise UserError(f"--name {name} is not a name.", "Give a name without slashes.")
        if SearchFolder.of(folder, name).exists:
            raise UserError(f"searches/{name} already exists.",
                            "Choose another name, or resume it with --resume.")
    budget = Budget(minutes or None, trials or None) if minutes or trials else None
    with staying_awake(allow_sleep), interrupts() as interrupted:
        events = search_all(experiment, name, folder=folder, budget=budget, vary=vary or (),
                            fix=fix or (), target=target or None, ensemble=ensemble,
                            should_stop=interrupted)
        finished = _shown(events, as_json)
    if interrupted():
        say(f"Resume it:  mmstudio search {shlex.quote(str(experiment_file))} "
            f"--name {shlex.quote(name)} --resume")
        raise typer.Exit(130)
    if use and finished is not None and finished.reason == "completed":
        _take(SearchFolder.of(folder, name), experiment_file)


def _shown(events: Iterator[Any], as_json: bool) -> Any:
    """Print all events; the last one."""
    last = None
    if as_json:
        for event in events:
            print_json(event.to_json())
            last = event
        return last
    for event in _with_progress(events):
        last = event
    if last is not None:
        _tell_end(last)
    return last


def _with_progress(events: Iterator[Any]) -> Iterator[Any]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from mmstudio.cli.terminal import Console
    from mmstudio.search.events import FinalStarted, SearchTold, TrialEnded, TrialStarted
    from mmstudio.training.events import StepDone

    with Progress(TextColumn("{task.description}", markup=False), BarColumn(),
                  TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=None)
        for event in events:
            if isinstance(event, TrialStarted):
                left = "" if event.remaining_s is None else f", {event.remaining_s / 60:.0f} min"
                bar.update(task, description=f"trial {event.trial}{left}", completed=0)
            elif isinstance(event, FinalStarted):
                bar.update(task, description=f"final {event.number} of {event.total}: trial "
                           f"{event.trial}, seed {event.seed}")
            elif isinstance(event, TrialEnded):
                bar.console.print(_line(event), highlight=False, markup=False, soft_wrap=True)
            elif isinstance(event, SearchTold) and isinstance(event.told, StepDone):
                bar.update(task, advance=1)
            yield event


def _line(event: Any) -> str:
    if event.state == "failed":
        return f"trial {event.trial} failed: {event.message}"
    note = {"pruned": "  given up early"}.get(event.state, "")
    best = "  the best so far" if event.best == event.trial and not note else ""
    return f"trial {event.trial}  {event.figure:.3f}  {event.seconds:.0f} s{note}{best}"


def _tell_end(event: Any) -> None:
    if event.reason == "stopped":
        tell("Stopped.")
        return
    tell(event.sentence)
    for change in event.changes:
        tell(f"  {change}")


def _take(files: Any, experiment_file: Path) -> None:
    from mmstudio.experiment import Experiment
    from mmstudio.training.start_settings import with_found

    found = Experiment.load(files.found)
    with_found(Experiment.load(experiment_file), found).save(experiment_file)
    say(f"{experiment_file} has these settings now.")


def _list_space(experiment: Any, as_json: bool) -> None:
    from mmstudio.search.space import space_of
    from mmstudio.training.choose import without_auto

    for dimension in space_of(without_auto(experiment)):
        if as_json:
            print_json(dimension.to_json())
            continue
        values = (", ".join(str(c) for c in dimension.choices) if dimension.choices
                  else f"{dimension.low:g} to {dimension.high:g}")
        tell(f"{'*' if dimension.usual else ' '} {dimension.key} = {values}")
    if not as_json:
        say("* varies by default; --vary KEY adds another, --fix KEY leaves one out.")
