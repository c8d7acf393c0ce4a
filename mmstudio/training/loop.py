"""Training as a generator of events: whoever iterates it sets the pace."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.batches import make_batch, prefetched, row_batches
from mmstudio.data.prepare import Dataset, prepare
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.tasks.balancing import UncertaintyBalancing
from mmstudio.training.checkpoint import load_state, save_state, save_weights
from mmstudio.training.device import (
    choose_device,
    choose_precision,
    memory_bytes,
    prepare_process,
    release_memory,
)
from mmstudio.training.events import (
    CheckpointSaved,
    EpochDone,
    Preparing,
    RunEvent,
    RunFinished,
    Started,
    StepDone,
    Warned,
)
from mmstudio.training.input_scores import inputs_scored
from mmstudio.training.input_watch import InputWatch
from mmstudio.training.model import MultimodalModel, build_model, completed
from mmstudio.training.optimise import (
    clip_gradients,
    kept_inputs,
    make_optimiser,
    make_schedule,
)
from mmstudio.training.run_folder import RunFolder
from mmstudio.training.same_model import check_same_model
from mmstudio.training.validate import figures_of, outputs_of

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
            epoch starts anew.
        should_stop: Asked at every step; True ends the run with its best and last weights kept.

    Yields:
        Events, in order; the last is RunFinished.

    Raises:
        UserError: What the user can mend: a key, a file, memory, a loss that is no number.
    """
    prepare_process()
    experiment = completed(experiment)
    files = RunFolder(run)
    if resume:
        RunFolder.existing(files.path)
    elif files.path.is_file() or (files.path.exists() and any(files.path.iterdir())):
        raise UserError(f"{files.path} is there already.",
                        "Take another name, or resume the run.")
    device = choose_device(experiment.training.device)
    dtype = choose_precision(experiment.training.precision, device)
    failure: UserError | None = None
    try:
        files.end_torn_line()
        for event in _events(experiment, files, folder, device, dtype, resume, should_stop):
            if not isinstance(event, Preparing):
                with files.log.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(event.to_json()) + "\n")
            yield event
    except torch.OutOfMemoryError:
        failure = _out_of_memory(experiment, str(device))
    except RuntimeError as error:
        if "can't allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        failure = _out_of_memory(experiment, str(device))
    except OSError as error:
        failure = UserError(f"{files.path} can't be written: {error}.",
                            "Free some space, or take a folder that you may write to.")
    finally:
        release_memory(device)
    if failure is not None:
        # raised here, where the first exception and the model that its frames hold are gone
        raise failure


def _out_of_memory(experiment: Experiment, device: str) -> UserError:
    size = experiment.training.batch_size
    return UserError(
        f"The memory of {device} does not hold a batch of {size} samples.",
        f"Set training.batch_size to {max(1, size // 2)} or less, or take smaller encoders.")


@dataclass
class _Run:
    """What the loop changes from epoch to epoch; ``watch`` is None where one input is all."""

    model: MultimodalModel
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    watch: InputWatch | None = None
    step: int = 0
    epoch: int = 0
    best_score: tuple[float, float] = (float("-inf"), float("-inf"))
    best_epoch: int = 0
    began: float = field(default_factory=time.perf_counter)


def _events(
    experiment: Experiment, files: RunFolder, folder: Path, device: torch.device,
    dtype: torch.dtype, resume: bool, should_stop: Callable[[], bool],
) -> Iterator[RunEvent]:
    settings = experiment.training
    began = time.perf_counter()
    dataset: Dataset | None = None
    going_on = resume and files.state.is_file()
    if going_on:
        check_same_model(files, experiment)
    schema = files.schema() if going_on else None
    for item in prepare(experiment, folder, schema=schema):
        if isinstance(item, Dataset):
            dataset = item
        else:
            yield Preparing(item.message, item.done, item.total)
        if should_stop():
            if not going_on:
                files.path.mkdir(parents=True, exist_ok=True)
                files.write_text("experiment.toml", experiment.to_toml())
            past = files.history()
            yield RunFinished("stopped", _shown(files), past.best_epoch or 0,
                              max(past.epochs, default=0), time.perf_counter() - began)
            return
    if dataset is None:
        raise UserError("The data gave no rows.", "Check data.table.")
    rows = {split: dataset.rows(split) for split in ("train", "validation", "test")}
    if len(rows["train"]) < 2 or len(rows["validation"]) == 0:
        raise UserError("Too few rows with an input and a label to train on.",
                        "At least two for training and one for validation are needed.")
    torch.manual_seed(settings.seed)
    model = build_model(experiment, dataset.schema)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = len(row_batches(rows["train"], settings.batch_size))
    optimiser = make_optimiser(model, settings, steps)
    run = _Run(model, optimiser, make_schedule(optimiser, settings, steps),
               torch.amp.GradScaler(device.type, enabled=dtype == torch.float16), began=began,
               watch=InputWatch(experiment, dataset.schema, model, steps)
               if len(model.names) > 1 else None)
    if going_on:
        _resume(run, files, device)
    # not before the weights are read: a resume that fails must leave the run as it was
    files.path.mkdir(parents=True, exist_ok=True)
    files.write_text("experiment.toml", experiment.to_toml())
    files.write_text("schema.json", dataset.schema.to_text())
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
                "Those rows train on their other inputs.")
    yield from _epochs(run, experiment, dataset, rows, files, device, dtype, should_stop)


