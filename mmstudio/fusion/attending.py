"""What the fusions by attention are built from: few tokens per input, and layers that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

from mmstudio.encoders.base import Features, grouped
from mmstudio.registry import Range

RATE = 0.3
"""Learning rate of attention as a share of that of encoders trained from scratch. At the same rate
the three kinds here stay where an answer that lies in two inputs together is not found: on the
planted XOR set of ``tests/benchmarks/fusion_table.py``, 24 epochs, 52 to 55 % against 100 %."""

# narrower than elsewhere: the cost of a layer grows with its square, for every token
TokenWidth = Annotated[int, Range(8, 512, "width of tokens and of the shared representation")]
Heads = Annotated[int, Range(1, 16, "attention heads")]
TokenCount = Annotated[
    int, Range(1, 64, "tokens per input; a longer one is averaged in so many groups")]


class Tokens(nn.Module):
    """Per input so many tokens of one width, layer-normed, and told apart by input.

    Args:
        widths: D per input.
        hidden: D of what comes out.
        count: Tokens per input.
    """

    def __init__(self, widths: Sequence[int], hidden: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        # its bias is what tells the inputs apart
        self.linears = nn.ModuleList(nn.Linear(width, hidden) for width in widths)

    def forward(self, features: Sequence[Features]) -> list[Features]:
        """Per input ``(B, T, D_i)`` to ``(B, count, hidden)``."""
        few = [grouped(f, self.count) for f in features]
        return [Features(linear(norm(f.tokens)), f.mask)
                for norm, linear, f in zip(self.norms, self.linears, few, strict=True)]


def even_linear(width_in: int, width: int, *, bias: bool = True) -> nn.Linear:
    """A layer that passes on as much as it gets, without a bias at first (Glorot and Bengio 2010).

    torch's own layers begin with a third of that variance: what two inputs say together is then
    lost in a few of them, and takes long to be found.
    """
    layer = nn.Linear(width_in, width, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class Attend(nn.Module):
    """Multi-head attention, ``softmax(Q Kᵀ / √d) V`` (Vaswani et al. 2017, section 3.2).

    Args:
        width: D of queries and tokens.
        heads: How many; each has ``width / heads`` features, rounded up.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * -(-width // heads)
        self.query = even_linear(width, inner)
        # a bias of the keys adds the same to every score of a query: softmax takes it out
        self.key = even_linear(width, inner, bias=False)
        self.value = even_linear(width, inner)
        self.out = even_linear(inner, width)

    def forward(
        self, queries: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """``(B, Q, D)`` over ``(B, T, D)`` where ``mask (B, T)`` is True: ``(B, Q, D)``.

        At least one token per row must be real.
        """
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, queries), (self.key, tokens), (self.value, tokens)))
        read = nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask[:, None, None, :])
        answer: torch.Tensor = self.out(read.transpose(1, 2).flatten(2))
        return answer


class Block(nn.Module):
    """One pre-norm transformer layer in which tokens read from others, or from themselves.

    ``s = q + Attend(norm(q), norm(t))``, ``y = s + W₂ f(W₁ norm(s))`` with f = GELU.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_queries, self.norm_tokens, self.norm_states = (
            nn.LayerNorm(width) for _ in range(3))
        self.attend = Attend(width, heads)
        self.feed = nn.Sequential(
            even_linear(width, 2 * width), nn.GELU(), even_linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, queries: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """``(B, Q, D)`` reading ``(B, T, D)`` where ``mask (B, T)`` is True: ``(B, Q, D)``."""
        read = self.attend(self.norm_queries(queries), self.norm_tokens(tokens), mask)
        states = queries + self.dropout(read)
        answer: torch.Tensor = states + self.dropout(self.feed(self.norm_states(states)))
        return answer
