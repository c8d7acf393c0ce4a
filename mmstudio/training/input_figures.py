"""What is told of the inputs' worth, without what finds it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class InputScores:
    """What the inputs are worth, on some rows.

    Attributes:
        samples: How many rows were looked at.
        subsets: Per subset, all inputs first, ``inputs``, ``samples``, ``loss`` and ``tasks``,
            the figures per target. Rows that have none of the subset's inputs are left out, and
            ``samples`` says how many are in: an answer from nothing says nothing of the inputs.
            A row that has some of them is answered from those.
        contributions: Per target and input ``mean`` and ``mean_absolute`` of its Shapley values,
            over the rows that have the input, and ``samples``, how many those are. Empty for
            more than six inputs.
        interactions: Per target and pair ``inputs``, ``mean``, ``mean_absolute`` and ``samples``
            of the Shapley interaction, over the rows that have both.
    """

    samples: int
    subsets: list[dict[str, Any]]
    contributions: dict[str, dict[str, dict[str, float]]]
    interactions: dict[str, list[dict[str, Any]]]
