"""Layers that give each process what they would give its rows of the whole batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from mmstudio.encoders.dropout import STEPS, Dropout
from mmstudio.training.distributed.own_rows import OwnRows, Place
from mmstudio.training.model import MultimodalModel

PUBLISHED = "published"
"""The attribute of an encoder that holds a published model."""


class Step:
    """The rows of the step at hand, for the layers that ask where theirs are."""

    def __init__(self) -> None:
        self.own: OwnRows | None = None

    def place(self, i: int | None) -> Place:
        """Of all rows, or of those that have input ``i``, which are all that its encoder sees."""
        if self.own is None:
            raise ValueError("no step is being made")
        return self.own.place if i is None else self.own.places[i]


def convert(model: MultimodalModel, step: Step, group: distributed.ProcessGroup) -> None:
    """Put layers of this file in the places of a model's batch norms and dropouts.

    The parameters and their names stay. Published models stay as they are: their batch norms are
    never trained, and their own dropout draws in each process by itself.

    Args:
        model: On its device.
        step: Tells the layers of each step's rows.
        group: The processes.
    """
    for i, encoder in enumerate(model.encoders):
        place = partial(step.place, i)
        _convert(encoder, place, group)
        if not hasattr(encoder, PUBLISHED):
            encoder.forward = _drawing(encoder, place)
    for rest in (model.fusion, model.heads):
        _convert(rest, partial(step.place, None), group)


def _drawing(encoder: nn.Module, place: Callable[[], Place]) -> Callable[..., Any]:
    """An encoder's ``forward`` that draws for all rows while it learns."""
    forward = encoder.forward

    def drawing(values: torch.Tensor, mask: torch.Tensor | None) -> Any:
        if not encoder.training:
            return forward(values, mask)
        with WholeDraws(place()):
            return forward(values, mask)

    return drawing


def _convert(
    module: nn.Module, place: Callable[[], Place], group: distributed.ProcessGroup
) -> None:
    for name, child in module.named_children():
        if name == PUBLISHED:
            continue
        if isinstance(child, _BatchNorm):
            setattr(module, name, SharedNorm(child, place, group))
        elif isinstance(child, nn.Dropout):
            setattr(module, name, RowDropout(child, place))
        else:
            _convert(child, place, group)


class RowDropout(nn.Dropout):
    """Dropout by the numbers that one process would draw for the whole batch.

    All are drawn, by every process, and each takes those of its rows.

    Args:
        before: The layer whose place it takes.
        place: Where the rows are.
    """

    def __init__(self, before: nn.Dropout, place: Callable[[], Place]) -> None:
        super().__init__(before.p)
        self._place = place
        self._cheap = isinstance(before, Dropout)
        self.train(before.training)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, …)`` or ``(B · k, …)``, row by row, to the same shape."""
        if not self.training or self.p == 0:
            return values
        place = self._place()
        times, rest = divmod(len(values), max(1, place.own))
        if rest or self.p == 1:
            return super().forward(values)
        kept = self._kept(values, times * place.count)
        if not place.own:
            return values  # what stands in counts nowhere
        return values * kept[times * place.before : times * (place.before + place.own)]

    def _kept(self, values: torch.Tensor, rows: int) -> torch.Tensor:
        """``(rows, …)`` what all rows are multiplied with: see ``encoders.dropout.Dropout``."""
        hidden = round(self.p * STEPS)
        if not self._cheap or hidden == 0 or values.device.type != "cpu":
            kept = values.new_empty(rows, *values.shape[1:]).bernoulli_(1 - self.p)
            return kept.div_(1 - self.p)
        count = rows * values[:1].numel()
        draws = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        bits = draws.view(torch.int16)[:count].view(rows, *values.shape[1:])
        return (bits >= hidden - STEPS // 2).to(values.dtype).mul_(STEPS / (STEPS - hidden))


class WholeDraws(TorchFunctionMode):
    """Inside, random numbers that are drawn per row are those of the whole batch's rows.

    Args:
        place: Where the own rows are.
    """

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Torch's: draw for all rows where numbers are drawn for the own ones."""
        named = kwargs or {}
        before = 2 if func is torch.randint else 0
        if func in (torch.rand, torch.randn, torch.randint):
            sizes = args[before:]
            sizes = tuple(sizes[0]) if sizes and not isinstance(sizes[0], int) else sizes
            rows = max(1, self._place.own)
            if sizes and sizes[0] == rows:
                all_rows = (self._place.count, *sizes[1:])
                draw: Callable[..., torch.Tensor] = func
                drawn = draw(*args[:before], all_rows, **named)
                start = min(self._place.before, self._place.count - rows)
                return drawn[start : start + rows]
        return func(*args, **named)


