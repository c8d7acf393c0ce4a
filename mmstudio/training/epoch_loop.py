"""A training from its first epoch to its last: each with its validation and its checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmstudio.experiment import Experiment
from mmstudio.safe_files import link_whole
from mmstudio.tasks.kinds import Labels
from mmstudio.training.candidate_weights import most_candidates
from mmstudio.training.checkpoint import save_weights
from mmstudio.training.checkpoints import Checkpoints
from mmstudio.training.device import memory_bytes
from mmstudio.training.distributed.shared_step import SharedStep
from mmstudio.training.epoch import Diverged, train_epoch
from mmstudio.training.events import (
    CheckpointSaved,
    EpochDone,
    RunEvent,
    RunFinished,
    Stopped,
    Warned,
)
from mmstudio.training.input_scores import inputs_scored
from mmstudio.training.ready import Ready
from mmstudio.training.resuming import go_on_by_chance, save_run, write_best
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.scored import score_again, scored_on, validated
from mmstudio.training.setbacks import Setbacks
from mmstudio.training.step import Run
from mmstudio.training.timing import Timing
from mmstudio.training.validate import usual_losses
from mmstudio.training.weighing import Weighing

STOPPED_SCORING_S = 0.1
"""How long the inputs of a stopped run are scored: as many rows as it takes."""


@dataclass(frozen=True)
class Wish:
    """What whoever iterates may ask for: to stop now, or after the epoch at hand."""

    to_stop: Callable[[], bool]
    to_stop_after_epoch: Callable[[], bool]


def all_epochs(ready: Ready, files: RunFolder, wish: Wish) -> Iterator[RunEvent]:
    """Train until all epochs are done, nothing gets better, or a stop is wished for.

    Args:
        ready: The model and the data, as a new run or a resume begins with them.
        files: Where the weights and checkpoints go.
        wish: What whoever iterates may ask for.

    Yields:
        The events after ``Started``; the last is RunFinished.
    """
    run, dataset, rows = ready.run, ready.dataset, ready.rows
    labels = {n: labels.of(rows["validation"]) for n, labels in dataset.labels.items()}
    run.usual_losses = usual_losses(run.model, dataset, rows["train"], labels)
    yield from _scored_alike(ready, files, labels)
    weighing = Weighing(run, dataset, files)
    if not any(of.known.any() for of in labels.values()) and (
            run.epochs_without_answers < ready.experiment.training.epochs):
        yield Warned("No validation row has a label: nothing shows which epoch is best, and "
                     "the latest one is kept.", "Label some of the validation rows.")
    checkpoints = Checkpoints(run, files)
    begins = not files.state.is_file()
    if run.ranks is not None:
        begins = run.ranks.first_says(begins)
        run.shared = SharedStep(run, run.ranks)
    if begins:  # a stop in the first epoch can be resumed too
        checkpoints.save()
        yield from weighing.first()
    reason = yield from _trained(ready, files, labels, weighing, checkpoints, wish)
    if files.writes:
        yield from _ended(ready, files, weighing, reason, wish)
    yield RunFinished(reason, files.shown, run.best.epoch, run.epoch,
                      time.perf_counter() - run.began)


def _ended(
    ready: Ready, files: RunFolder, weighing: Weighing, reason: str, wish: Wish
) -> Iterator[RunEvent]:
    """The last look at what was trained."""
    run, dataset = ready.run, ready.dataset
    if not files.best.is_file():
        save_weights(run.model, files.last)
        save_weights(run.model, files.best)
    if reason == "stopped":
        yield Stopped(run.epoch, run.step)
    if run.best.epoch > run.epochs_without_answers:
        yield from weighing.last()
        if run.watch is not None:
            # whoever chooses inputs by this table must not choose them by the test rows
            yield inputs_scored(run.model, files.best, dataset, "validation", run.device,
                                run.weights, _enough(reason, wish.to_stop))


def _scored_alike(
    ready: Ready, files: RunFolder, labels: Mapping[str, Labels]
) -> Iterator[CheckpointSaved]:
    """Where a run goes on with other rows, score its best epochs on them: figures must compare."""
    run = ready.run
    rows, before = scored_on(ready.experiment, ready.dataset), run.best.epoch
    if run.best.candidates and run.scored_on != rows:
        score_again(run, ready.dataset, ready.rows["validation"], labels,
                    ready.experiment.training.batch_size)
        run.scored_on = rows
        if run.best.epoch != before:
            write_best(run, files)
            yield CheckpointSaved(run.best.epoch, True)
        save_run(run, files)
    run.scored_on = rows


def _trained(
    ready: Ready, files: RunFolder, labels: Mapping[str, Labels], weighing: Weighing,
    checkpoints: Checkpoints, wish: Wish,
) -> Generator[RunEvent, None, str]:
    """Epoch by epoch, each with its validation; gives back why it ended."""
    run, dataset, experiment = ready.run, ready.dataset, ready.experiment
    settings = experiment.training
    timing = Timing(run, ready.limit_s, settings.epochs)
    setbacks = Setbacks(run, files, settings.learning_rate)
    go_on_by_chance(run)
    while run.epoch < timing.epochs:
        if run.ranks is not None:
            run.ranks.same_chance()
        timing.begin()
        try:
            figures = yield from train_epoch(
                run, experiment, dataset, ready.rows["train"], wish.to_stop, checkpoints)
        except Diverged as error:
            yield setbacks.go_back(error, ready.steps)
            if run.ranks is not None:
                run.ranks.wait()  # until all have read what is written next
            checkpoints.save()
            continue
        if figures is None:
            return "stopped"
        seconds = timing.trained()
        experiment = _settled(run, experiment, files)
        before = run.best.epoch
        validation, inputs, alignment = _validated(ready, files, labels)
        better = run.best.epoch != before
        yield from run.held.warnings()
        shortened = timing.shortened()
        if shortened is not None:
            experiment = experiment.replaced("training.epochs", shortened.epochs)
            files.write_experiment(experiment)
        told: list[RunEvent] = [] if shortened is None else [shortened]
        told.append(EpochDone(
            run.epoch, figures, validation, seconds, len(ready.rows["train"]) / seconds,
            timing.remaining_s(), memory_bytes(run.device), inputs, alignment))
        told.append(CheckpointSaved(run.epoch, run.best.epoch == run.epoch))
        if better and run.best.epoch != run.epoch:  # an earlier one turns out to be the best
            told.append(CheckpointSaved(run.best.epoch, True))
        checkpoints.save(told=told)
        yield from told
        if better and not run.alone:
            yield from weighing.now_and_then()
        if run.epoch < timing.epochs and run.waited(timing.epochs) >= settings.patience:
            return "early_stopped"
        stopping = wish.to_stop() or (run.epoch < timing.epochs and wish.to_stop_after_epoch())
        if stopping if run.ranks is None else run.ranks.any(stopping):
            return "stopped"
    return "completed"


def _validated(
    ready: Ready, files: RunFolder, labels: Mapping[str, Labels]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Validate an epoch's model and write its weights, and those of the best so far.

    Returns:
        The validation's figures, those of the inputs, and those of the alignment.
    """
    run = ready.run
    if not run.alone:  # an epoch without answers leaves their weights as they began
        run.average.update()
    with run.average.in_place():
        validation, score, alignment = validated(
            run, ready.dataset, ready.rows["validation"], labels,
            ready.experiment.training.batch_size)
        inputs = {} if run.watching is None else run.watching.figures()
        run.epoch += 1
        before = run.best.epoch
        run.best.take(run.epoch, score, most_candidates(run.model, run.watch))
        candidates = [c.epoch for c in run.best.candidates]
        if run.epoch in candidates:
            run.kept.keep(run.epoch, run.model, run.watch)
        run.kept.only(candidates)
        if files.writes:
            save_weights(run.model, files.weights_of(run.epoch))
    if files.writes:
        link_whole(files.weights_of(run.epoch), files.last)
    if run.best.epoch != before:
        write_best(run, files)
    return validation, inputs, alignment


def _settled(run: Run, experiment: Experiment, files: RunFolder) -> Experiment:
    """The experiment with the format and layout that steps were found fastest in, once they are."""
    chosen = {"precision": run.pace.setting.precision, "memory_layout": run.pace.setting.layout}
    open_ones = [key for key in chosen if getattr(experiment.training, key) == "auto"]
    if not open_ones or run.device.type != "cpu" or not run.pace.settled:
        return experiment
    for key in open_ones:
        experiment = experiment.replaced(f"training.{key}", chosen[key])
    files.write_experiment(experiment)
    return experiment


def _enough(reason: str, should_stop: Callable[[], bool]) -> Callable[[], bool]:
    """Whether enough rows were looked at: a stop, also one before, must not take long."""
    began = time.perf_counter()
    if reason == "stopped":
        return lambda: time.perf_counter() - began > STOPPED_SCORING_S
    return should_stop
