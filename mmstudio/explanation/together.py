"""One sample that several models were asked about, which answer together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np
import torch

from mmstudio.encoders.base import Layout
from mmstudio.explanation.asked import Asked, never
from mmstudio.inference.ensemble import Ensemble, weighted_mean
from mmstudio.modalities.pieces import Pieces


class AskedTogether(Asked):
    """As ``Asked``, of an ensemble: it has no encoders, and pieces are hidden from all members.

    Args:
        predictor: The ensemble.
        inputs: As ``Predictor.predict`` takes them.
        use: The inputs that may count; None means all.
        should_stop: Asked in between.

    Raises:
        UserError: An unknown input, a file that can't be read, or no input that is there.
    """

    def __init__(
        self, predictor: Ensemble, inputs: Mapping[str, Any],
        use: Collection[str] | None = None, should_stop: Callable[[], bool] = never,
    ) -> None:
        self._each = [Asked(member, inputs, use, should_stop) for member in predictor.members]
        self._weights = predictor.weights
        # inputs and heads mean the same in all members; nothing else is asked of the first alone
        self.predictor, self.model = predictor, self._each[0].model
        self.batch, self.there = self._each[0].batch, self._each[0].there
        self.outputs = self._mean(one.outputs for one in self._each)

    def layout(self, name: str) -> Layout | None:
        """None: there is no one encoder."""
        return None

    def unseen_share(self, task: str, name: str) -> float:
        """0: hiding pieces sees all of the answer."""
        return 0.0

    def pieces(self, name: str) -> Pieces | None:
        """An input's content in pieces; None where the members cut it otherwise."""
        each = [one.pieces(name) for one in self._each]
        first = each[0]
        alike = first is not None and all(
            other is not None and other.shape == first.shape for other in each)
        return first if alike else None

    def without(self, name: str, gone: np.ndarray) -> dict[str, torch.Tensor]:
        """Per target the outputs ``(R, C)`` where ``(R, *shape)`` pieces of an input are hidden."""
        return self._mean(one.without(name, gone) for one in self._each)

    def of_subsets(self, task: str, present: torch.Tensor) -> torch.Tensor:
        """A task's outputs ``(R, …)`` from subsets ``(R, M)`` of the inputs that are there."""
        return self._mean({task: one.of_subsets(task, present)} for one in self._each)[task]

    def _mean(self, each: Iterable[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        return weighted_mean(each, self._weights)
