"""One pass over the training rows, told step by step."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch

from mmstudio.data.alike import lengths_of, training_batches
from mmstudio.data.batches import make_batch, prefetched
from mmstudio.data.prepare import Dataset
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.tasks.balancing import UncertaintyBalancing
from mmstudio.training.events import RunEvent, StepDone
from mmstudio.training.fetched import Fetched
from mmstudio.training.gathered import Gathered
from mmstudio.training.optimise import kept_inputs
from mmstudio.training.step import Run, take_step
from mmstudio.training.validate import figures_of


def train_epoch(
    run: Run, experiment: Experiment, dataset: Dataset, rows: np.ndarray,
    should_stop: Callable[[], bool],
) -> Generator[RunEvent, None, dict[str, Any] | None]:
    """One pass over the training rows.

    Args:
        run: What is trained; its epoch is the number of those that are done.
        experiment: A completed experiment.
        dataset: Where the rows are.
        rows: Their numbers.
        should_stop: Asked at every step.

    Yields:
        StepDone after each step, Tuned where another way of making them is the faster, Warned
        where memory asks for smaller parts.

    Returns:
        The epoch's figures, None when it was stopped.

    Raises:
        UserError: A loss that is not a number.
    """
    settings = experiment.training
    seed = [settings.seed, run.epoch]
    hiding, varying, modulating = streams(settings.seed, run.epoch)
    chance = torch.Generator().manual_seed(hiding)
    vary = torch.Generator(run.device).manual_seed(varying) if settings.augment else None
    chosen = training_batches(rows, settings.batch_size, np.random.default_rng(seed),
                              lengths_of(dataset))
    batches = prefetched(
        make_batch(dataset, run.model.modalities, c).ready_for(run.device) for c in chosen)
    if run.watch is not None:
        run.watch.begin_epoch(modulating)
    outputs = {name: Gathered() for name in run.model.task_names}
    losses: list[float] = []
    aligned: list[torch.Tensor] = []
    waiting: Fetched | None = None
    began, done = time.perf_counter(), 0
    run.model.train()

    def told(loss: Fetched) -> StepDone:
        losses.append(_checked_loss(loss, run.epoch + 1, settings.learning_rate))
        return StepDone(run.epoch + 1, len(losses) + run.epoch * len(chosen), losses[-1],
                        run.rate, done / (time.perf_counter() - began))

    try:
        for batch, these in zip(batches, chosen, strict=False):
            if should_stop():
                return None
            if run.contents is not None:
                batch = dataclasses.replace(batch, contents=torch.from_numpy(run.contents[these]))
            present = torch.stack([i.present for i in batch.inputs.values()], dim=1)
            keep = kept_inputs(present, experiment.input_dropout, chance)
            with run.pace.step(run.work.of(batch)):
                taken = take_step(run, batch, keep, vary)
            yield from run.pace.told()
            yield from run.parts.warnings()
            for name, values in taken.outputs.items():
                outputs[name].add(values)
            if taken.aligned is not None:
                aligned.append(taken.aligned)
            done += len(batch)
            # told one step late: the device works on while the last loss comes over
            if waiting is not None:
                yield told(waiting)
            waiting = Fetched(taken.loss)
        if waiting is not None:
            yield told(waiting)
    finally:
        batches.close()
    order = np.concatenate(chosen)
    figures = figures_of(
        run.model, {n: gathered.all() for n, gathered in outputs.items()},
        {n: labels.of(order) for n, labels in dataset.labels.items()}, run.weights, kept=True)
    figures["loss"] = float(np.mean(losses))
    run.aligned = torch.stack(aligned).mean().item() if aligned else float("nan")
    if isinstance(run.model.balancing, UncertaintyBalancing):
        for name, weight in run.model.balancing.loss_weights().items():
            figures[name]["loss_weight"] = weight
    return figures


def streams(seed: int, epoch: int) -> tuple[int, int, int]:
    """The seeds of an epoch's modality dropout, augmentation and modulation.

    They are independent: drawn from one, what hides an input would also be what turns it. What
    the layers draw comes from torch's own state, which the run keeps.
    """
    hiding, varying, modulating = np.random.SeedSequence([seed, epoch]).spawn(3)
    return _number_of(hiding), _number_of(varying), _number_of(modulating)


def _number_of(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))  # torch takes 63 bits


def _checked_loss(loss: Fetched, epoch: int, learning_rate: float) -> float:
    value = float(loss)
    if not np.isfinite(value):
        raise UserError(
            f"Training diverged: the loss in epoch {epoch} is {value}.",
            f"Set training.learning_rate to {learning_rate / 10:g}, or precision = \"float32\".")
    return value
