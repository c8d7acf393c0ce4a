"""Training as a generator of events: whoever iterates it sets the pace."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from mmstudio.data.batches import row_batches
from mmstudio.data.labels import Labels
from mmstudio.data.prepare import Dataset, Progress, prepare
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.reading import reading
from mmstudio.training.aligned import Embeddings, alignment_figures, alignment_warnings
from mmstudio.training.answers_file import save_combination
from mmstudio.training.best import Best, Score, score_of
from mmstudio.training.checkpoint import load_state, load_weights, save_state, save_weights
from mmstudio.training.choose import Chosen, choose, with_encoders_of
from mmstudio.training.combine import (
    Prepared,
    combined_figures,
    told_shares,
    weigh,
    with_machines,
)
from mmstudio.training.device import (
    choose_device,
    choose_precision,
    is_out_of_memory,
    memory_bytes,
    prepare_process,
    release_memory,
)
from mmstudio.training.encode_once import encoded_once
from mmstudio.training.epoch import train_epoch
from mmstudio.training.events import (
    CheckpointSaved,
    Combined,
    EncoderChosen,
    EpochDone,
    Preparing,
    RunEvent,
    RunFinished,
    Shortened,
    Started,
    Warned,
    without_nan,
)
from mmstudio.training.input_scores import inputs_scored
from mmstudio.training.model import build_model, completed
from mmstudio.training.published import check_published, note_published
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.same_model import check_same_model
from mmstudio.training.step import Run, make_run
from mmstudio.training.suited import Suited, suit, with_suited
from mmstudio.training.validate import figures_of, outputs_of, usual_losses

Made = TypeVar("Made", Dataset, Prepared, Chosen, Suited)

WEIGHED_EVERY_S = 30.0
"""While a training goes on, the answers of a better model are weighed anew, at most so often."""
KEPT_BACK = 0.1
"""Of a training's time, for what follows its last epoch."""
STOPPED_SCORING_S = 1.0
"""How long the inputs of a stopped run are scored: as many rows as it takes."""


