"""One pass over the training rows, told step by step."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmstudio.data.alike import lengths_of, training_batches
from mmstudio.data.batches import Batch, make_batch, prefetched
from mmstudio.data.prepare import Dataset
from mmstudio.experiment import Experiment
from mmstudio.experiment_settings import TrainingSettings
from mmstudio.reading import reading
from mmstudio.tasks.balancing import UncertaintyBalancing
from mmstudio.training.checkpoint import is_finite
from mmstudio.training.checkpoints import Checkpoints
from mmstudio.training.distributed.own_rows import OwnRows, own_rows
from mmstudio.training.events import RunEvent, StepDone, Warned
from mmstudio.training.fetched import Fetched
from mmstudio.training.gathered import Gathered
from mmstudio.training.optimise import kept_inputs
from mmstudio.training.step import Run, StepTaken, take_step
from mmstudio.training.validate import figures_of
from mmstudio.training.within_epoch import WithinEpoch, order_of


class Diverged(Exception):
    """A step's loss, or a weight after it, was not a number.

    Attributes:
        what: That, in words.
        rows: Of the batch, counted from 0.
    """

    def __init__(self, what: str, rows: np.ndarray) -> None:
        super().__init__(what)
        self.what, self.rows = what, rows


def train_epoch(
    run: Run, experiment: Experiment, dataset: Dataset, rows: np.ndarray,
    should_stop: Callable[[], bool], checkpoints: Checkpoints | None = None,
) -> Generator[RunEvent, None, dict[str, Any] | None]:
    """One pass over the training rows, from where the run is in it.

    Args:
        run: What is trained; its epoch is the number of those that are done.
        experiment: A completed experiment.
        dataset: Where the rows are.
        rows: Their numbers.
        should_stop: Asked at every step.
        checkpoints: Writes the state now and then, and at a stop; None writes none.

    Yields:
        StepDone after each step, Tuned where another way of making them is the faster, Warned
        where memory asks for smaller parts.

    Returns:
        The epoch's figures, None when it was stopped.

    Raises:
        Diverged: A loss that is not a number.
        OSError: The state can't be written.
    """
    settings = experiment.training
    chosen = _batches(run, settings, dataset, rows)
    so_far = _begun(run, settings, order_of(chosen, run.scored_on))
    _go_on(run, so_far)
    left = chosen[len(so_far.losses):]
    batches = prefetched(_read(run, dataset, c).ready_for(run.device) for c in left)
    waiting: tuple[Fetched, np.ndarray] | None = None
    began, here = time.perf_counter() - so_far.seconds, time.perf_counter()
    before, latest = so_far.rows, rows
    run.model.train()

    def told(step: tuple[Fetched, np.ndarray]) -> StepDone:
        so_far.losses.append(_checked_loss(step, run.epoch + 1))
        return StepDone(run.epoch + 1, len(so_far.losses) + run.epoch * len(chosen),
                        so_far.losses[-1], run.rate,
                        (so_far.rows - before) / (time.perf_counter() - here))

    try:
        for batch, these in zip(batches, left, strict=False):
            stopped = should_stop()
            due = bool(so_far.rows) and checkpoints is not None and (
                stopped or checkpoints.due())
            if run.ranks is not None:
                stopped, due = run.ranks.agreed(stopped, due)
            if due and checkpoints is not None:
                if waiting is not None:
                    yield told(waiting)
                waiting = None
                _check_weights(run, latest)
                checkpoints.save(_state(run, so_far, time.perf_counter() - began))
            if stopped:
                return None
            contents = None if run.contents is None else torch.from_numpy(run.contents[these])
            taken = (
                _shared_step(run, batch, contents, experiment, so_far)
                if isinstance(batch, OwnRows)
                else _step(run, batch, contents, experiment, so_far))
            yield from run.pace.told()
            yield from run.parts.warnings()
            so_far.take(taken, len(batch))
            # told one step late: the device works on while the last loss comes over
            if waiting is not None:
                yield told(waiting)
            waiting, latest = (Fetched(taken.loss), these), these
        if waiting is not None:
            yield told(waiting)
            _check_weights(run, waiting[1])
    finally:
        batches.close()
    return _figures(run, dataset, np.concatenate(chosen), so_far)


def _read(run: Run, dataset: Dataset, rows: np.ndarray) -> Batch | OwnRows:
    """The batch of these rows; where several processes make it, the part that is this one's."""
    if run.ranks is None:
        return make_batch(dataset, run.model.modalities, rows)
    return own_rows(run.ranks.share(len(rows)), dataset, run.model.modalities, rows)


