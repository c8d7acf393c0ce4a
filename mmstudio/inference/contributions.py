"""Why an answer is as it is: what each input added to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmstudio.encoders.base import Features
from mmstudio.tasks.base import Answer, Task
from mmstudio.training.input_scores import MOST_INPUTS
from mmstudio.training.model import MultimodalModel
from mmstudio.training.shapley import all_subsets, pairs, shapley_interactions, shapley_values

__all__ = ["MOST_INPUTS", "Contributions", "contributions_of", "outputs_of_subsets"]


@dataclass(frozen=True)
class Contributions:
    """What each input that was there added to one task's answer, as exact Shapley values.

    The value of a subset of the inputs is how much the model, given only these, speaks for the
    answer: the log-odds of the label; the log-odds of all answered labels added up, of the
    nearest label where none is answered; the number itself. ``nothing`` plus all of ``inputs``
    is ``everything``.

    Attributes:
        of: The labels that are explained; empty for a number.
        unit: ``log-odds``, or the number's unit.
        inputs: Per input that was there what it added; one that was absent adds nothing.
        pairs: Per two of them, what they add together beyond what each does: above 0 they
            complete each other, below 0 they say the same (Shapley interaction index).
        nothing: The value where every input is absent.
        everything: The value of the answer.
    """

    of: tuple[str, ...]
    unit: str
    inputs: dict[str, float]
    pairs: dict[tuple[str, str], float]
    nothing: float
    everything: float

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "of": list(self.of), "unit": self.unit, "inputs": self.inputs,
            "interactions": [{"inputs": list(two), "value": v} for two, v in self.pairs.items()],
            "nothing": self.nothing, "everything": self.everything,
        }


def outputs_of_subsets(
    model: MultimodalModel, features: list[Features], present: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Per target the outputs ``(2^P, …)`` of one sample for all subsets of its P inputs.

    In the order of ``all_subsets``: nothing first, the answer itself last. The inputs are encoded
    already, and all subsets are fused at once.

    Args:
        model: In evaluation mode.
        features: As ``encoded`` gave them for one sample.
        present: ``(1, M)`` bool, likewise.
    """
    there = present[0].nonzero().squeeze(1)
    subsets = torch.from_numpy(all_subsets(len(there))).to(present.device)
    seen = present.new_zeros(len(subsets), present.shape[1])
    seen[:, there] = subsets
    each = [Features(f.tokens.expand(len(subsets), -1, -1), f.mask.expand(len(subsets), -1),
                     votes=None if f.votes is None else f.votes.expand(len(subsets), -1))
            for f in features]
    return model.answered(model.reduced(each, seen), seen)


def contributions_of(
    task: Task, outputs: torch.Tensor, answer: Answer, names: list[str],
    answered: torch.Tensor | None = None,
) -> Contributions:
    """Explain one task's answer.

    Args:
        task: The head that answered.
        outputs: ``(2^P, …)`` as ``outputs_of_subsets`` gave them, or calibrated.
        answer: What it answered.
        names: The P inputs that were there.
        answered: ``(1, …)`` the outputs that it answered by; None for the last.
    """
    rows = outputs.float().cpu().numpy()[:, None]
    last = rows[-1] if answered is None else answered.float().cpu().numpy()
    values = task.support(rows, last)[:, 0]
    of: tuple[str, ...] = ()
    if answer.labels is not None:
        of = answer.labels or tuple(answer.scores)[:1]
    elif answer.label is not None:
        of = (answer.label,)
    together = shapley_interactions(values)
    return Contributions(
        of, answer.unit if answer.value is not None else "log-odds",
        dict(zip(names, map(float, shapley_values(values)), strict=True)),
        {(names[i], names[j]): float(together[at])
         for at, (i, j) in enumerate(pairs(len(names)))},
        float(values[0]), float(np.asarray(values)[-1]))
