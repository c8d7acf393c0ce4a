"""Two GRUs side by side on the CPU, with a gradient of their own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable


def two_grus(first: nn.GRU, second: nn.GRU, tokens: torch.Tensor) -> torch.Tensor:
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
        pasts = given.new_empty(2, length, rows, wide)
        gates = given.new_empty(2, length, rows, 2 * width)  # r and z
        news = given.new_empty(2, length, rows, width)
        recurrent = weight.transpose(1, 2)
        # both biases of a gate are only ever added up; the new state's are not
        bias = bias.unsqueeze(1).clone()
        bias[..., : 2 * width] += bias_given.unsqueeze(1)[..., : 2 * width]
        given_new = given[..., 2 * width :] + bias_given[:, None, None, 2 * width :]
        for step in range(length):
            past, gate, new = pasts[:, step], gates[:, step], news[:, step]
            torch.baddbmm(bias, states[:, step], recurrent, out=past)
            torch.add(given[:, step, :, : 2 * width], past[..., : 2 * width], out=gate)
            gate.sigmoid_()
            torch.addcmul(
                given_new[:, step], gate[..., :width], past[..., 2 * width :], out=new)
            new.tanh_()
            torch.lerp(new, states[:, step], gate[..., width:], out=states[:, step + 1])
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
        factors = news.new_empty(2, length, rows, 4, width)
        by_reset, by_update, by_past_new, by_new = factors.unbind(3)
        torch.mul(1 - updates, 1 - news.square(), out=by_new)
        torch.mul((before - news).mul_(updates), 1 - updates, out=by_update)
        torch.mul(by_new, resets, out=by_past_new)
        torch.mul(pasts[..., 2 * width :] * by_past_new, 1 - resets, out=by_reset)
        moved = torch.empty_like(factors)
        total = of_states[:, -1]
        for step in reversed(range(length)):
            torch.mul(factors[:, step], total.unsqueeze(2), out=moved[:, step])
            if step:
                total = torch.addcmul(of_states[:, step - 1], total, updates[:, step])
                total.baddbmm_(moved[:, step, :, :3].flatten(2), weight)
        of_pasts = moved[..., :3, :].reshape(2, length * rows, 3 * width)
        of_given = moved[..., [0, 1, 3], :].view(2, length, rows, 3 * width)
        return (of_given, of_pasts.transpose(1, 2) @ before.flatten(1, 2),
                of_given.sum(dim=(1, 2)), of_pasts.sum(dim=1))