def _epochs(
    run: _Run, experiment: Experiment, dataset: Dataset, rows: dict[str, np.ndarray],
    files: RunFolder, device: torch.device, dtype: torch.dtype, should_stop: Callable[[], bool],
) -> Iterator[RunEvent]:
    settings = experiment.training
    weights = {n: t.weight for n, t in experiment.active_targets.items()}
    labels = {n: labels.of(rows["validation"]) for n, labels in dataset.labels.items()}
    reason, trained = "completed", 0.0
    first = run.epoch
    while run.epoch < settings.epochs:
        epoch_began = time.perf_counter()
        figures = yield from _epoch(run, experiment, dataset, rows["train"], device, dtype,
                                    should_stop)
        if figures is None:
            reason = "stopped"
            break
        seconds = time.perf_counter() - epoch_began
        outputs = outputs_of(run.model, dataset, rows["validation"], device)
        validation = figures_of(run.model, outputs, labels, weights)
        run.epoch += 1
        score = _score(run.model, validation)
        better = score > run.best_score
        if better:
            run.best_score, run.best_epoch = score, run.epoch
            save_weights(run.model, files.best)
        save_weights(run.model, files.last)
        save_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, {
            "epoch": run.epoch, "step": run.step, "best_score": run.best_score,
            "best_epoch": run.best_epoch},
            None if run.watch is None else run.watch.state_dict())
        trained += time.perf_counter() - epoch_began
        yield EpochDone(
            run.epoch, figures, validation, seconds, len(rows["train"]) / seconds,
            trained / (run.epoch - first) * (settings.epochs - run.epoch), memory_bytes(device),
            {} if run.watch is None else run.watch.figures())
        yield CheckpointSaved(run.epoch, better)
        if run.epoch < settings.epochs and run.epoch - run.best_epoch >= settings.patience:
            reason = "early_stopped"
            break
        if should_stop():
            reason = "stopped"
            break
    if not files.best.is_file():
        save_weights(run.model, files.last)
        save_weights(run.model, files.best)
    if run.watch is not None and run.best_epoch:
        split = "test" if len(rows["test"]) else "validation"
        yield inputs_scored(run.model, files.best, dataset, split, device, weights,
                            _enough(reason, should_stop))
    yield RunFinished(reason, _shown(files), run.best_epoch, run.epoch,
                      time.perf_counter() - run.began)


def _enough(reason: str, should_stop: Callable[[], bool]) -> Callable[[], bool]:
    """Whether enough rows were looked at: a stop, also one before, must not take long."""
    began = time.perf_counter()
    if reason == "stopped":
        return lambda: time.perf_counter() - began > STOPPED_SCORING_S
    return should_stop


