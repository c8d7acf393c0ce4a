"""What one run reached, row by row."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RunScores:
    """A run's scores on the rows that all runs of a comparison answer.

    Attributes:
        run: The run folder's name.
        contestant: Its contestant's key.
        seed: Of the training.
        rows: ``(N,)`` row numbers of the table.
        scores: ``(N,)`` the score of each row, more is better.
        validation: Mean score on the validation rows.
        split: What the rows are of.
        fingerprint: Of the rows and their labels.
        metrics: Further figures of the target on the same rows.
        epochs: Epochs trained.
        seconds_per_epoch: Of an epoch's training, the median.
        seconds: Of all epochs.
        parameters: Trained numbers.
        bytes: Size of the weights on disk.
        device: Where it was trained.
        groups: ``(N,)`` whole numbers, equal where rows belong together, such as those of one
            speaker; None where no column says so.
    """

    run: str
    contestant: str
    seed: int
    rows: np.ndarray
    scores: np.ndarray
    validation: float
    split: str
    fingerprint: str
    metrics: dict[str, float]
    epochs: int
    seconds_per_epoch: float
    seconds: float
    parameters: int
    bytes: int
    device: str
    groups: np.ndarray | None = None

    @property
    def mean(self) -> float:
        """Mean score."""
        return float(self.scores.mean())

    def figures(self) -> dict[str, Any]:
        """All but the rows, as plain data; nan is kept out."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)
                if f.name not in ("rows", "scores", "groups")}
        data["metrics"] = {n: v for n, v in self.metrics.items() if np.isfinite(v)}
        return data | {"mean": self.mean}

    @classmethod
    def of(
        cls, figures: dict[str, Any], rows: np.ndarray, scores: np.ndarray,
        groups: np.ndarray | None,
    ) -> RunScores:
        """Of what ``figures`` gave. Raises TypeError where something is missing."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(rows=rows, scores=scores, groups=groups,
                   **{k: v for k, v in figures.items() if k in known})