class SharedNorm(_BatchNorm):
    """Batch norm by the statistics of the whole batch, on whatever device.

    Every process has a mean and a sum of squares of its rows, and all are brought together (Chan
    et al. 1983): as exact as over the whole batch at once.

    Args:
        before: The layer whose place, parameters and buffers it takes.
        place: Where the rows are.
        group: The processes.
    """

    def __init__(
        self, before: _BatchNorm, place: Callable[[], Place], group: distributed.ProcessGroup
    ) -> None:
        super().__init__(before.num_features, before.eps, before.momentum, affine=False,
                         track_running_stats=False)
        self.affine, self.track_running_stats = before.affine, before.track_running_stats
        self.weight, self.bias = before.weight, before.bias
        self.running_mean, self.running_var = before.running_mean, before.running_var
        self.num_batches_tracked = before.num_batches_tracked
        self._place, self._group = place, group
        self.train(before.training)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """``(B, C, …)`` to the same shape."""
        place = self._place() if self.training else None
        if place is None or (values.dim() == 2 and place.count == 1):
            return functional.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0,
                self.eps)
        normed, mean, variance, count = _Normed.apply(  # type: ignore[no-untyped-call]
            values, self.weight, self.bias, self.eps, place.own > 0, self._group)
        if self.running_mean is not None and self.running_var is not None:
            momentum = 0.1 if self.momentum is None else self.momentum
            with torch.no_grad():
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * count / (count - 1), momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
        found: torch.Tensor = normed
        return found

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any number of dimensions will do."""


class _Normed(torch.autograd.Function):
    """Values brought to the mean 0 and the variance 1 of all processes' rows."""

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None,
        eps: float, counts: bool, group: distributed.ProcessGroup,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The normed values, the mean, the variance (of N) and N."""
        dims = [0, *range(2, values.dim())]
        wide = values.float()
        mean = wide.mean(dims)
        squares = (wide - _along(mean, wide)).square().sum(dims)
        rows = mean.new_full((1,), values.numel() / values.shape[1])
        own = torch.cat([rows, mean, squares]) * (1.0 if counts else 0.0)
        each = [torch.empty_like(own) for _ in range(group.size())]
        distributed.all_gather(each, own, group=group)
        every = torch.stack(each)
        counted, means, sums = torch.tensor_split(every, [1, 1 + len(mean)], dim=1)
        count = counted.sum()
        mean = (counted * means).sum(0) / count
        variance = (sums + counted * (means - mean).square()).sum(0) / count
        scale = (variance + eps).rsqrt()
        normed = (wide - _along(mean, wide)) * _along(scale, wide)
        ctx.save_for_backward(values, weight, mean, scale, count)
        ctx.group, ctx.counts = group, counts
        ctx.mark_non_differentiable(mean, variance, count)
        if weight is not None and bias is not None:
            normed = normed * _along(weight, wide) + _along(bias, wide)
        return normed.to(values.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[Any, ...]:
        """Of the values, the weight and the bias."""
        values, weight, mean, scale, count = ctx.saved_tensors
        dims = [0, *range(2, values.dim())]
        wide = gradient.float()
        normed = (values.float() - _along(mean, wide)) * _along(scale, wide)
        own = torch.stack([wide.sum(dims), (wide * normed).sum(dims)])
        if not ctx.counts:
            own = torch.zeros_like(own)
        of_weight, of_bias = (None, None) if weight is None else (own[1].clone(), own[0].clone())
        distributed.all_reduce(own, group=ctx.group)
        if not ctx.counts:
            return torch.zeros_like(values), of_weight, of_bias, None, None, None
        own /= count
        found = wide - _along(own[0], wide) - normed * _along(own[1], wide)
        found = found * _along(scale if weight is None else scale * weight, wide)
        return found.to(values.dtype), of_weight, of_bias, None, None, None


def _along(each: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """``(C,)`` to what goes with values ``(B, C, …)``."""
    return each.view(1, -1, *[1] * (values.dim() - 2))