def train(
    experiment: Experiment,
    run: Path,
    *,
    folder: Path,
    resume: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[RunEvent]:
    """Train a model and write its run folder.

    Args:
        experiment: What to train.
        run: The run folder to write; must not hold a run unless ``resume``.
        folder: What ``data.table`` is relative to.
        resume: Go on after the last whole epoch of the run that is there; one without a whole
            epoch starts anew, but not over weights that are there.
        should_stop: Asked at every step; True ends the run with its best and last weights kept.

    Yields:
        Events, in order; the last is RunFinished.

    Raises:
        UserError: What the user can mend: a key, a file, memory, a loss that is no number, a
            run that another process trains.
    """
    prepare_process()
    experiment = completed(experiment)
    files = RunFolder(run)
    if resume:
        RunFolder.existing(files.path)
    else:
        files.check_free()
    device = choose_device(experiment.training.device)
    dtype = choose_precision(experiment.training.precision, device)
    failure: UserError | None = None
    try:
        if resume:
            files.claim(resume=True)
            files.check_can_go_on()
        files.end_torn_line()
        for event in _events(experiment, files, folder, device, dtype, resume, should_stop):
            if not isinstance(event, Preparing):
                files.log_event(event, (folder, (folder / experiment.data.table).parent))
            yield event
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        failure = _out_of_memory(str(device))
    except OSError as error:
        failure = UserError(f"{files.path} can't be written: {error}.",
                            "Free some space, or take a folder that you may write to.")
    finally:
        files.release()
        release_memory(device)
    if failure is not None:
        # raised here, where the first exception and the model that its frames hold are gone
        raise failure


def _out_of_memory(device: str) -> UserError:
    return UserError(
        f"The memory of {device} does not hold this model in training, not even one sample at "
        "a time.", "Take smaller encoders, or set the tuning of published ones to frozen; close "
        "what else needs memory.")


def _events(
    experiment: Experiment, files: RunFolder, folder: Path, device: torch.device,
    dtype: torch.dtype, resume: bool, should_stop: Callable[[], bool],
) -> Iterator[RunEvent]:
    began = time.perf_counter()
    going_on = resume and files.state.is_file()
    if going_on:
        check_same_model(files, experiment)
        check_published(files)
    schema = files.schema() if going_on else None
    warnings: list[Warned] = []
    if going_on:
        experiment = with_encoders_of(files.experiment(), experiment)
        experiment = with_suited(completed(files.experiment()), experiment)
    chosen = yield from _all_of(choose(experiment, folder), should_stop, warnings)
    if chosen is None:
        yield _stopped_early(files, experiment, resume, going_on, began)
        return
    experiment = completed(chosen.experiment)
    dataset = yield from _all_of(
        prepare(experiment, folder, schema=schema), should_stop, warnings)
    if dataset is None:
        yield _stopped_early(files, experiment, resume, going_on, began)
        return
    rows = {split: dataset.rows(split) for split in ("train", "validation", "test")}
    if len(rows["train"]) < 2 or len(rows["validation"]) == 0:
        raise UserError("Too few rows with an input and a label to train on.",
                        "At least two for training and one for validation are needed.")
    if experiment.training.augment and not going_on:
        suited = yield from _all_of(
            suit(experiment, dataset, experiment.training.seed), should_stop, warnings)
        if suited is None:
            yield _stopped_early(files, experiment, resume, going_on, began)
            return
        experiment = suited.experiment
        warnings += [Warned(note) for note in suited.notes]
    limit_s = experiment.training.seconds_for(len(rows["train"]))
    epochs = experiment.training.epochs_for(len(rows["train"]))
    batch_size = experiment.training.batch_size_for(len(rows["train"]))
    patience = experiment.training.patience_for(epochs)
    if going_on and not experiment.training.epochs:
        epochs = files.experiment().training.epochs or epochs  # it may have been shortened
    experiment = experiment.replaced("training.epochs", epochs).replaced(
        "training.batch_size", batch_size).replaced("training.patience", patience)
    settings = experiment.training
    torch.manual_seed(settings.seed)
    model = build_model(experiment, dataset.schema)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = len(row_batches(rows["train"], settings.batch_size))
    run = make_run(experiment, dataset, model, device, dtype, steps)
    run.began = began
    if going_on:
        _resume(run, files, device)
    dataset = yield from _all_of(
        encoded_once(model, dataset, device, dtype), should_stop, warnings)
    if dataset is None:
        yield _stopped_early(files, experiment, resume, going_on, began)
        return
    combination = None
    if settings.combine:
        prepared_for = yield from _all_of(
            with_machines(model, dataset, run.heads, settings.seed), should_stop, warnings)
        if prepared_for is None:
            yield _stopped_early(files, experiment, resume, going_on, began)
            return
        dataset, combination = prepared_for.dataset, prepared_for.combination.to(device)
        run.combination = combination
    # not before the weights are read: a resume that fails must leave the run as it was
    files.claim(resume=resume)
    files.write_experiment(experiment)
    files.write_text("schema.json", dataset.schema.to_text())
    note_published(files, experiment)
    yield Started(
        run=_shown(files), device=_device_name(device), precision=str(dtype).split(".")[1],
        parameters=sum(p.numel() for p in model.parameters()), epochs=settings.epochs,
        steps_per_epoch=steps, first_epoch=run.epoch + 1,
        samples={split: len(r) for split, r in rows.items()},
        inputs=list(model.names),
        tasks={n: t.main_metric for n, t in model.tasks.items()})
    for name, decoded in dataset.decoded.items():
        if decoded.errors:
            row, reason = next(iter(decoded.errors.items()))
            yield Warned(
                f"{len(decoded.errors)} of input '{name}' can't be read; row {row + 1}: {reason}",
                "Those rows train on their other inputs." if len(model.names) > 1
                else "Those rows are left out.")
    for choice in chosen.choices:
        yield EncoderChosen(choice.input, choice.encoder.name,
                            str(choice.encoder.options.get("model", "")), choice.reason)
    yield from warnings
    yield from alignment_warnings(model.alignment, len(model.names), settings)
    yield from _epochs(run, experiment, dataset, rows, files, should_stop, limit_s)


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


def _epochs(
    run: Run, experiment: Experiment, dataset: Dataset, rows: dict[str, np.ndarray],
    files: RunFolder, should_stop: Callable[[], bool], limit_s: float | None,
) -> Iterator[RunEvent]:
    settings, weights, device = experiment.training, run.weights, run.device
    labels = {n: labels.of(rows["validation"]) for n, labels in dataset.labels.items()}
    reason, trained = "completed", 0.0
    run.usual_losses = usual_losses(run.model, dataset, rows["train"], labels)
    first, epochs = run.epoch, settings.epochs
    weighed = time.perf_counter()
    if not files.state.is_file():  # a stop in the first epoch can be gone on with too
        _save_state(run, files)
        if run.combination is not None:
            yield _weighed(run, dataset, files, trained=False)
    while run.epoch < epochs:
        epoch_began = time.perf_counter()
        figures = yield from train_epoch(run, experiment, dataset, rows["train"], should_stop)
        if figures is None:
            reason = "stopped"
            break
        seconds = time.perf_counter() - epoch_began
        if not run.alone:  # an epoch without answers leaves their weights as they began
            run.average.update()
        with run.average.in_place():
            validation, score, alignment = _validated(run, dataset, rows["validation"], labels,
                                                      settings.batch_size)
            inputs = {} if run.watching is None else run.watching.figures()
            run.epoch += 1
            better = run.best.take(run.epoch, score)
            if better:
                save_weights(run.model, files.best)
                if run.watch is not None:
                    run.watch.keep_best()
            save_weights(run.model, files.last)
        yield from run.held.warnings()
        _save_state(run, files)
        trained += time.perf_counter() - epoch_began
        if limit_s is not None and run.epoch == first + 1:
            epochs = _fitting(run, epochs, trained, limit_s)
            if epochs < settings.epochs:
                files.write_experiment(experiment.replaced("training.epochs", epochs))
                yield Shortened(epochs, limit_s / 60)
        yield EpochDone(
            run.epoch, figures, validation, seconds, len(rows["train"]) / seconds,
            trained / (run.epoch - first) * (epochs - run.epoch), memory_bytes(device),
            inputs, alignment)
        yield CheckpointSaved(run.epoch, better)
        if (better and run.combination is not None and not run.alone
                and time.perf_counter() - weighed > WEIGHED_EVERY_S):
            yield _weighed(run, dataset, files, trained=True)
            weighed = time.perf_counter()
        if run.epoch < epochs and run.epoch - run.best.gained >= settings.patience:
            reason = "early_stopped"
            break
        if should_stop():
            reason = "stopped"
            break
    if not files.best.is_file():
        save_weights(run.model, files.last)
        save_weights(run.model, files.best)
    if run.combination is not None and run.best.epoch > run.epochs_without_answers:
        yield _weighed(run, dataset, files, trained=True)
        run.model.answer_with(run.combination)
    if run.watch is not None and run.best.epoch > run.epochs_without_answers:
        split = "test" if len(rows["test"]) else "validation"
        yield inputs_scored(run.model, files.best, dataset, split, device, weights,
                            _enough(reason, should_stop))
    yield RunFinished(reason, _shown(files), run.best.epoch, run.epoch,
                      time.perf_counter() - run.began)


def _fitting(run: Run, epochs: int, first_s: float, limit_s: float) -> int:
    """How many epochs the time allows, after the first; the learning rate falls in as many."""
    left_s = limit_s * (1 - KEPT_BACK) - (time.perf_counter() - run.began)
    allowed = run.epoch + max(1, int(left_s / first_s))
    if allowed >= epochs:
        return epochs
    run.falling.shorten(run.falling.steps * allowed // epochs, run.step)
    return allowed


def _weighed(run: Run, dataset: Dataset, files: RunFolder, *, trained: bool) -> Combined:
    """Weigh the answers of the best model so far, and write what the run answers with."""
    combination, model = run.combination, run.model
    if combination is None:
        raise ValueError("the run has no combination")
    own = {n: t.detach().clone() for n, t in model.state_dict().items()}
    if trained:
        # into the parameters that the optimiser holds
        load_weights(model, files.best, run.device, in_place=True)
        if combination.heads is not None and run.watch is not None:
            combination.heads.load_state_dict(run.watch.best)
    else:
        save_weights(model, files.best)
    try:
        weigh(combination, model, dataset, run.device, trained)
        figures = combined_figures(combination, model, dataset, run.device, run.weights)
    finally:
        model.load_state_dict(own)
    save_combination(combination, files.answers)
    return Combined(told_shares(combination, model.names), without_nan(figures), trained)


def _validated(
    run: Run, dataset: Dataset, rows: np.ndarray, labels: Mapping[str, Labels], batch_size: int
) -> tuple[dict[str, Any], Score, dict[str, Any]]:
    """The validation's figures, what "best" goes by, and what is told of the alignment."""
    alignment = run.model.alignment
    found = None if alignment is None else Embeddings(alignment)
    outputs = outputs_of(run.model, dataset, rows, run.device, run.held, found)
    figures = figures_of(run.model, outputs, labels, run.weights)
    score = score_of(
        run.model.tasks, figures, {n: int(of.known.sum()) for n, of in labels.items()},
        run.usual_losses)
    if alignment is None or found is None or run.contents is None:
        return figures, score, {}
    aligned = alignment_figures(
        alignment, run.model.names, found, run.contents[rows], batch_size)
    if run.alone:
        figures["loss"] = aligned.loss
    return figures, aligned.score if run.alone else score, {
        "train": {"loss": run.aligned}, "validation": {"loss": aligned.loss},
        "temperature": alignment.temperature,
        "retrieval": [one.to_json() for one in aligned.retrieval]}


def _enough(reason: str, should_stop: Callable[[], bool]) -> Callable[[], bool]:
    """Whether enough rows were looked at: a stop, also one before, must not take long."""
    began = time.perf_counter()
    if reason == "stopped":
        return lambda: time.perf_counter() - began > STOPPED_SCORING_S
    return should_stop


def _save_state(run: Run, files: RunFolder) -> None:
    save_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, {
        "epoch": run.epoch, "step": run.step, "best": dataclasses.asdict(run.best),
        "rate": run.falling.state_dict()},
        None if run.watch is None else run.watch.state_dict(), run.average.state_dict())


def _resume(run: Run, files: RunFolder, device: torch.device) -> None:
    """Go on after the last whole epoch."""
    state = load_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, device,
                       run.watch, run.average)
    run.epoch, run.step = state["epoch"], state["step"]
    with reading(files.state, "Train the run again, under another name."):
        # one of as many epochs goes on as it fell; a run from before could not be shortened
        if state.get("rate", {}).get("steps") == run.falling.steps:
            run.falling.load_state_dict(state["rate"])
        if "best" in state:
            best = {name: float(value) for name, value in state["best"].items()}
            counts = {name: int(best[name]) for name in ("epoch", "gained")}
            run.best = Best(**(best | counts))  # type: ignore[arg-type]
        else:  # a run from before the loss decided between figures that chance can't tell apart
            (figure, loss), epoch = state["best_score"], state["best_epoch"]
            run.best = Best(epoch, figure, -loss, figure, gained=epoch)


def _shown(files: RunFolder) -> str:
    return f"{files.path.parent.name}/{files.name}"


def _device_name(device: torch.device) -> str:
    names: dict[str, Any] = {"cpu": "CPU", "mps": "Apple GPU"}
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(names.get(device.type, device.type))