def _epoch(
    run: _Run, experiment: Experiment, dataset: Dataset, rows: np.ndarray,
    device: torch.device, dtype: torch.dtype, should_stop: Callable[[], bool],
) -> Generator[RunEvent, None, dict[str, Any] | None]:
    """One pass over the training rows; returns its figures, None when it was stopped."""
    settings = experiment.training
    weights = {n: t.weight for n, t in experiment.active_targets.items()}
    seed = [settings.seed, run.epoch]
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    chance = torch.Generator().manual_seed(number)
    vary = torch.Generator(device).manual_seed(number) if settings.augment else None
    chosen = row_batches(rows, settings.batch_size, np.random.default_rng(seed))
    batches = prefetched(make_batch(dataset, run.model.modalities, c) for c in chosen)
    if run.watch is not None:
        run.watch.begin_epoch(number)
    outputs: dict[str, list[torch.Tensor]] = {n: [] for n in run.model.task_names}
    losses: list[float] = []
    waiting: torch.Tensor | None = None
    began, done = time.perf_counter(), 0
    run.model.train()

    def told(loss: torch.Tensor) -> StepDone:
        losses.append(_checked_loss(loss, run.epoch + 1, settings.learning_rate))
        return StepDone(run.epoch + 1, len(losses) + run.epoch * len(chosen), losses[-1],
                        float(run.schedule.get_last_lr()[0]), done / (time.perf_counter() - began))

    try:
        for batch in batches:
            if should_stop():
                return None
            present = torch.stack([i.present for i in batch.inputs.values()], dim=1)
            keep = kept_inputs(present, experiment.input_dropout, chance)
            batch = batch.to(device)
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                features, seen = run.model.encoded(
                    run.model.prepared(batch, vary),
                    keep=None if keep is None else keep.to(device))
                answers = run.model.answered(features, seen)
            losses_by_task = {
                n: task.loss(answers[n].float(), batch.targets[n], batch.known[n])
                for n, task in run.model.tasks.items()}
            balanced = run.model.balancing(losses_by_task, batch.known, weights)
            if run.watch is not None:
                rate = float(run.schedule.get_last_lr()[0])
                own = run.watch.observe(features, seen, batch, rate)
                balanced = balanced if own is None else balanced + own
            _update(run, balanced, settings.gradient_clip)
            # what is told and drawn is comparable with the validation's, however it is balanced
            loss = torch.stack([weights[n] * x.detach() for n, x in losses_by_task.items()]).sum()
            for name, values in answers.items():
                outputs[name].append(values.detach())
            done += len(present)
            # told one step late: the device works on while the last loss is fetched
            if waiting is not None:
                yield told(waiting)
            waiting = loss
        if waiting is not None:
            yield told(waiting)
    finally:
        batches.close()
    order = np.concatenate(chosen)
    figures = figures_of(
        run.model, {n: torch.cat(p).float().cpu().numpy() for n, p in outputs.items()},
        {n: labels.of(order) for n, labels in dataset.labels.items()}, weights)
    figures["loss"] = float(np.mean(losses))
    if isinstance(run.model.balancing, UncertaintyBalancing):
        for name, weight in run.model.balancing.loss_weights().items():
            figures[name]["loss_weight"] = weight
    return figures


def _score(model: MultimodalModel, figures: dict[str, Any]) -> tuple[float, float]:
    """What "best" means: the mean of the tasks' main figures, and among equals the lower loss.

    The loss alone grows with the confidence of the few wrong answers while the others get better.
    R² has no lower end: below -1 it counts as -1, or one target would outweigh all others.
    """
    main = np.maximum(-1.0, [figures[n][task.main_metric] for n, task in model.tasks.items()])
    return float(np.nanmean(main)) if not np.isnan(main).all() else 0.0, -figures["loss"]


def _update(run: _Run, loss: torch.Tensor, clip: float) -> None:
    run.optimiser.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    run.scaler.unscale_(run.optimiser)
    if run.watch is not None:
        run.watch.after_backward(run.scaler)
    moved, norms = clip_gradients(run.model.parameters(), clip)
    if run.watch is not None:
        run.watch.note_norms(moved, norms)
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.schedule.step()
    run.step += 1


def _checked_loss(loss: torch.Tensor, epoch: int, learning_rate: float) -> float:
    value = float(loss)
    if not np.isfinite(value):
        raise UserError(
            f"The loss of epoch {epoch} is no number ({value}).",
            f"Set training.learning_rate to {learning_rate / 10:g}, or precision = \"float32\".")
    return value


def _resume(run: _Run, files: RunFolder, device: torch.device) -> None:
    """Go on after the last whole epoch."""
    state = load_state(files.state, run.model, run.optimiser, run.schedule, run.scaler, device,
                       run.watch)
    run.epoch, run.step = state["epoch"], state["step"]
    run.best_score, run.best_epoch = tuple(state["best_score"]), state["best_epoch"]


def _shown(files: RunFolder) -> str:
    return f"{files.path.parent.name}/{files.name}"


def _device_name(device: torch.device) -> str:
    names: dict[str, Any] = {"cpu": "CPU", "mps": "Apple GPU"}
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(names.get(device.type, device.type))
