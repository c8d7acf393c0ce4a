"""What the command line shows to people: progress on standard error, results as tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmstudio.training.events import (
    EpochDone,
    Preparing,
    RunEvent,
    RunFinished,
    Started,
    StepDone,
    Warned,
)
from mmstudio.training.history import RunHistory

REASONS = {"completed": "All epochs are done", "early_stopped": "No more progress: stopped early",
           "stopped": "Stopped"}


def _bar() -> Progress:
    return Progress(TextColumn("{task.description}", markup=False), BarColumn(),
                    MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True),
                    transient=True)


def progress(steps: Iterator[tuple[str, int, int, Any]], *, quiet: bool) -> Iterator[Any]:
    """The last part of each ``(message, done, total, item)``, with a bar unless ``quiet``."""
    if quiet:
        yield from (item for *_, item in steps)
        return
    with _bar() as bar:
        task = bar.add_task("", total=None)
        for message, done, total, item in steps:
            bar.update(task, description=message, completed=done, total=total)
            yield item


def last_of(steps: Iterator[Any], *, quiet: bool) -> Any:
    """The last of the items; those before are Progress, shown as a bar unless ``quiet``."""
    from mmstudio.data.prepare import Progress as Step

    shown = (
        (s.message, s.done, s.total, s) if isinstance(s, Step) else ("", 1, 1, s) for s in steps)
    last = None
    for step in progress(shown, quiet=quiet):
        last = step
    return last


def show_training(events: Iterator[RunEvent], run: Path) -> None:
    """Train with a bar and one line per epoch."""
    console = Console()
    history = RunHistory()
    with _bar() as bar:
        task = bar.add_task("Starting", total=None)
        for event in events:
            history.apply(event)
            if isinstance(event, Preparing):
                bar.update(task, description=event.message, completed=event.done,
                           total=event.total)
            elif isinstance(event, Started):
                steps = event.epochs * event.steps_per_epoch
                bar.update(task, description="Training", total=steps,
                           completed=(event.first_epoch - 1) * event.steps_per_epoch)
                bar.console.print(
                    f"{event.samples['train']} training rows, {event.parameters:,} parameters, "
                    f"{event.device}, {event.precision}", highlight=False, markup=False)
            elif isinstance(event, StepDone):
                bar.update(task, completed=event.step)
            elif isinstance(event, EpochDone):
                bar.console.print(_epoch_line(event, history), highlight=False, markup=False,
                                  soft_wrap=True)
            elif isinstance(event, Warned):
                bar.console.print(f"Warning: {event.message} {event.hint}", style="yellow",
                                  highlight=False, markup=False)
    finished = history.finished
    if isinstance(finished, RunFinished):
        console.print(
            f"{REASONS[finished.reason]} after {finished.seconds:.0f} s; best at epoch "
            f"{finished.best_epoch}.\nEvaluate it:  mmstudio evaluate {shlex.quote(str(run))}",
            highlight=False, markup=False, soft_wrap=True)


def _epoch_line(event: EpochDone, history: RunHistory) -> str:
    main = history.started.tasks if history.started is not None else {}
    figures = "  ".join(
        f"{task} {figure} {event.validation[task][figure]:.3f}"
        for task, figure in main.items() if figure in event.validation.get(task, {}))
    return (f"epoch {event.epoch:3d}  loss {event.train['loss']:.3f}  validation "
            f"{event.validation['loss']:.3f}  {figures}  {event.samples_per_s:.0f} samples/s")


def show_evaluation(result: Any) -> None:
    """Figures of each task as a table."""
    table = Table(title=f"{result.samples} samples of the split '{result.split}', "
                        f"loss {result.loss:.4f}", title_justify="left")
    names = sorted({n for figures in result.tasks.values() for n in figures})
    for column in ("task", *names):
        table.add_column(escape(column), justify="left" if column == "task" else "right")
    for task, figures in result.tasks.items():
        table.add_row(escape(task), *(f"{figures[n]:.4f}" if n in figures else "" for n in names))
    Console().print(table)


def show_prediction(prediction: Any) -> None:
    """Each task's answer and its highest scores."""
    console = Console()
    for task, answer in prediction.tasks.items():
        console.print(f"{task}: {answer.label}", style="bold", highlight=False, markup=False)
        for label, score in list(answer.scores.items())[:5]:
            bar = "█" * round(score * 30)
            console.print(f"  {label:>16} {score:6.1%} {bar}", highlight=False, markup=False)
    there = ", ".join(prediction.present) or "no input"
    console.print(f"answered from: {there}", highlight=False, markup=False)


def show_report(report: Any) -> None:
    """The problems, one line each."""
    console = Console()
    for problem in report.problems:
        where = f"row {problem.row + 1}" if problem.row >= 0 else "table"
        column = f" · {problem.column}" if problem.column else ""
        console.print(f"{where}{column}: {problem.message} {problem.hint}", highlight=False,
                      markup=False, soft_wrap=True)
    console.print(f"{report.rows} rows read, {len(report.problems)} problems.", highlight=False)


def show_components(listed: list[dict[str, Any]]) -> None:
    """Each component with its options."""
    console = Console()
    for item in listed:
        reads = f" for {item['modality']}" if "modality" in item else ""
        console.print(f"\n[bold]{item['kind']} {item['name']}[/]{reads}: {item['summary']}",
                      highlight=False)
        if item["source"]:
            console.print(f"  after {item['source']}", highlight=False, markup=False)
        for name, option in item["options"].items():
            allowed = ", ".join(option.get("choices", []))
            if "minimum" in option:
                allowed = f"{option['minimum']:g} to {option['maximum']:g}"
            console.print(f"  {name} = {option['default']}  ({allowed or option['kind']})  "
                          f"{option['help']}", highlight=False, markup=False)
