"""An epoch that is not over yet: what its steps left behind, and what its chance goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mmstudio.shapes import fitted_to
from mmstudio.training.gathered import Gathered
from mmstudio.training.modulation import go_on_drawing
from mmstudio.training.step import StepTaken

SHAPE = {"order": str, "rows": int, "seconds": float}
"""Of a state, beside its tensors."""


@dataclass
class WithinEpoch:
    """How far an epoch is, and its half-made figures.

    Attributes:
        order: Names the batches and their order; another order can't be gone on with.
        hiding: Draws what modality dropout hides.
        varying: Draws how the inputs are varied; None where they are not.
        outputs: Per target what its task keeps of the outputs.
        losses: Of each step that was told.
        aligned: Of each step the alignment's loss.
        rows: That were trained on.
        seconds: That its steps took in processes before this one.
    """

    order: str
    hiding: torch.Generator
    varying: torch.Generator | None
    outputs: dict[str, Gathered]
    losses: list[float] = field(default_factory=list)
    aligned: list[torch.Tensor] = field(default_factory=list)
    rows: int = 0
    seconds: float = 0.0

    def take(self, taken: StepTaken, rows: int) -> None:
        """Take in what a step of so many rows left behind; its loss is told later."""
        for name, values in taken.outputs.items():
            self.outputs[name].add(values)
        if taken.aligned is not None:
            self.aligned.append(taken.aligned)
        self.rows += rows

    def state_dict(self, seconds: float) -> dict[str, Any]:
        """What a resume within the epoch needs, after at least one step; ``seconds`` in all."""
        return {
            "order": self.order, "rows": self.rows, "seconds": seconds,
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "aligned": torch.stack(self.aligned).cpu() if self.aligned else None,
            "hiding": self.hiding.get_state(),
            "varying": None if self.varying is None else self.varying.get_state(),
            "outputs": {n: torch.from_numpy(g.all()) for n, g in self.outputs.items()}}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with what ``state_dict`` gave.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: It is damaged.
        """
        told = fitted_to(dict(state), SHAPE, "within")
        losses = state["losses"].tolist()
        if any(len(values) != told["rows"] for values in state["outputs"].values()) or (
                state["outputs"].keys() != self.outputs.keys()):
            raise ValueError("the figures of the epoch are of other rows")
        self.losses, self.rows, self.seconds = losses, told["rows"], told["seconds"]
        self.aligned = [] if state["aligned"] is None else list(state["aligned"].to(device))
        go_on_drawing(self.hiding, state["hiding"])
        go_on_drawing(self.varying, state["varying"])
        for name, gathered in self.outputs.items():
            gathered.begin_with(state["outputs"][name].float().cpu().numpy())


def order_of(batches: Sequence[np.ndarray], content: str) -> str:
    """What names the batches of an epoch: their rows, in their order, and what the rows hold.

    Args:
        batches: The rows' numbers.
        content: What names the rows' cells.
    """
    digest = hashlib.blake2b(content.encode(), digest_size=16)
    for batch in batches:
        digest.update(np.int64(len(batch)).tobytes() + batch.astype("<i8").tobytes())
    return digest.hexdigest()
