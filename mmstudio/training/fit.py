"""What a training will take, found out before it begins: memory, time, a batch size that fits.

A few rows are decoded and a few real steps are made with them on the real device; nothing of it
is kept, no run is written, and what training draws at random later is the same as without.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mmstudio.data.prepare import Progress
from mmstudio.errors import UserError
from mmstudio.experiment import Experiment
from mmstudio.pretrained.preprocessing import model_of
from mmstudio.pretrained.source import find
from mmstudio.training.choose import without_auto
from mmstudio.training.device import (
    choose_device,
    choose_precision,
    free_bytes,
    is_out_of_memory,
    prepare_process,
    release_memory,
)
from mmstudio.training.dry_data import DryData, dry_data
from mmstudio.training.dry_step import Costs, costs_of
from mmstudio.training.model import completed
from mmstudio.units import size_text

SAFE = 0.9
"""Of the free memory that a training may need by this estimate: it is none to the byte."""
VALIDATED = 1 / 3
"""What validation costs per row, in training steps' rows: a forward pass without the backward."""
TRAINED_COPIES = 4
"""A trained weight is there with its gradient and two running means of the optimiser."""


@dataclass(frozen=True)
class Fit:
    """What a training takes.

    Attributes:
        fits: Whether the experiment's own batch size fits into the memory.
        batch_size: The experiment's own where it fits, else the largest of its halves that does;
            its own too where not even one sample fits.
        memory_bytes: What the experiment's own batch size takes, all that training holds.
        free_bytes: What is free now.
        seconds_per_epoch: With ``batch_size``, validation included.
        encode_seconds: Once, before the first epoch, for frozen encoders whose features are not
            kept yet; 0 where there are none.
        steps_per_epoch: With ``batch_size``.
        parameters: Of the whole model.
        trained: Of these, how many training changes.
        device: Where it would train.
        too_large: Not even one sample fits.
        wanted: The experiment's own batch size, the one for its rows where that is automatic.
    """

    fits: bool
    batch_size: int
    memory_bytes: int
    free_bytes: int
    seconds_per_epoch: float
    encode_seconds: float = 0.0
    steps_per_epoch: int = 0
    parameters: int = 0
    trained: int = 0
    device: str = "cpu"
    too_large: bool = False
    wanted: int = 0

    @property
    def message(self) -> str:
        """What is wrong, in words; empty where the training fits."""
        if self.fits:
            return ""
        needs, free = size_text(self.memory_bytes), size_text(self.free_bytes)
        return f"This training needs about {needs} of memory; {free} are free on {self.device}."

    @property
    def hint(self) -> str:
        """What to take instead; empty where the training fits."""
        if self.fits:
            return ""
        smaller = "set the tuning of published encoders to frozen, or take smaller models"
        if self.too_large:
            return f"Not even one sample at a time fits: {smaller}."
        return f"Set training.batch_size to {self.batch_size}; or {smaller}."

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return dataclasses.asdict(self) | {"message": self.message, "hint": self.hint}


def fit(
    experiment: Experiment, folder: Path, *, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress | Fit]:
    """Find out what a training would take.

    Args:
        experiment: What would be trained.
        folder: What ``data.table`` is relative to.
        should_stop: Asked between the steps; True ends it without a result.

    Yields:
        Progress, last the fit.

    Raises:
        UserError: What the user can mend: a key, a file, a published model that is not here.
    """
    prepare_process()
    experiment = completed(without_auto(experiment))
    device = choose_device(experiment.training.device)
    choose_precision(experiment.training.precision, device)
    too_large = _published_too_large(experiment, device)
    settings = experiment.training
    if too_large is not None:
        yield too_large
        return
    data: DryData | None = None
    for item in dry_data(experiment, folder):
        if should_stop():
            return
        if isinstance(item, DryData):
            data = item
        else:
            yield item
    if data is None:
        raise UserError("The data gave no rows.", "Check data.table.")
    experiment = experiment.replaced("training.batch_size",
                                     settings.batch_size_for(data.train_rows))
    free = free_bytes(device)
    costs: Costs | None = None
    try:
        for step in costs_of(experiment, data, device, free):
            if should_stop():
                return
            if isinstance(step, Costs):
                costs = step
            else:
                yield step
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    finally:
        release_memory(device)
    yield _judged(experiment, data, costs, free, device)


def _published_too_large(experiment: Experiment, device: torch.device) -> Fit | None:
    """The fit where not even the published weights fit: they are not loaded to find that out."""
    needed = 0
    for settings in experiment.active_inputs.values():
        model = model_of(settings)
        if model is not None:
            size = sum(path.stat().st_size for path in find(model, settings.modality).weights)
            whole = settings.encoder.options.get("tuning") == "full"
            needed += size * (TRAINED_COPIES if whole else 1)
    free = free_bytes(device)
    if needed <= free:
        return None
    return Fit(False, experiment.training.batch_size, needed, free, math.nan, too_large=True,
               device=str(device))


def _judged(
    experiment: Experiment, data: DryData, costs: Costs | None, free: int, device: torch.device
) -> Fit:
    """The fit, from what a few rows cost."""
    wanted = experiment.training.batch_size
    if costs is None:  # memory ran out at a single row
        return Fit(False, wanted, free, free, math.nan, too_large=True, device=str(device))

    def held(size: int) -> bool:
        rows = min(size, data.train_rows)
        tried = costs.most_rows is None or rows <= costs.most_rows
        return tried and costs.memory(rows) <= SAFE * free

    size = wanted
    while size > 1 and not held(size):
        size //= 2
    holds = held(size)
    chosen = size if holds else wanted
    rows = max(1, min(chosen, data.train_rows))
    steps = math.ceil(data.train_rows / rows)
    seconds = (steps * costs.seconds(rows)
               + data.validation_rows * costs.seconds_per_row * VALIDATED)
    needed = costs.memory(min(wanted, data.train_rows))
    if costs.encode_seconds:  # which takes smaller batches by itself where memory is short
        needed = max(needed, min(costs.encode_bytes, int(SAFE * free)))
    return Fit(
        holds and size == wanted, chosen, needed, free,
        seconds, costs.encode_seconds, steps, costs.parameters, costs.trained, str(device),
        too_large=not holds, wanted=wanted)
