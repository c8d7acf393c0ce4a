"""The weights of the epochs that are the best, or may turn out to be it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch

from mmstudio.training.best import MOST_CANDIDATES
from mmstudio.training.checkpoint import checkpoint_state
from mmstudio.training.input_monitor import InputMonitor
from mmstudio.training.model import MultimodalModel

Weights = dict[str, torch.Tensor]

MOST_BYTES = 500_000_000
"""Of all weights that are kept: they are in the memory, and each has a file."""


def most_candidates(model: MultimodalModel, watch: InputMonitor | None) -> int:
    """How many epochs' weights may be kept; the best one's always are."""
    weights = [*checkpoint_state(model).values(),
               *([] if watch is None else watch.heads.state_dict().values())]
    each = int(sum(t.numel() * t.element_size() for t in weights))
    return min(MOST_CANDIDATES, max(1, MOST_BYTES // max(1, each)))


class CandidateWeights:
    """Weights by epoch, in the computer's memory; fixed ones are not among them.

    They come to ``MOST_BYTES`` in all; of a model of more than half that, the best epoch's alone
    are kept, whatever their size.
    """

    def __init__(self) -> None:
        self._models: dict[int, Weights] = {}
        self._heads: dict[int, Weights] = {}

    def keep(self, epoch: int, model: MultimodalModel, watch: InputMonitor | None) -> None:
        """Keep an epoch's weights, and those of the inputs' own heads."""
        state = checkpoint_state(model)
        self._models[epoch] = {n: t.detach().cpu().clone() for n, t in state.items()}
        if watch is not None:
            self._heads[epoch] = {
                n: t.detach().cpu().clone() for n, t in watch.heads.state_dict().items()}

    def put(self, epoch: int, model: Weights, heads: Weights | None) -> None:
        """Keep what ``keep`` would have."""
        self._models[epoch] = model
        if heads is not None:
            self._heads[epoch] = heads

    def only(self, epochs: Collection[int]) -> None:
        """Forget all other epochs."""
        for kept in (self._models, self._heads):
            for epoch in kept.keys() - set(epochs):
                del kept[epoch]

    def model(self, epoch: int) -> Weights:
        """An epoch's weights."""
        return self._models[epoch]

    def heads(self, epoch: int) -> Weights | None:
        """Those of the inputs' own heads; None where there are none."""
        return self._heads.get(epoch)

    @contextlib.contextmanager
    def in_place(self, epoch: int, model: MultimodalModel) -> Iterator[None]:
        """Inside, the model has an epoch's weights; afterwards its own again."""
        own = {n: t.detach().cpu().clone() for n, t in checkpoint_state(model).items()}
        try:
            _put(model, self._models[epoch])
            yield
        finally:
            _put(model, own)

    def check_of(self, model: MultimodalModel) -> None:
        """Raise ValueError where weights that are kept are not those of such a model."""
        due = {n: t.shape for n, t in checkpoint_state(model).items()}
        if any({n: t.shape for n, t in kept.items()} != due for kept in self._models.values()):
            raise ValueError("the weights of an epoch are of another model")

    def epochs(self) -> list[int]:
        """Those whose weights are kept."""
        return sorted(self._models)

    def has(self, epoch: int) -> bool:
        """Whether this epoch's weights are kept."""
        return epoch in self._models

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"models": self._models, "heads": self._heads}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what ``state_dict`` gave."""
        self._models, self._heads = (
            {int(epoch): {n: t.cpu() for n, t in weights.items()}
             for epoch, weights in state[name].items()} for name in ("models", "heads"))


@torch.no_grad()
def _put(model: MultimodalModel, values: Weights) -> None:
    for name, place in checkpoint_state(model).items():
        place.copy_(values[name])
