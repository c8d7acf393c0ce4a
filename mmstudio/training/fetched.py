"""A number on its way from the device, while that works on."""

from __future__ import annotations

import torch


class Fetched:
    """Copies a number from its device beside the work that follows.

    To ask a tensor for its number waits for all that the device was given, also after it. Here
    ``float()`` waits for what was given before this was made, and no longer.

    Args:
        value: ``()``.
    """

    def __init__(self, value: torch.Tensor) -> None:
        self._value = value.detach().to("cpu", non_blocking=True)
        self._there: torch.cuda.Event | None = None
        if value.device.type == "cuda":
            self._there = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._there.record(torch.cuda.current_stream(value.device))
        elif value.device.type != "cpu":
            self._value = value.detach()  # without a way to tell when it is there

    def __float__(self) -> float:
        """The number, once it is there."""
        if self._there is not None:
            self._there.synchronize()
        return float(self._value)
