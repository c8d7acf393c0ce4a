"""What the steps of an epoch leave behind for its figures, not all of it on the device."""

from __future__ import annotations

import numpy as np
import torch

MOST_BYTES = 64_000_000
"""What may wait on the device; fetching it holds up the next step, so it is done seldom."""


class Gathered:
    """Rows of tensors that come step by step, and are given back as one array."""

    def __init__(self) -> None:
        self._there: list[torch.Tensor] = []
        self._here: list[np.ndarray] = []
        self.waiting_bytes = 0

    def begin_with(self, values: np.ndarray) -> None:
        """Have the rows ``(N, …)`` that were gathered before."""
        self._there, self._here, self.waiting_bytes = [], [values], 0

    def add(self, values: torch.Tensor) -> None:
        """Add rows ``(B, …)``, on whatever device."""
        self._there.append(values)
        self.waiting_bytes += values.numel() * values.element_size()
        if self.waiting_bytes > MOST_BYTES:
            self._fetch()

    def _fetch(self) -> None:
        if self._there:
            self._here.append(torch.cat(self._there).float().cpu().numpy())
        self._there, self.waiting_bytes = [], 0

    def all(self) -> np.ndarray:
        """``(N, …)`` float32, all rows in the order in which they came."""
        self._fetch()
        return self._here[0] if len(self._here) == 1 else np.concatenate(self._here)
