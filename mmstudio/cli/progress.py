"""What the command line shows to people: progress on standard error, results as tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmstudio.cli.inputs import contributions_line
from mmstudio.cli.terminal import Console
from mmstudio.training.events import (
    Combined,
    EncoderChosen,
    EpochDone,
    Preparing,
    RunEvent,
    RunFinished,
    Shortened,
    Started,
    StepDone,
    Stopped,
    Tuned,
    Warned,
    WeightsTaken,
    WentBack,
)
from mmstudio.training.history import RunHistory
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.shares import rests_on

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
                           completed=max(event.first_step - 1,
                                         (event.first_epoch - 1) * event.steps_per_epoch))
                bar.console.print(
                    f"{event.samples['train']} training rows, {event.parameters:,} parameters, "
                    f"{event.device}, {event.precision}", highlight=False, markup=False)
            elif isinstance(event, StepDone):
                bar.update(task, completed=event.step)
            elif isinstance(event, EpochDone):
                bar.console.print(_epoch_line(event, history), highlight=False, markup=False,
                                  soft_wrap=True)
            elif isinstance(event, Stopped):
                bar.update(task, description="Stopped; a last look at the model")
            elif isinstance(event, Tuned):
                threads = "one thread" if event.threads == 1 else f"{event.threads} threads"
                layout = ", contiguous" if event.layout == "contiguous" else ""
                bar.console.print(f"Fastest here: {threads}, {event.precision}{layout}",
                                  highlight=False, markup=False)
            elif line := _told_line(event, history):
                bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
            elif isinstance(event, Warned | WentBack):
                told = history.warnings[-1]
                bar.console.print(f"Warning: {told.message} {told.hint}", style="yellow",
                                  highlight=False, markup=False)
    finished = history.finished
    if isinstance(finished, RunFinished):
        best = (f"best at epoch {finished.best_epoch}" if finished.best_epoch
                else "before the first epoch was over")
        console.print(f"{REASONS[finished.reason]} after {finished.seconds:.0f} s; {best}.",
                      highlight=False, markup=False)
        for line in _answers_lines(history):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if RunFolder(run).best.is_file():
            console.print(f"Evaluate it:  mmstudio evaluate {shlex.quote(str(run))}",
                          highlight=False, markup=False, soft_wrap=True)


def _told_line(event: RunEvent, history: RunHistory) -> str:
    """What is told on the way of encoders, time and quick models; "" of most events."""
    if isinstance(event, EncoderChosen):
        model = f" on {event.model}" if event.model else ""
        return f"{event.input}: encoder {event.encoder}{model}. {event.reason}"
    if isinstance(event, WeightsTaken):
        anew = f"; new: {', '.join(event.fresh)}" if event.fresh else ""
        share = 100 * event.taken / max(1, event.total)
        return f"Started from {event.run}: {share:.1f} % of the weights are its{anew}."
    if isinstance(event, Shortened):
        fit = "epoch fits" if event.epochs == 1 else "epochs fit"
        return f"{event.epochs} {fit} into {event.minutes:.3g} minutes."
    if isinstance(event, Combined) and not event.trained:
        return f"Quick models can answer already: validation {_main_figures(history)}"
    return ""


def _answers_lines(history: RunHistory) -> list[str]:
    """What a run answers with, where that is more than the fusion."""
    if history.combined is None or history.started is None:
        return []
    return [rests_on(history.combined, history.started.inputs),
            f"All together: validation {_main_figures(history)}"]


def _main_figures(history: RunHistory) -> str:
    main = history.started.tasks if history.started is not None else {}
    answered = history.answered()
    return "  ".join(f"{task} {figure} {answered[task][figure]:.3f}"
                     for task, figure in main.items() if figure in answered.get(task, {}))


def _epoch_line(event: EpochDone, history: RunHistory) -> str:
    main = history.started.tasks if history.started is not None else {}
    figures = "  ".join(
        f"{task} {figure} {event.validation[task][figure]:.3f}"
        for task, figure in main.items() if figure in event.validation.get(task, {}))
    if event.alignment:
        figures = f"{figures}  {_recall_line(event.alignment)}"
    return (f"epoch {event.epoch:3d}  loss {event.train['loss']:.3f}  validation "
            f"{event.validation['loss']:.3f}  {figures}  {event.samples_per_s:.0f} samples/s")


def show_evaluation(result: Any) -> None:
    """Figures of each task as a table: a row per task, or per figure where the tasks differ."""
    console = Console()
    console.print(f"{result.samples} samples of {result.source}, loss {result.loss:.4f}",
                  highlight=False, markup=False)
    table = Table()
    names = sorted({n for figures in result.tasks.values() for n in figures})
    alike = all(len(figures) == len(names) for figures in result.tasks.values())
    for column in ("task", *(names if alike else ("figure", "value"))):
        left = column in ("task", "figure")
        table.add_column(escape(column), justify="left" if left else "right")
    for task, figures in result.tasks.items():
        if alike:
            table.add_row(escape(task), *(f"{figures[n]:.4f}" for n in names))
        else:
            for name, value in figures.items():
                table.add_row(escape(task), name, f"{value:.4f}")
    console.print(table)


def show_prediction(prediction: Any) -> None:
    """Each task's answer and its highest scores."""
    console = Console()
    for task, answer in prediction.tasks.items():
        console.print(f"{task}: {answer.words()}", style="bold", highlight=False,
                      markup=False)
        shown = max(5, len(answer.labels or ()))
        for label, score in list(answer.scores.items())[:shown]:
            bar = "█" * round(score * 30)
            console.print(f"  {label:>16} {score:6.1%} {bar}", highlight=False, markup=False)
        told = prediction.contributions.get(task)
        if told is not None and len(told.inputs) > 1:
            console.print(f"  because of: {contributions_line(told)}", highlight=False,
                          markup=False)
    there = ", ".join(prediction.present) or "no input"
    console.print(f"answered from: {there}", highlight=False, markup=False)
    if prediction.note:
        console.print(prediction.note, highlight=False, markup=False)



def _recall_line(alignment: dict[str, Any]) -> str:
    """An epoch's mean recall, for its line: "recall@10 0.412"."""
    values = [one["recall@10"] for one in alignment.get("retrieval", [])]
    return f"recall@10 {sum(values) / len(values):.3f}" if values else ""
