"""Training as a generator of events: whoever iterates it sets the pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mmstudio.data.prepare import Dataset
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.threads import torch_threads
from mmstudio.training.alignment_figures import alignment_warnings
from mmstudio.training.device import (
    choose_device,
    choose_precision,
    prepare_process,
    release_memory,
)
from mmstudio.training.distributed.followed_folder import FollowedFolder
from mmstudio.training.distributed.ranks import Ranks, another_gone
from mmstudio.training.distributed.started import among_several
from mmstudio.training.environment import files_changed, note_environment
from mmstudio.training.epoch import check_within
from mmstudio.training.epoch_loop import Wish, all_epochs
from mmstudio.training.event_files import EventFiles, check_installed
from mmstudio.training.events import (
    EncoderChosen,
    Preparing,
    RunEvent,
    RunFinished,
    Started,
    Warned,
)
from mmstudio.training.model import completed
from mmstudio.training.own_sources import keep_sources
from mmstudio.training.published import note_published
from mmstudio.training.ready import Ready, make_ready
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.run_list import summarise
from mmstudio.training.same_data import note_rows
from mmstudio.training.scored import scored_on
from mmstudio.training.setbacks import failed, not_written


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
        finished = resume and files.history(steps=False).finished is not None
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
        run=files.shown, device=name, precision=str(run.dtype).split(".")[1],
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
        yield Warned(f"All {settings.epochs} epochs of {files.shown} are done: nothing more is "
                     "trained.", f"Allow more, such as training.epochs = {2 * settings.epochs}.")
    yield from alignment_warnings(model.alignment, len(model.names), settings)
    yield from all_epochs(ready, files, wish)


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
    return RunFinished("stopped", files.shown, past.best_epoch or 0,
                       max(past.epochs, default=0), time.perf_counter() - began)


def _device_name(device: torch.device, ranks: Ranks | None) -> str:
    names: dict[str, Any] = {"cpu": "CPU", "mps": "Apple GPU"}
    name = (torch.cuda.get_device_name(device) if device.type == "cuda"
            else str(names.get(device.type, device.type)))
    return name if ranks is None else f"{ranks.size} × {name}"
