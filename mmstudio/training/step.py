"""One training step: forward, backward, in parts where memory asks for it, and the update."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mmstudio.combining.combination import Combination
from mmstudio.combining.input_heads import InputHeads
from mmstudio.data.batches import Batch
from mmstudio.data.contents import contents_of
from mmstudio.data.prepare import Dataset
from mmstudio.experiment import Experiment
from mmstudio.tasks.balancing import UncertaintyBalancing
from mmstudio.training.averaging import WeightAverage
from mmstudio.training.best import Best
from mmstudio.training.candidate_weights import CandidateWeights
from mmstudio.training.distributed.own_rows import OwnRows
from mmstudio.training.distributed.ranks import Ranks
from mmstudio.training.input_monitor import InputMonitor
from mmstudio.training.memory_chunks import MemoryChunks
from mmstudio.training.model import MultimodalModel
from mmstudio.training.optimise import Rate, clip_gradients, make_optimiser, make_schedule
from mmstudio.training.pace import Pace, Work
from mmstudio.training.trial import Setting


@dataclass
class Run:
    """What training works with, and what it changes from step to step.

    Attributes:
        model: On the device.
        optimiser: Of its parameters.
        schedule: Of the learning rate.
        scaler: Of the loss, for float16.
        device: What it trains on.
        dtype: The number format of the layers.
        weights: Per target its weight in the loss.
        clip: The largest norm of the gradient.
        average: Of the weights over the epochs.
        watch: None where one input is all.
        alignment: Its weight in the loss; the model has one where it counts.
        alone_epochs: The first epochs, in which the alignment alone is trained.
        contents: ``(N, M)`` numbers of all rows, equal where an input's content is; for the
            alignment.
        combination: What the run answers with; None is the fusion alone.
        usual_losses: Per target the validation's loss of knowing nothing.
        aligned: The alignment's mean loss over the last epoch's steps.
        pace: Chooses the threads, and until it is settled the format, of each step.
        work: Tells it how much a batch is.
        trained: The parameters that training changes.
        parts: In how large parts a step is made.
        held: In how large parts a batch of the validation is taken.
        scored_on: Names the rows that the scores in ``best`` go by; "" where that is not known.
        within: What a resume goes on with in the midst of an epoch; None at an epoch's begin.
        random: The state of the chance that layers draw from, which a resume goes on with.
        log_before: Of a run that goes on, the bytes of its log at the checkpoint, and the lines
            that belong behind them.
        ranks: The processes that train together; None where this one trains alone.
        shared: Makes a step together with them: takes the own rows, and of all rows what
            modality dropout leaves, what draws how they are varied, and their contents' numbers.
    """

    model: MultimodalModel
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    device: torch.device
    dtype: torch.dtype
    weights: dict[str, float]
    clip: float
    average: WeightAverage
    watch: InputMonitor | None = None
    alignment: float = 0.0
    alone_epochs: int = 0
    contents: np.ndarray | None = None
    aligned: float = float("nan")
    combination: Combination | None = None
    usual_losses: dict[str, float] = field(default_factory=dict)
    pace: Pace = field(default_factory=lambda: Pace([Setting(0, "")], lambda _: None))
    work: Work = field(default_factory=lambda: Work(1))
    step: int = 0
    epoch: int = 0
    best: Best = field(default_factory=Best)
    kept: CandidateWeights = field(default_factory=CandidateWeights)
    scored_on: str = ""
    within: dict[str, Any] | None = None
    random: dict[str, Any] | None = None
    log_before: tuple[int, list[str]] | None = None
    ranks: Ranks | None = None
    shared: Callable[[OwnRows, torch.Tensor | None, torch.Generator | None,
                      torch.Tensor | None], StepTaken] | None = None
    began: float = field(default_factory=time.perf_counter)
    trained: list[torch.nn.Parameter] = field(init=False)
    parts: MemoryChunks = field(init=False)
    held: MemoryChunks = field(init=False)

    def __post_init__(self) -> None:
        """Find what is trained; no part is smaller than a batch as long as memory holds one."""
        # not in every step: a published model has many, and training changes few of them
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.parts = MemoryChunks(self.device, "each training step")
        self.held = MemoryChunks(self.device, "validation")

    @property
    def alone(self) -> bool:
        """Whether this epoch trains the alignment and nothing else."""
        return self.epoch < self.epochs_without_answers

    @property
    def epochs_without_answers(self) -> int:
        """How many epochs from the first teach the model no answer."""
        return 0 if self.model.alignment is None else self.alone_epochs

    def waited(self, epochs: int) -> int:
        """How many epochs have gone by without a gain; none while only the alignment is trained.

        Args:
            epochs: Planned; where all of them train the alignment alone, it is what may gain.
        """
        first = self.epochs_without_answers
        return self.epoch - max(self.best.gained, first if first < epochs else 0)

    @property
    def watching(self) -> InputMonitor | None:
        """What watches the inputs in this epoch: nothing, where none learns the targets."""
        return None if self.alone else self.watch

    @property
    def falling(self) -> Rate:
        """How the learning rate goes; one for all groups of parameters."""
        rate: Rate = self.schedule.lr_lambdas[0]  # type: ignore[attr-defined]
        return rate

    @property
    def heads(self) -> InputHeads | None:
        """The inputs' own heads, where there are several inputs."""
        return None if self.watch is None else self.watch.heads

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    def slow_down(self, factor: float) -> None:
        """Multiply the learning rate of all steps from the next one on."""
        self.falling.factor *= factor
        for group in self.optimiser.param_groups:
            group["lr"] *= factor
        self.schedule._last_lr = [group["lr"] for group in self.optimiser.param_groups]


