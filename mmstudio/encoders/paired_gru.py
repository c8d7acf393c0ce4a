"""Two GRUs side by side on the CPU, with a gradient of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable


def paired_gru(first: nn.GRU, second: nn.GRU, tokens: torch.Tensor) -> torch.Tensor:
    """Two GRUs of one layer, each over its own tokens (Cho et al. 2014, as ``nn.GRU`` has it).

    The CPU has no kernel for a GRU in training: torch runs it, and its gradient, as small
    operations step by step. Here both GRUs share each of them, and what does not depend on the
    step before is done for all steps at once. Forward and backward, that takes about a third of
    the time.

    Args:
        first: For ``tokens[0]``, with biases.
        second: For ``tokens[1]``, of the same sizes.
        tokens: ``(2, B, T, D_in)`` float.

    Returns:
        ``(2, B, T, H)``.
    """
    def both(name: str) -> torch.Tensor:
        return torch.stack([getattr(first, f"{name}_l0"), getattr(second, f"{name}_l0")])

    _, rows, length, _ = tokens.shape
    steps = tokens.transpose(1, 2).flatten(1, 2)
    given = torch.bmm(steps, both("weight_ih").transpose(1, 2))
    with torch.autocast("cpu", enabled=False):
        states: torch.Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
            given.view(2, length, rows, -1).to(tokens.dtype), both("weight_hh"), both("bias_ih"),
            both("bias_hh"))
    return states.transpose(1, 2)


class _Recurrence(torch.autograd.Function):
    """What depends on the step before.

    With ``past = W h + b``: ``r = σ(given_r + past_r)``, ``z = σ(given_z + past_z)``,
    ``n = tanh(given_n + r · past_n)``, ``h' = (1 - z) · n + z · h``.
    """

    @staticmethod
    def forward(
        ctx: Any, given: torch.Tensor, weight: torch.Tensor, bias_given: torch.Tensor,
        bias: torch.Tensor,
    ) -> torch.Tensor:
        """``(2, T, B, 3H)``, ``(2, 3H, H)``, ``(2, 3H)`` twice, to the states ``(2, T, B, H)``."""
        _, length, rows, wide = given.shape
        width = wide // 3
        states = given.new_empty(2, length + 1, rows, width)  # the first before the first step
        states[:, 0] = 0
        # steps first: what is not in one piece would be calculated aside and copied
        gates = given.new_empty(length, 2, rows, 2 * width).transpose(0, 1)
        pasts = given.new_empty(length, 2, rows, width).transpose(0, 1)  # of n alone
        news = given.new_empty(2, length, rows, width)
        both = 2 * width  # r and z stand before n
        by_gates, by_new = weight.transpose(1, 2)[..., :both], weight.transpose(1, 2)[..., both:]
        given = given + bias_given[:, None, None]
        given[..., :both] += bias[:, None, None, :both]
        bias_new = bias[:, None, both:]
        state = states[:, 0]
        for given_gate, given_new, gate, reset, update, past, new, after in _steps(
            given[..., :both], given[..., both:], gates, gates[..., :width], gates[..., width:],
            pasts, news, states[:, 1:],
        ):
            torch.baddbmm(given_gate, state, by_gates, out=gate).sigmoid_()
            torch.baddbmm(bias_new, state, by_new, out=past)
            torch.addcmul(given_new, reset, past, out=new).tanh_()
            state = torch.lerp(new, state, update, out=after)
        ctx.save_for_backward(weight, states, pasts, gates, news)
        return states[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The gradients of what ``forward`` took, from ``(2, T, B, H)``."""
        weight, states, pasts, gates, news = ctx.saved_tensors
        _, length, rows, width = news.shape
        resets, updates = gates.split(width, dim=-1)
        before = states[:, :-1]
        # how each part moves with the state, before the chain from step to step is known
        by_pasts = news.new_empty(2, length, rows, 3, width)
        by_reset, by_update, by_past_new = by_pasts.unbind(3)
        by_new = (1 - updates).mul_(1 - news.square())
        torch.mul((before - news).mul_(updates), 1 - updates, out=by_update)
        torch.mul(by_new, resets, out=by_past_new)
        torch.mul(pasts * by_past_new, 1 - resets, out=by_reset)
        of_pasts = torch.empty_like(by_pasts)
        # of each state, what comes from all that follows; step -1 has no state that learns
        totals = news.new_empty(length + 1, 2, rows, width).transpose(0, 1)
        totals[:, -1] = of_states[:, -1]
        of_befores = torch.cat([torch.zeros_like(of_states[:, :1]), of_states[:, :-1]], dim=1)
        for of_past, flat, by_past, total, update, of_before, earlier in reversed(list(_steps(
            of_pasts, of_pasts.flatten(3), by_pasts, totals[:, 1:].unsqueeze(3), updates,
            of_befores, totals[:, :-1],
        ))):
            torch.mul(by_past, total, out=of_past)
            torch.addcmul(of_before, total.squeeze(2), update, out=earlier)
            earlier.baddbmm_(flat, weight)
        of_news = by_new.mul_(totals[:, 1:])
        of_given = torch.cat([of_pasts[..., :2, :].flatten(3), of_news], dim=-1)
        of_pasts = of_pasts.view(2, length * rows, 3 * width)
        return (of_given, of_pasts.transpose(1, 2) @ before.flatten(1, 2),
                of_given.sum(dim=(1, 2)), of_pasts.sum(dim=1))


def _steps(*tensors: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Per step its part of each ``(2, T, …)``: cut at once, for cutting takes its time too."""
    return zip(*(tensor.unbind(1) for tensor in tensors), strict=True)
