"""The mean of a model's weights over the latest epochs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from mmstudio.training.checkpoint import checkpoint_state


class WeightAverage:
    """Follows the weights epoch by epoch; what is validated, and saved as a model, is their mean.

    Each step is of one batch, so the weights wander around what fits all rows; their mean lies
    nearer to it and answers unseen rows better (Izmailov et al. 2018). Epoch t's weights count as
    t to a power: the mean forgets the first, poor epochs however long training goes on (Karras et
    al. 2024, sec. 3.1). Differs from both: one step of the mean per epoch and not per step, and
    batch norm's running statistics are averaged likewise, not found again.

    It is kept in the computer's memory, not in the device's.

    Args:
        model: Whose trained weights are followed; fixed ones are not.
        share: The mean age of what it averages, as a share of the epochs so far: 0.2 looks back
            over about the last third. 0 takes the weights as they are.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        self._model = model
        self._share = share
        self._epochs = 0
        self._mean: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """An epoch is over: its weights join the mean."""
        if self._share == 0:
            return
        self._epochs += 1
        fading = (1 - 1 / self._epochs) ** (1 / self._share - 1)
        for name, value in checkpoint_state(self._model).items():
            if name in self._mean and value.is_floating_point():
                self._mean[name].lerp_(value.cpu(), 1 - fading)
            else:
                self._mean[name] = value.detach().cpu().clone()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model has the mean for its weights; afterwards its own again."""
        if self._share == 0 or not self._mean:
            yield
            return
        own = {n: t.detach().cpu().clone() for n, t in checkpoint_state(self._model).items()}
        try:
            self._put(self._mean)
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, values: Mapping[str, torch.Tensor]) -> None:
        for name, place in checkpoint_state(self._model).items():
            place.copy_(values[name])

    @property
    def epochs(self) -> int:
        """How many epochs the mean is of; 0 where there is none."""
        return self._epochs if self._share > 0 else 0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"epochs": self._epochs, "mean": self._mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what ``state_dict`` gave."""
        self._epochs = state["epochs"]
        self._mean = {n: t.cpu() for n, t in state["mean"].items()}
