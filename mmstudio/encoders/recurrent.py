"""A recurrent layer that reads sequences of unequal length both ways, without packing them."""

from __future__ import annotations

import torch
from torch import nn

from mmstudio.encoders.dropout import Dropout
from mmstudio.encoders.paired_gru import paired_gru


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
        self.dropout = Dropout(dropout)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """``(B, T, D_in)`` and ``(B, T)`` to ``(B, T, D)``, zero where the mask is False."""
        if tokens.device.type == "cpu":
            tokens = tokens.float()
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
                right, left = paired_gru(ahead, back, torch.stack([tokens, reversed_tokens]))
            else:
                # the CPU has no kernel for an LSTM in bfloat16
                with torch.autocast("cpu", enabled=False):
                    right, left = ahead(tokens)[0], back(reversed_tokens)[0]
            left = left.gather(1, turned.expand_as(left))
            tokens = torch.cat([right, left], dim=-1).masked_fill(~real, 0)
        return tokens
