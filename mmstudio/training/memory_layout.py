"""How pictures, spectrograms and the weights of convolutions lie in memory: which side is last."""

from __future__ import annotations

import torch
from torch import nn

LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
"""By the name in the experiment file; the first is the usual one."""
USUAL_LAYOUT = "channels_last"


def convolves(model: nn.Module) -> bool:
    """Whether training changes convolutions over an area: to others the layout is all the same."""
    return any(isinstance(layer, nn.Conv2d) and layer.weight.requires_grad
               and layer.weight.shape[1] > 1 and layer.weight.shape[2:].numel() > 1
               for layer in model.modules())


def lay_out(model: nn.Module, optimiser: torch.optim.Optimizer, layout: str) -> None:
    """Have a model, and what its optimiser keeps of it, lie in memory in a way; values stay.

    Args:
        model: Its convolutions' weights change places.
        optimiser: Of its parameters.
        layout: One of ``LAYOUTS``.
    """
    wanted = LAYOUTS[layout]
    model.to(memory_format=wanted)  # type: ignore[call-overload]
    for state in optimiser.state.values():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.dim() == 4:
                state[name] = value.to(memory_format=wanted)


def laid_out(values: torch.Tensor, layout: str) -> torch.Tensor:
    """Prepared contents of an input, as convolutions that lie so take them."""
    # what lies in the usual way is the modality's own work, so nothing is done twice
    if layout == USUAL_LAYOUT or values.dim() != 4:
        return values
    # not contiguous(): to that, one channel lies in either way, and a convolution goes by strides
    return values.to(memory_format=LAYOUTS[layout])