def make_run(
    experiment: Experiment, dataset: Dataset, model: MultimodalModel, device: torch.device,
    dtype: torch.dtype, steps: int,
) -> Run:
    """All that training works with, before its first step.

    Args:
        experiment: A completed experiment.
        dataset: Whose rows it learns.
        model: On the device.
        device: What it trains on.
        dtype: The number format of the layers.
        steps: Of an epoch.
    """
    settings = experiment.training
    optimiser = make_optimiser(model, settings, steps)
    return Run(
        model, optimiser, make_schedule(optimiser, settings, steps),
        torch.amp.GradScaler(device.type, enabled=dtype == torch.float16), device, dtype,
        {n: t.weight for n, t in experiment.active_targets.items()}, settings.gradient_clip,
        WeightAverage(model, settings.averaging),
        watch=InputMonitor(experiment, dataset.schema, model, steps)
        if len(model.names) > 1 else None,
        alignment=settings.alignment, alone_epochs=settings.alignment_epochs,
        contents=None if model.alignment is None else contents_of(dataset, model.names))


@dataclass
class StepTaken:
    """What a step gave.

    Attributes:
        loss: The weighted sum of the targets' losses, as validation has it, however the losses
            were balanced for the step; the alignment's where it is alone.
        outputs: Per target ``(B, …)``, what its task keeps of them.
        aligned: The alignment's loss; None without one.
    """

    loss: torch.Tensor
    outputs: dict[str, torch.Tensor]
    aligned: torch.Tensor | None = None


def take_step(
    run: Run, batch: Batch, keep: torch.Tensor | None, vary: torch.Generator | None = None
) -> StepTaken:
    """Learn from one batch.

    Where memory does not hold it, its parts' gradients are added up, each weighted by its share
    of the known labels: the step is that of the whole batch.

    Args:
        run: Its model and its optimiser are changed.
        batch: On the CPU.
        keep: ``(B, M)`` bool, False hides an input from a row.
        vary: Draws how the inputs are varied; None leaves them as they are.

    Raises:
        RuntimeError: Memory does not hold one row.
    """
    taken = run.parts.tried(
        len(batch), lambda parts: gradients_of(run, batch, keep, vary, parts))
    update(run)
    return taken