def _step(
    run: Run, batch: Batch, contents: torch.Tensor | None, experiment: Experiment,
    so_far: WithinEpoch,
) -> StepTaken:
    """One step of this process alone."""
    if contents is not None:
        batch = dataclasses.replace(batch, contents=contents)
    present = torch.stack([i.present for i in batch.inputs.values()], dim=1)
    keep = kept_inputs(present, experiment.input_dropout, so_far.hiding)
    with run.pace.step(run.work.of(batch)):
        return take_step(run, batch, keep, so_far.varying)


def _shared_step(
    run: Run, own: OwnRows, contents: torch.Tensor | None, experiment: Experiment,
    so_far: WithinEpoch,
) -> StepTaken:
    """One step together with the other processes, which draw the same for all rows."""
    if run.shared is None:
        raise ValueError("nothing makes the steps of several processes")
    keep = kept_inputs(own.present, experiment.input_dropout, so_far.hiding)
    return run.shared(own, keep, so_far.varying, contents)


def _begun(run: Run, settings: TrainingSettings, order: str) -> WithinEpoch:
    """An epoch before its first step."""
    hiding, varying, modulating = streams(settings.seed, run.epoch)
    if run.watch is not None:
        run.watch.begin_epoch(modulating)
    return WithinEpoch(
        order, torch.Generator().manual_seed(hiding),
        torch.Generator(run.device).manual_seed(varying) if settings.augment else None,
        {name: Gathered() for name in run.model.task_names})


def _go_on(run: Run, so_far: WithinEpoch) -> None:
    """Put an epoch where the run was in it, if it was in one."""
    within, run.within = run.within, None
    if within is None or within.get("order") != so_far.order:
        return
    with reading(Path("state.pt"), "Train the run again, under another name."):
        so_far.load_state_dict(within, run.device)
        if run.watch is not None and within.get("watch") is not None:
            run.watch.load_epoch_state(within["watch"])


def check_within(
    run: Run, experiment: Experiment, dataset: Dataset, rows: np.ndarray, content: str
) -> list[Warned]:
    """Have a resumed run begin its epoch anew where its batches are others than it began with.

    Args:
        run: As it was resumed.
        experiment: A completed experiment.
        dataset: Where the rows are.
        rows: Those of the training.
        content: What names what they hold.
    """
    if run.within is None or run.within.get("order") == order_of(
            _batches(run, experiment.training, dataset, rows), content):
        return []
    run.within = None
    return [Warned(f"Epoch {run.epoch + 1} begins anew: its batches are not those that it began "
                   "with.", "The rows, the batch size or the seed were changed since.")]


def _batches(
    run: Run, settings: TrainingSettings, dataset: Dataset, rows: np.ndarray
) -> list[np.ndarray]:
    """The rows of the run's epoch, batch by batch."""
    order = np.random.default_rng([settings.seed, run.epoch])
    return training_batches(rows, settings.batch_size, order, lengths_of(dataset))


def _state(run: Run, so_far: WithinEpoch, seconds: float) -> dict[str, Any]:
    """What a resume within the epoch needs."""
    return {**so_far.state_dict(seconds),
            "watch": None if run.watch is None else run.watch.epoch_state()}


def _figures(
    run: Run, dataset: Dataset, order: np.ndarray, so_far: WithinEpoch
) -> dict[str, Any]:
    """The figures of an epoch whose rows came in this order."""
    figures = figures_of(
        run.model, {n: gathered.all() for n, gathered in so_far.outputs.items()},
        {n: labels.of(order) for n, labels in dataset.labels.items()}, run.weights, kept=True)
    figures["loss"] = float(np.mean(so_far.losses))
    run.aligned = (torch.stack(so_far.aligned).mean().item() if so_far.aligned
                   else float("nan"))
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


def _checked_loss(step: tuple[Fetched, np.ndarray], epoch: int) -> float:
    value = float(step[0])
    if not np.isfinite(value):
        raise Diverged(f"the loss in epoch {epoch} is {value}", step[1])
    return value


def _check_weights(run: Run, rows: np.ndarray) -> None:
    """A checkpoint of weights that are no numbers would take the place of a good one."""
    if not is_finite(run.model):
        raise Diverged(f"a weight in epoch {run.epoch + 1} is not a number", rows)
