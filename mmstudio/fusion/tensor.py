"""Tensor fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import nn

from mmstudio.encoders.base import Features, Fused
from mmstudio.errors import UserError
from mmstudio.fusion.base import (
    FUSIONS,
    Dropout,
    Fusion,
    Normed,
    only_present,
    side_by_side,
)
from mmstudio.registry import Range, options_of

PRODUCTS = 8192
"""As many products an automatic width makes at most."""
WIDEST = 32
NARROW = 16
"""Below that an input's features hardly fit."""
MANY_WEIGHTS, MOST_WEIGHTS = 4_000_000, 500_000_000
"""From the one on a person is warned; what is above the other fits few machines."""
INSTEAD = ("Take Low-rank tensor ('low_rank'): it learns the same kind of products with few "
           "weights, however many inputs there are.")


@FUSIONS.register(
    "tensor", title="Tensor",
    summary="Multiplies every feature of every input with those of all others: for two or three "
            "inputs that only make sense together.",
    source="Zadeh et al. 2017 (TFN), section 4.2",
)
class TensorFusion(Fusion):
    """``y = f(W vec(z₁ ⊗ … ⊗ z_M) + b)`` with ``zᵢ = [tanh(Pᵢ xᵢ + pᵢ); 1]`` and f = GELU.

    The 1 keeps each input alone, each pair and so on among the products. Differs from the paper,
    where an input's own network makes it small: here one layer ``Pᵢ`` over the layer-normed
    input does, and the tanh keeps products of many numbers within bounds. Dropout hides some of
    their features too, or the many products would learn noise by heart. An absent input is
    ``[0; 1]``: the products of the others stay.

    There are ``(r + 1)^M`` products of M inputs of width r. An automatic r is the largest that
    makes no more than 8192 of them, and at most 32 or what the narrowest input has: 32 with two
    inputs, 19 with three, 8 with four, 5 with five, 3 with six. The weights of features alone, and
    not multiplied, begin as large as if there were no others: they learn first.

    Raises:
        UserError: More than 500 million weights.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        hidden: Annotated[int, Range(8, 512, "width of the shared representation")] = 128,
        dropout: Dropout = 0.3,
        input_width: Annotated[
            int, Range(0, WIDEST, "width of each input in the products; 0 finds one that is "
                                  "affordable with so many inputs")
        ] = 0,
    ) -> None:
        super().__init__(widths)
        self.width = hidden
        self.norms = Normed(widths)
        # squeezing an input into more features than it has only adds products
        input_width = input_width or min(width_for(len(widths), 0), *widths)
        products = products_of(len(widths), input_width)
        if products * hidden > MOST_WEIGHTS:
            raise UserError(
                f"fusion.input_width = {input_width} makes {products * hidden:,} weights of "
                f"{len(widths)} inputs, more than {MOST_WEIGHTS:,}.", f"Set it to 0. Or: {INSTEAD}")
        self.squeezes = nn.ModuleList(nn.Linear(width, input_width) for width in widths)
        self.linear = nn.Linear(products, hidden)
        alone = features_alone(len(widths), input_width)
        with torch.no_grad():
            self.linear.weight[:, alone] = 2 * nn.Linear(len(alone), hidden).weight
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Sequence[Features], present: torch.Tensor) -> Fused:
        """Per input ``(B, T, D_i)`` to one view ``(B, 1, hidden)``."""
        small = side_by_side(self.squeezes, self.norms(features)).tanh()
        small = self.dropout(only_present(small, present))
        first, *others = nn.functional.pad(small, (0, 1), value=1.0).unbind(dim=1)  # (B, r + 1)
        for other in others:
            first = (first.unsqueeze(-1) * other.unsqueeze(1)).flatten(1)
        return Fused.joint(self.dropout(nn.functional.gelu(self.linear(first))))

    @classmethod
    def caution(cls, inputs: int, options: dict[str, Any]) -> str | None:
        """Where inputs get narrow or weights many: how much so, and what to take instead."""
        known = options_of(cls)
        asked, hidden = (int(options.get(n, known[n].default)) for n in ("input_width", "hidden"))
        width = width_for(inputs, asked)
        weights = products_of(inputs, width) * hidden
        if weights > MANY_WEIGHTS:
            # weights, gradients, and the optimiser's two running means, 4 bytes each
            gigabytes = weights * 16 / 1e9
            return (f"Tensor fusion of {inputs} inputs with input_width = {width} has {weights:,} "
                    f"weights, {gigabytes:.1f} GB in training; every further input multiplies "
                    f"them by {width + 1}. {INSTEAD}")
        if asked == 0 and width < NARROW:
            full = products_of(inputs, NARROW) * hidden
            return (f"Tensor fusion multiplies the features of all {inputs} inputs: with {NARROW} "
                    f"of each it would have {full:,} weights. To stay at {weights:,}, only "
                    f"{width} of each are kept, which costs accuracy. {INSTEAD}")
        return None


def products_of(inputs: int, width: int) -> int:
    """How many products there are of so many inputs of this width, each with a 1 beside it."""
    return int((width + 1) ** inputs)


def features_alone(inputs: int, width: int) -> list[int]:
    """Which of the products hold a feature of one input and the 1 of all others."""
    last = products_of(inputs, width) - 1  # the product of the 1s alone
    return [last - (width - feature) * (width + 1) ** place
            for place in range(inputs) for feature in range(width)]


def width_for(inputs: int, asked: int) -> int:
    """The width that was asked for; where that is 0, the largest that is affordable."""
    if asked > 0:
        return asked
    fitting = (w for w in range(WIDEST, 0, -1) if products_of(inputs, w) <= PRODUCTS)
    return next(fitting, 1)
