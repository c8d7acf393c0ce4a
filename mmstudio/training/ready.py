"""All that a training needs before its first step: encoders, data, what suits it, quick models."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from mmstudio.data.batches import row_batches
from mmstudio.data.merged_labels import merged
from mmstudio.data.prepare import Dataset, Progress, prepare
from mmstudio.data.split import split_of
from mmstudio.data.table import Table, read_table
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.training.choose import Choice, Chosen, choose, with_encoders_of
from mmstudio.training.combine import Prepared, with_machines
from mmstudio.training.device import choose_precision
from mmstudio.training.distributed.plan import Plan, heard_plan, shareable, tell_plan
from mmstudio.training.distributed.ranks import Ranks
from mmstudio.training.encode_once import encoded_once
from mmstudio.training.events import Preparing, RunEvent, Warned, WeightsTaken
from mmstudio.training.fronts_once import with_fronts
from mmstudio.training.measured import apply_layout, format_on_resume, pace_for, with_format
from mmstudio.training.model import build_model, completed
from mmstudio.training.published import check_published
from mmstudio.training.resume_check import check_same_model
from mmstudio.training.resuming import resume_run
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.same_data import check_same_data
from mmstudio.training.starting import Origin, take_weights
from mmstudio.training.step import Run, make_run
from mmstudio.training.suited import Suited, suit, with_suited
from mmstudio.training.unvarying import spared

Made = TypeVar("Made", Dataset, Prepared, Chosen, Suited)


@dataclass(frozen=True)
class Ready:
    """A training before its first step.

    Attributes:
        experiment: With all that was left open as it was found.
        dataset: Decoded, with what was computed once.
        rows: Per split the numbers of its rows.
        run: Its model on the device.
        steps: Of an epoch.
        limit_s: How long it may take; None has no limit.
        choices: The encoders that were chosen.
        warnings: What the user should know; the log begins with the run's start.
        taken: What the model has of the run that it starts from.
        began_from: That run; None of one that goes on.
    """

    experiment: Experiment
    dataset: Dataset
    rows: dict[str, np.ndarray]
    run: Run
    steps: int
    limit_s: float | None
    choices: tuple[Choice, ...]
    warnings: tuple[Warned, ...]
    taken: WeightsTaken | None = None
    began_from: RunFolder | None = None


def make_ready(
    experiment: Experiment, files: RunFolder, folder: Path, device: torch.device, going_on: bool,
    should_stop: Callable[[], bool], ranks: Ranks | None = None,
) -> Generator[RunEvent, None, Ready | None]:
    """Do all that comes before the first step.

    Of several processes the first one chooses, and tells the others; the first one of each machine
    decodes what is not decoded yet.

    Args:
        experiment: A completed experiment.
        files: The run's; read where it goes on.
        folder: What ``data.table`` is relative to.
        device: What it trains on.
        going_on: Whether it goes on after the last whole epoch.
        should_stop: Asked now and then.
        ranks: The processes that train together.

    Yields:
        Progress.

    Returns:
        None where it was stopped.

    Raises:
        UserError: What the user can mend.
    """
    if ranks is None:
        return (yield from _first(experiment, files, folder, device, going_on, should_stop, None))
    if ranks.first:
        ready = yield from _first(
            experiment, files, folder, device, going_on, should_stop, ranks)
    else:
        ready = yield from _following(files, folder, device, going_on, ranks)
    return None if ranks.any(ready is None or should_stop()) else ready


def _first(
    experiment: Experiment, files: RunFolder, folder: Path, device: torch.device, going_on: bool,
    should_stop: Callable[[], bool], ranks: Ranks | None,
) -> Generator[RunEvent, None, Ready | None]:
    """As ``make_ready``, of the process that chooses."""
    warnings: list[Warned] = []
    origin = None if going_on else Origin.of(experiment, folder)
    planned = yield from _planned(
        experiment, files, folder, going_on, device, should_stop, warnings, origin)
    if ranks is not None:
        tell_plan(ranks, None if planned is None else planned[0])
    if planned is None:
        return None
    plan, dataset, choices = planned
    rows = rows_of(dataset)
    run, experiment, steps, taken = _made(
        plan.experiment, dataset, files, device, going_on, rows["train"], ranks, origin)
    encoded = yield from _all_of(
        encoded_once(run.model, dataset, device, run.dtype), should_stop, warnings)
    if ranks is not None:
        ranks.wait()
    if encoded is None:
        return None
    dataset = encoded
    if experiment.training.combine:
        prepared = yield from _all_of(
            with_machines(run.model, dataset, run.heads, experiment.training.seed), should_stop,
            warnings)
        if prepared is None:
            return None
        dataset, run.combination = prepared.dataset, prepared.combination.to(device)
    if ranks is None:  # of several processes each makes those of its own rows in each step
        fronted = yield from _all_of(
            with_fronts(run.model, dataset, device, experiment.training.augment), should_stop,
            warnings)
        if fronted is None:
            return None
        dataset = fronted
    return Ready(experiment, dataset, rows, run, steps, plan.limit_s, choices, tuple(warnings),
                 taken, None if origin is None else origin.files)


def _following(
    files: RunFolder, folder: Path, device: torch.device, going_on: bool, ranks: Ranks
) -> Generator[RunEvent, None, Ready | None]:
    """As ``make_ready``, of a process that goes by what the first one chose."""
    plan = heard_plan(ranks)
    if plan is None:
        return None
    if not ranks.leads:
        ranks.wait()  # for what is decoded and encoded once on this machine
    warnings: list[Warned] = []
    dataset = yield from _all_of(
        prepare(plan.experiment, folder, schema=plan.schema), lambda: False, warnings)
    if dataset is None:
        return None
    rows = rows_of(dataset)
    run, experiment, steps, _ = _made(  # it has the first one's weights before the first step
        plan.experiment, dataset, files, device, going_on, rows["train"], ranks)
    encoded = yield from _all_of(
        encoded_once(run.model, dataset, device, run.dtype), lambda: False, warnings)
    if ranks.leads:
        ranks.wait()
    if encoded is None:
        return None
    return Ready(experiment, encoded, rows, run, steps, plan.limit_s, (), ())


def rows_of(dataset: Dataset) -> dict[str, np.ndarray]:
    """Per split the numbers of its rows."""
    return {split: dataset.rows(split) for split in ("train", "validation", "test")}


def _planned(
    experiment: Experiment, files: RunFolder, folder: Path, going_on: bool, device: torch.device,
    should_stop: Callable[[], bool], warnings: list[Warned], origin: Origin | None,
) -> Generator[RunEvent, None, tuple[Plan, Dataset, tuple[Choice, ...]] | None]:
    """What is trained, with all that was left open; its decoded data, and the encoders chosen."""
    table, splits = None, None
    if origin is not None:
        experiment = origin.completes(experiment)
    if going_on:
        experiment = _as_begun(experiment, files, device)
        yield Preparing("Looking at what has changed", 0, 1)
        table, splits = _same_data(experiment, files, folder, warnings)
    chosen = yield from _all_of(choose(experiment, folder), should_stop, warnings)
    if chosen is None:
        return None
    experiment = completed(chosen.experiment)
    dataset = yield from _all_of(
        prepare(experiment, folder, schema=files.schema() if going_on else None, table=table,
                splits=splits, earlier=None if origin is None else origin.schema_for(experiment)),
        should_stop, warnings)
    if dataset is None:
        return None
    rows = rows_of(dataset)
    if len(rows["train"]) < 2 or len(rows["validation"]) == 0:
        raise UserError("Too few rows with an input and a label to train on.",
                        "At least two for training and one for validation are needed.")
    choices = chosen.choices
    if not going_on:
        experiment, choices = spared(experiment, dataset, choices)
        experiment = completed(experiment)
    if experiment.training.augment and not going_on:
        suited = yield from _all_of(
            suit(experiment, dataset, experiment.training.seed), should_stop, warnings)
        if suited is None:
            return None
        experiment = suited.experiment
        warnings += [Warned(note) for note in suited.notes]
    limit_s = experiment.training.seconds_for(len(rows["train"]))
    experiment = _with_numbers(experiment, len(rows["train"]), files if going_on else None)
    return Plan(experiment, dataset.schema, limit_s), dataset, choices


def _as_begun(experiment: Experiment, files: RunFolder, device: torch.device) -> Experiment:
    """The experiment with what the run that goes on has for all that it leaves open."""
    begun = files.experiment()
    experiment = with_encoders_of(begun, experiment)
    experiment = with_suited(completed(begun), completed(experiment))
    check_same_model(files, experiment)
    check_published(files)
    return format_on_resume(experiment, begun, device)


def _same_data(
    experiment: Experiment, files: RunFolder, folder: Path, warnings: list[Warned]
) -> tuple[Table, np.ndarray]:
    """The rows that a run goes on with and their splits; what of them is new is told."""
    table = read_table(folder / experiment.data.table)
    labelled = merged(table, experiment)
    splits = split_of(experiment, labelled, folder)
    warnings += check_same_data(files, experiment, labelled, splits)
    return table, splits


def _with_numbers(experiment: Experiment, rows: int, files: RunFolder | None) -> Experiment:
    """With the epochs, batch size and patience for so many rows, where they are automatic."""
    settings = experiment.training
    epochs = settings.epochs_for(rows)
    if files is not None and not settings.epochs:
        epochs = files.experiment().training.epochs or epochs  # it may have been shortened
    for key, value in (("epochs", epochs), ("batch_size", settings.batch_size_for(rows)),
                       ("patience", settings.patience_for(epochs))):
        experiment = experiment.replaced(f"training.{key}", value)
    return experiment


def _made(
    experiment: Experiment, dataset: Dataset, files: RunFolder, device: torch.device,
    going_on: bool, rows: np.ndarray, ranks: Ranks | None, origin: Origin | None = None,
) -> tuple[Run, Experiment, int, WeightsTaken | None]:
    """The run with its model, the experiment with its format, an epoch's steps, what was taken."""
    if ranks is not None:
        experiment = shareable(experiment, ranks)
    settings = experiment.training
    torch.manual_seed(settings.seed)
    model = build_model(experiment, dataset.schema)
    taken = None if origin is None else take_weights(model, experiment, dataset.schema, origin)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = len(row_batches(rows, settings.batch_size))
    run = make_run(experiment, dataset, model, device,
                   choose_precision(settings.precision, device), steps)
    if going_on:
        resume_run(run, files)
    steps_left = (settings.epochs - run.epoch) * steps
    experiment = with_format(experiment, model, dataset, device, steps_left)
    run.dtype = choose_precision(experiment.training.precision, device)
    if experiment.training.memory_layout != "auto":
        apply_layout(run, experiment.training.memory_layout)
    run.ranks = ranks
    if ranks is None:
        run.pace = pace_for(run, experiment, dataset, steps_left)
    return run, experiment, steps, taken


def _all_of(
    work: Iterator[Progress | Warned | Made], should_stop: Callable[[], bool],
    warnings: list[Warned],
) -> Generator[RunEvent, None, Made | None]:
    """What some work ends with, None when it was stopped before.

    Warnings wait in the list: the log begins with the run's start.
    """
    made: Made | None = None
    for item in work:
        if isinstance(item, Progress):
            yield Preparing(item.message, item.done, item.total)
        elif isinstance(item, Warned):
            warnings.append(item)
        else:
            made = item
        if should_stop():
            return None
    if made is None:
        raise UserError("The data gave no rows.", "Check data.table.")
    return made
