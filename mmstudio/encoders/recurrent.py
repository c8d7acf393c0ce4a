"""A recurrent layer that reads sequences of unequal length both ways, without packing them."""

from __future__ import annotations

import torch
from torch import nn


class BidirectionalRNN(nn.Module):
    """LSTM or GRU in both directions over padded sequences.

    Padding stands at the end, so the forward direction never sees it before a real token. The
    backward direction reads each sequence reversed within its own length. That keeps the kernels
    for whole batches, which packed sequences do without.

    Args:
        cell: ``lstm`` or ``gru``.
        width_in: D of what comes in.
        width: D of what goes out, half of it per direction.
        layers: Stacked layers.
        dropout: Between stacked layers.
    """

    def __init__(self, cell: str, width_in: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        widths = [width_in] + [width] * (layers - 1)
        self.ahead = nn.ModuleList(kind(w, width // 2, batch_first=True) for w in widths)
        self.back = nn.ModuleList(kind(w, width // 2, batch_first=True) for w in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(B, T, D_in)`` and ``(B, T)`` to ``(B, T, D)``, zero where the mask is False."""
        # the CPU has no recurrent kernels for bfloat16
        with torch.autocast("cpu", enabled=False):
            return self._read(tokens.float() if tokens.device.type == "cpu" else tokens, mask)

    def _read(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        lengths = mask.sum(dim=1, keepdim=True)
        steps = torch.arange(tokens.shape[1], device=tokens.device)
        # real positions reversed, padding left where it is; its own inverse
        turned = torch.where(mask, lengths - 1 - steps, steps).unsqueeze(-1)
        real = mask.unsqueeze(-1)
        tokens = tokens.masked_fill(~real, 0)
        for i, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            if i:
                tokens = self.dropout(tokens)
            reversed_tokens = tokens.gather(1, turned.expand_as(tokens))
            on_cpu = tokens.device.type == "cpu"
            if on_cpu and isinstance(ahead, nn.GRU) and isinstance(back, nn.GRU):
                right, left = _two_grus(ahead, back, torch.stack([tokens, reversed_tokens]))
            else:
                right, left = ahead(tokens)[0], back(reversed_tokens)[0]
            left = left.gather(1, turned.expand_as(left))
            tokens = torch.cat([right, left], dim=-1).masked_fill(~real, 0)
        return tokens


def _two_grus(first: nn.GRU, second: nn.GRU, tokens: torch.Tensor) -> torch.Tensor:
    """Two GRUs of one layer, each over its own tokens: ``(2, B, T, D_in)`` to ``(2, B, T, H)``.

    The CPU has no kernel for a GRU in training: torch runs it as small operations, step by step.
    Running both in each of them takes about half as many (Cho et al. 2014, in the variant of
    ``nn.GRU``).
    """
    def both(name: str) -> torch.Tensor:
        return torch.stack([getattr(first, f"{name}_l0"), getattr(second, f"{name}_l0")])

    _, rows, length, width_in = tokens.shape
    width = first.hidden_size
    steps = tokens.transpose(1, 2).reshape(2, length * rows, width_in)
    given = torch.baddbmm(both("bias_ih").unsqueeze(1), steps, both("weight_ih").transpose(1, 2))
    given = given.view(2, length, rows, 3 * width)
    recurrent, bias = both("weight_hh").transpose(1, 2), both("bias_hh").unsqueeze(1)
    state = tokens.new_zeros(2, rows, width)
    states = []
    for gates, new in zip(given[..., : 2 * width].unbind(1), given[..., 2 * width :].unbind(1),
                          strict=True):
        past = torch.baddbmm(bias, state, recurrent)
        from_gates, from_new = past[..., : 2 * width], past[..., 2 * width :]
        reset, update = (gates + from_gates).sigmoid().chunk(2, dim=-1)
        new = torch.addcmul(new, reset, from_new).tanh()
        state = torch.lerp(new, state, update)
        states.append(state)
    return torch.stack(states, dim=2)