def gradients_of(
    run: Run, batch: Batch, keep: torch.Tensor | None, vary: torch.Generator | None,
    parts: list[slice],
) -> StepTaken:
    """The gradients of a batch, as the sum of those of its parts."""
    run.optimiser.zero_grad(set_to_none=True)
    watch = run.watching
    if watch is not None:
        watch.begin_step(run.rate, None if len(parts) == 1 else _counted(batch))
    total, alignment = torch.zeros((), device=run.device), torch.zeros((), device=run.device)
    outputs: dict[str, list[torch.Tensor]] = {n: [] for n in run.model.task_names}
    for part in parts:
        piece = batch if len(parts) == 1 else batch.part(part)
        shares = {} if len(parts) == 1 else {n: _share(batch.known[n], part) for n in outputs}
        piece = piece.to(run.device)
        with torch.autocast(run.device.type, run.dtype, enabled=run.dtype != torch.float32):
            features, seen = run.model.encoded(run.model.prepared(piece, vary))
            aligned = (None if run.model.alignment is None or piece.contents is None
                       else run.model.alignment(features, seen, piece.contents))
            kept = None if keep is None else keep[part].to(run.device, non_blocking=True)
            answers = run.model.answered(features, seen, kept)
        losses = {
            n: task.loss(answers[n].float(), piece.targets[n], piece.known[n]) * shares.get(n, 1.0)
            for n, task in run.model.tasks.items()}
        known = piece.known if len(parts) == 1 else _balanced(batch, part, run.device)
        balanced = run.model.balancing(losses, known, run.weights)
        if watch is not None:
            own = watch.observe(features, seen, piece, scales_of(run.model))
            balanced = balanced if own is None else balanced + own
        if aligned is not None:
            aligned = aligned * (len(piece) / len(batch))
            alignment += aligned.detach()
            balanced = run.alignment * aligned + (0 if run.alone else balanced)
        run.scaler.scale(balanced).backward()
        total += torch.stack([run.weights[n] * x.detach() for n, x in losses.items()]).sum()
        for name, values in answers.items():
            outputs[name].append(
                run.model.tasks[name].kept(values.detach(), piece.targets[name]))
    if watch is not None:
        watch.end_step()
    return StepTaken(alignment if run.alone else total,
                     {n: torch.cat(values) for n, values in outputs.items()},
                     None if run.contents is None else alignment)


def scales_of(model: MultimodalModel) -> torch.Tensor | None:
    """What the balancing multiplies each target's loss with; None where that is 1."""
    balancing = model.balancing
    return balancing.scales() if isinstance(balancing, UncertaintyBalancing) else None


def _share(known: torch.Tensor, part: slice) -> float:
    """A part's share of a target's known labels: a loss is the mean over those."""
    return float(known[part].sum() / known.sum().clamp(min=1))


def _balanced(batch: Batch, part: slice, device: torch.device) -> dict[str, torch.Tensor]:
    """Which labels the balancing is told of: the whole batch's with its first part.

    What it adds to the losses then counts once, however many parts there are.
    """
    return {n: known.to(device) if part.start == 0 else known.new_zeros(1).to(device)
            for n, known in batch.known.items()}


def _counted(batch: Batch) -> torch.Tensor:
    """``(M, T)`` how many rows have the input and the target's label."""
    seen = torch.stack([i.present for i in batch.inputs.values()], dim=1)
    return seen.float().T @ torch.stack(list(batch.known.values()), dim=1).float()


def update(run: Run) -> None:
    """Make the step that the gradients say."""
    run.scaler.unscale_(run.optimiser)
    watch = run.watching
    if watch is not None:
        watch.after_backward(run.scaler)
    moved, norms = clip_gradients(run.trained, run.clip)
    if watch is not None:
        watch.note_norms(moved, norms)
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.schedule.step()
    run.step += 1
