"""One training step that several processes make: each its rows, the gradients those of all.

PyTorch's DistributedDataParallel adds the gradients up. Each process's loss is weighted by its
share of the known labels, per target, so that the sum is the mean over the whole batch.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mmstudio.data.batches import Batch
from mmstudio.encoders.base import Features
from mmstudio.errors import UserError
from mmstudio.training.device import is_out_of_memory
from mmstudio.training.distributed.layers import Step, WholeDraws, convert
from mmstudio.training.distributed.own_rows import OwnRows, Place
from mmstudio.training.distributed.ranks import Ranks
from mmstudio.training.step import Run, StepTaken, scales_of, update

_Parts = dict[str, Any]


class _Loss(nn.Module):
    """All that a step's gradients come from, as one module: its parameters are added up."""

    def __init__(self, run: Run, ranks: Ranks, step: Step) -> None:
        super().__init__()
        self.model = run.model
        watch = run.watch
        self.heads = watch.heads if watch is not None and watch.joined > 0 else None
        # has a gradient in every step of every process, whatever its rows lack
        self.anchor = nn.Parameter(torch.zeros((), device=run.device))
        self._run, self._ranks, self._step = run, ranks, step

    def forward(
        self, own: OwnRows, keep: torch.Tensor | None, vary: torch.Generator | None,
        contents: torch.Tensor | None,
    ) -> tuple[torch.Tensor, _Parts]:
        """The process's share of the loss, and what else is asked of its rows."""
        run, model, first = self._run, self.model, self._ranks.first
        piece = own.batch.to(run.device)
        with torch.autocast(run.device.type, run.dtype, enabled=run.dtype != torch.float32):
            with WholeDraws(own.place):
                prepared = model.prepared(piece, vary)
            features, seen = model.encoded(prepared)
            aligned = (None if model.alignment is None or contents is None
                       else self._aligned(features, own, contents))
            answers = model.answered(features, seen, self._own(keep, own, seen))
        losses = {
            n: task.loss(answers[n].float(), piece.targets[n], piece.known[n])
            * _share(own.known[n], own.place) for n, task in model.tasks.items()}
        # what the balancing adds to the losses counts once
        known = {n: k.to(run.device) if first else k.new_zeros(1).to(run.device)
                 for n, k in own.known.items()}
        loss = model.balancing(losses, known, run.weights)
        watch, pooled = run.watching, []
        if watch is not None:
            joined = watch.observe(features, seen, piece, scales_of(model))
            loss = loss if joined is None else loss + joined
            pooled = watch.pooled()
        if aligned is not None:
            loss = run.alignment * aligned + (0 if run.alone else loss)
        outputs = {n: model.tasks[n].kept(v.detach(), piece.targets[n])
                   for n, v in answers.items()}
        return loss + 0 * self.anchor, {
            "losses": torch.stack([run.weights[n] * x.detach() for n, x in losses.items()]).sum(),
            "aligned": None if aligned is None else aligned.detach(),
            "outputs": outputs, "pooled": pooled}

    def _own(
        self, keep: torch.Tensor | None, own: OwnRows, seen: torch.Tensor
    ) -> torch.Tensor | None:
        if keep is None:
            return None
        mine = own.place.of(keep).to(seen.device, non_blocking=True)
        return mine if len(mine) else torch.ones_like(seen)

    def _aligned(
        self, features: list[Features], own: OwnRows, contents: torch.Tensor
    ) -> torch.Tensor:
        """This process's share of the alignment's loss, which is of all rows."""
        alignment = self.model.alignment
        if alignment is None:
            raise ValueError("the model has no alignment")
        embedded = [
            _OfAll.apply(alignment.embedded(i, f), own.place, self._ranks.sums)  # type: ignore[no-untyped-call]
            for i, f in enumerate(features)]
        device = self._run.device
        loss = alignment.loss(embedded, own.present.to(device), contents.to(device))
        return loss / self._ranks.size


class _OfAll(torch.autograd.Function):
    """``(n, D)`` of a process's rows to ``(B, D)`` of all, with gradients."""

    @staticmethod
    def forward(
        ctx: Any, own: torch.Tensor, place: Place, group: distributed.ProcessGroup
    ) -> torch.Tensor:
        ctx.place, ctx.group, ctx.shape = place, group, own.shape
        every = own.new_zeros(place.count, *own.shape[1:])
        place.of(every).copy_(own[: place.own])
        distributed.all_reduce(every, group=group)
        return every

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        every = gradient.contiguous().clone()
        distributed.all_reduce(every, group=ctx.group)
        found = every.new_zeros(ctx.shape)
        found[: ctx.place.own] = ctx.place.of(every)
        return found, None, None


