"""Training as a generator of events: whoever iterates it sets the pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmstudio.data.prepare import Dataset
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.safe_files import link_whole
from mmstudio.tasks.kinds import Labels
from mmstudio.threads import torch_threads
from mmstudio.training.alignment_figures import alignment_warnings
from mmstudio.training.candidate_weights import most_candidates
from mmstudio.training.checkpoint import save_weights
from mmstudio.training.checkpoints import Checkpoints
from mmstudio.training.device import (
    choose_device,
    choose_precision,
    memory_bytes,
    prepare_process,
    release_memory,
)
from mmstudio.training.distributed.followed_folder import FollowedFolder
from mmstudio.training.distributed.ranks import Ranks, another_gone
from mmstudio.training.distributed.shared_step import SharedStep
from mmstudio.training.distributed.started import among_several
from mmstudio.training.environment import files_changed, note_environment
from mmstudio.training.epoch import Diverged, check_within, train_epoch
from mmstudio.training.event_files import EventFiles, check_installed
from mmstudio.training.events import (
    CheckpointSaved,
    EncoderChosen,
    EpochDone,
    Preparing,
    RunEvent,
    RunFinished,
    Started,
    Stopped,
    Warned,
)
from mmstudio.training.input_scores import inputs_scored
from mmstudio.training.model import completed
from mmstudio.training.own_sources import keep_sources
from mmstudio.training.published import note_published
from mmstudio.training.ready import Ready, make_ready
from mmstudio.training.resuming import go_on_by_chance, save_run, write_best
from mmstudio.training.run_folder import RunFolder, summarise
from mmstudio.training.same_data import note_rows
from mmstudio.training.scored import score_again, scored_on, validated
from mmstudio.training.setbacks import Setbacks, failed, not_written
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


def train(
    experiment: Experiment,
    run: Path,
    *,
    folder: Path,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    stop_after_epoch: Callable[[], bool] = lambda: False,
    ranks: Ranks | None = None,
) -> Iterator[RunEvent]:
    """Train a model and write its run folder.

    It pauses while nobody asks for the next event.

    Args:
        experiment: What to train.
        run: The run folder to write; must not hold a run unless ``resume``.
        folder: What ``data.table`` is relative to.
        resume: Go on after the last checkpoint of the run that is there; one without any starts
            anew, but not over weights that are there.
        should_stop: Asked at every step; True ends the run with its best and last weights kept,
            and a resume goes on at the next step.
        stop_after_epoch: Asked at the end of each epoch; True ends the run there.
        ranks: This process among several that train together, each with the same arguments; the
            first one writes the run, and its events are the ones to show.

    Yields:
        Events, in order; the last is RunFinished.

    Raises:
        UserError: What the user can mend: a key, a file, memory, a loss that is not a number, a
            run that another process trains.
    """
    if ranks is None and among_several():
        raise UserError("torchrun has started several processes, and each would train by itself.",
                        "Train with torchrun … -m -- mmstudio train, or without torchrun.")
    prepare_process()
    experiment = completed(experiment)
    files = RunFolder(run) if ranks is None or ranks.first else FollowedFolder(run)
    if resume:
        RunFolder.existing(files.path)
    else:
        files.check_free()
    device = choose_device(experiment.training.device) if ranks is None else ranks.device
    choose_precision(experiment.training.precision, device)
    board = EventFiles(files.path) if experiment.training.tensorboard and files.writes else None
    if board is not None:
        check_installed()
    failure: UserError | None = None
    try:
        if resume:
            files.claim(resume=True)
            files.check_can_go_on()
        files.end_torn_line()
        finished = resume and files.history().finished is not None
        with torch_threads(experiment.training.threads):
            for event in _events(experiment, files, folder, device, resume,
                                 Wish(should_stop, stop_after_epoch), ranks):
                finished = finished and not isinstance(event, Started)
                # a finished run that was stopped before it went on stays as it was, log and all
                if not (finished or isinstance(event, Preparing)):
                    files.log_event(event, (folder, (folder / experiment.data.table).parent))
                    if board is not None:
                        board.take(event)
                yield event
    except RuntimeError as error:
        failure = failed(error, files, device)
        if failure is None and ranks is not None:
            failure = another_gone(error, files.state.is_file())
        if failure is None:
            raise
    except OSError as error:
        failure = not_written(error, files)
    finally:
        if board is not None:
            with suppress(OSError):  # of a full disk, which has been told
                board.close()
        files.release()
        release_memory(device)
    if failure is not None:
        # raised here, where the first exception and the model that its frames hold are gone
        raise failure
    with suppress(UserError):  # the list of runs tells what can't be read
        summarise(files)


def _events(
    experiment: Experiment, files: RunFolder, folder: Path, device: torch.device, resume: bool,
    wish: Wish, ranks: Ranks | None,
) -> Iterator[RunEvent]:
    began = time.perf_counter()
    going_on = resume and files.state.is_file()
    if ranks is not None:
        going_on = ranks.first_says(going_on)
    ready = yield from make_ready(
        experiment, files, folder, device, going_on, wish.to_stop, ranks)
    if ready is None:
        yield _stopped_early(files, experiment, resume, going_on, began)
        return
    run, settings, dataset = ready.run, ready.experiment.training, ready.dataset
    run.began = began
    # not before the weights are read: a resume that fails must leave the run as it was
    files.claim(resume=resume)
    if run.log_before is not None:
        files.rewind_log(*run.log_before)
    files.write_experiment(ready.experiment)
    files.write_text("schema.json", dataset.schema.to_text())
    name = _device_name(device, ranks)
    changed = _noted(files, ready, name, going_on) if files.writes else []
    model = run.model
    changed += check_within(run, ready.experiment, dataset, ready.rows["train"],
                            scored_on(ready.experiment, dataset))
    first_step = run.epoch * ready.steps + 1 if run.within is None else run.step + 1
    yield Started(
        run=_shown(files), device=name, precision=str(run.dtype).split(".")[1],
        parameters=sum(p.numel() for p in model.parameters()), epochs=settings.epochs,
        steps_per_epoch=ready.steps, first_epoch=run.epoch + 1,
        samples={split: len(r) for split, r in ready.rows.items()}, inputs=list(model.names),
        tasks={n: t.main_metric for n, t in model.tasks.items()}, first_step=first_step)
    if ready.taken is not None:
        yield ready.taken
    yield from _unreadable(dataset)
    for choice in ready.choices:
        yield EncoderChosen(choice.input, choice.encoder.name,
                            str(choice.encoder.options.get("model", "")), choice.reason)
    yield from ready.warnings
    yield from changed
    if going_on and run.epoch >= settings.epochs:
        yield Warned(f"All {settings.epochs} epochs of {_shown(files)} are done: nothing more is "
                     "trained.", f"Allow more, such as training.epochs = {2 * settings.epochs}.")
    yield from alignment_warnings(model.alignment, len(model.names), settings)
    yield from _epochs(ready, files, wish)


def _noted(files: RunFolder, ready: Ready, device: str, going_on: bool) -> list[Warned]:
    """Write what a run is made of; what of that has changed where it goes on."""
    experiment, dataset = ready.experiment, ready.dataset
    note_rows(files, experiment, dataset.table, dataset.splits, going_on, ready.began_from)
    changed = [Warned(told, "Training continues with the files as they are now.")
               for told in (files_changed(files, dataset) if going_on else [])]
    note_environment(files, experiment, dataset, device, going_on)
    keep_sources(files, experiment)
    note_published(files, experiment)
    return changed


def _unreadable(dataset: Dataset) -> Iterator[Warned]:
    """Per input what of it can't be read."""
    for name, decoded in dataset.decoded.items():
        if decoded.errors:
            row, reason = next(iter(decoded.errors.items()))
            yield Warned(
                f"{len(decoded.errors)} of input '{name}' can't be read; row {row + 1}: {reason}",
                "Those rows train on their other inputs." if len(dataset.decoded) > 1
                else "Those rows are left out.")


def _stopped_early(
    files: RunFolder, experiment: Experiment, resume: bool, going_on: bool, began: float
) -> RunFinished:
    """The end of a run that was stopped before its first step; one that went on stays as it was."""
    if not going_on:
        files.claim(resume=resume)
        files.write_experiment(experiment)
    past = files.history()
    return RunFinished("stopped", _shown(files), past.best_epoch or 0,
                       max(past.epochs, default=0), time.perf_counter() - began)


def _epochs(ready: Ready, files: RunFolder, wish: Wish) -> Iterator[RunEvent]:
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
    yield RunFinished(reason, _shown(files), run.best.epoch, run.epoch,
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
        validation, inputs, alignment = _kept(ready, files, labels)
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


def _kept(
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


def _shown(files: RunFolder) -> str:
    return f"{files.path.parent.name}/{files.name}"


def _device_name(device: torch.device, ranks: Ranks | None) -> str:
    names: dict[str, Any] = {"cpu": "CPU", "mps": "Apple GPU"}
    name = (torch.cuda.get_device_name(device) if device.type == "cuda"
            else str(names.get(device.type, device.type)))
    return name if ranks is None else f"{ranks.size} × {name}"