class SharedStep:
    """Makes a run's steps together with the other processes.

    Args:
        run: Its weights are already those that training goes on with; they are those of the first
            process afterwards.
        ranks: The processes.
    """

    def __init__(self, run: Run, ranks: Ranks) -> None:
        self._run, self._ranks, self._step = run, ranks, Step()
        convert(run.model, self._step, ranks.sums)
        _same_buffers(run.model, ranks)
        # gradients of weights whose channels stand last are copied, which costs next to nothing
        warnings.filterwarnings("ignore", "Grad strides do not match")
        with warnings.catch_warnings():
            # its follower does not do the same, and older versions don't know it
            warnings.filterwarnings("ignore", ".*broadcast_buffers", FutureWarning)
            # an input that is absent in a whole batch leaves its encoder without a gradient
            self._parallel = DistributedDataParallel(
                _Loss(run, ranks, self._step), broadcast_buffers=False,
                find_unused_parameters=True)

    def __call__(
        self, own: OwnRows, keep: torch.Tensor | None, vary: torch.Generator | None,
        contents: torch.Tensor | None,
    ) -> StepTaken:
        """Learn from one batch; what it gives is of the whole batch, in every process.

        Args:
            own: This process's rows.
            keep: ``(B, M)`` bool of all rows, False hides an input from a row.
            vary: Draws how the inputs are varied, alike in every process.
            contents: ``(B, M)`` numbers of all rows, for the alignment.

        Raises:
            UserError: Memory does not hold its rows.
        """
        run, watch = self._run, self._run.watching
        run.optimiser.zero_grad(set_to_none=True)
        if watch is not None:
            counted = own.present.float().T @ torch.stack(list(own.known.values()), dim=1).float()
            watch.begin_step(run.rate, counted)
        self._step.own = own
        try:
            loss, parts = self._parallel(own, keep, vary, contents)
            # the gradients' mean over the processes is taken
            run.scaler.scale(loss * self._ranks.size).backward()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"The memory of {run.device} does not hold {own.place.own} samples at once.",
                "Lower training.batch_size, or train with more devices: with several, a step is "
                "not made in smaller parts.") from error
        taken, pooled = self._of_all(own, parts)
        if watch is not None:
            labels = Batch({}, own.targets, own.known).to(run.device)
            watch.end_step((pooled, own.present.to(run.device), labels))
        update(run)
        return taken

    def _of_all(self, own: OwnRows, parts: _Parts) -> tuple[StepTaken, list[torch.Tensor]]:
        """What the processes' rows gave, brought together in one go."""
        place, run = own.place, self._run
        each = [*parts["outputs"].values(), *parts["pooled"]]
        widths = [part[:1].numel() for part in each]
        rows = torch.zeros(place.count, sum(widths), device=run.device)
        place.of(rows).copy_(torch.cat([p.flatten(1).float() for p in each], dim=1)[: place.own])
        aligned = parts["aligned"]
        numbers = torch.stack([parts["losses"].float(), torch.zeros_like(parts["losses"])
                               if aligned is None else aligned.float()])
        every = torch.cat([numbers, rows.flatten()])
        distributed.all_reduce(every, group=self._ranks.sums)
        found = [part.reshape(place.count, *one.shape[1:]) for part, one in zip(
            torch.split(every[2:].view(place.count, -1), widths, dim=1), each, strict=True)]
        outputs = dict(zip(parts["outputs"], found, strict=False))
        return StepTaken(every[1] if run.alone else every[0], outputs,
                         None if run.contents is None else every[1]), found[len(outputs):]


def _same_buffers(model: nn.Module, ranks: Ranks) -> None:
    """Give a model the first process's buffers: those of a run that it starts from are there."""
    for buffer in model.buffers():
        # collectives ask for numbers that lie in a row, and channels may stand last
        values = buffer.detach().contiguous()
        distributed.broadcast(values, 0, group=ranks.sums)
        buffer.copy_(values)


def _share(known: torch.Tensor, place: Place) -> float:
    """A process's share of a target's known labels: a loss is the mean over those."""
    return float(place.of(known).sum() / known.sum().clamp(min=1))
