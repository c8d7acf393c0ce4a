"""What a task is, and the registry of tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from mmstudio.encoders.base import Fused
from mmstudio.tasks.kinds.base import Metric, TargetKind
from mmstudio.tasks.registry import TASKS
from mmstudio.units import number_text

__all__ = ["TASKS", "Answer", "Task", "log_mean"]


@dataclass(frozen=True)
class Answer:
    """One task's answer for one sample.

    Attributes:
        label: Of a classification: the one with the highest score.
        value: Of a regression: the number, in the data's own units.
        scores: Probabilities by label, highest first.
        labels: Of label sets: those that reach the threshold, highest first.
        threshold: Of label sets: the least probability of a label that is answered.
        unit: Of a value, as the experiment names it.
        usual_error: Of a value: the mean absolute error on the validation rows, where known.
    """

    label: str | None = None
    value: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    threshold: float | None = None
    unit: str = ""
    usual_error: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it: the keys of its own kind only."""
        if self.value is not None:
            return {"value": self.value, "unit": self.unit, "usual_error": self.usual_error}
        if self.labels is not None:
            return {"labels": list(self.labels), "scores": self.scores,
                    "threshold": self.threshold}
        return {"label": self.label, "scores": self.scores}

    def words(self) -> str:
        """The answer in a line: a label, labels, or a number with its unit and usual error."""
        if self.value is not None:
            error = self.usual_error
            around = "" if error is None else f" ± {number_text(error, 2)}"
            return f"{number_text(self.value, 4)}{around} {self.unit}".strip()
        if self.labels is not None:
            return ", ".join(self.labels) or "no label"
        return str(self.label)


class Task(nn.Module):
    """One target's head, loss, answer and figures.

    ``__init__`` takes the ``width`` of the shared representation, the target's ``spec`` from the
    schema, and the options as keyword-only arguments.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    kind: ClassVar[TargetKind]
    """What its target's cells hold."""
    metrics_of_its_own: ClassVar[tuple[Metric, ...]] = ()
    """Figures that its kind does not describe."""
    main_metric: ClassVar[str]
    """The figure that the app plots, and by which, before the loss, the best epoch is chosen:
    more is better."""
    row_figure: ClassVar[str]
    """What the mean of ``row_scores`` is for people: a share that is right, or an error."""
    uncertainty_factor: float = 1.0
    """What stands before the loss over its variance when losses are balanced by uncertainty: 1,
    or 0.5 for squared errors (Kendall et al. 2018, eq. 7 and 10)."""

    scores: ClassVar[bool] = True
    """Outputs are scores of labels on a scale of their own; otherwise they are the answer."""

    def __init__(self, width: int, spec: dict[str, Any]) -> None:
        super().__init__()

    @property
    def outputs(self) -> int:
        """How many numbers it gives per sample."""
        raise NotImplementedError

    def forward(self, fused: Fused) -> torch.Tensor:
        """``(B, K, D)`` views to outputs ``(B, …)``, brought together as ``fused.mean`` says."""
        raise NotImplementedError

    def loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """The mean loss of the rows whose label is known; 0 where there is none.

        Args:
            outputs: As ``forward`` gives them.
            targets: ``(B, …)`` as the target's ``Labels`` hold them.
            known: ``(B,)`` bool.
        """
        raise NotImplementedError

    def regressed(self, targets: np.ndarray) -> np.ndarray:
        """``(N, C)`` float64, labels as numbers that a regression can estimate."""
        raise NotImplementedError

    def usual_outputs(self, mean: np.ndarray) -> np.ndarray:
        """``(C,)`` the outputs that stand for knowing nothing of a sample.

        Args:
            mean: ``(C,)`` of ``regressed`` over the training rows.
        """
        raise NotImplementedError

    def prior(self) -> np.ndarray | None:
        """``(C,)`` the outputs that stand for the training rows' labels alone.

        What a sample of which nothing is there is answered with. None where the labels were not
        counted, as in a run from before they were.
        """
        return None

    def truth_scores(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """``(B,)`` how probable the outputs hold each row's label, 0 to 1.

        Inputs are compared by it: which of them learns the fastest.

        Args:
            outputs: As ``forward`` gives them.
            targets: ``(B, …)`` as the target's ``Labels`` hold them.
        """
        raise NotImplementedError

    def support(self, outputs: np.ndarray, answered: np.ndarray) -> np.ndarray:
        """``(…, N)`` float64, how much outputs speak for another's answer.

        Log-odds, which add up; of a number, the number itself in the data's own units.

        Args:
            outputs: ``(…, N, C)`` as ``forward`` gives them, such as of subsets of the inputs.
            answered: ``(N, C)``, the outputs of the answer that is to be explained.
        """
        raise NotImplementedError

    @property
    def labels(self) -> list[str]:
        """What its outputs stand for, in their order; empty for a number."""
        return list(getattr(self, "classes", ()))

    def spoken(self, outputs: torch.Tensor, at: int) -> torch.Tensor:
        """``(B,)`` how much outputs ``(B, C)`` speak for one of them, with a gradient.

        As ``support``: log-odds of a label; of a number, the number itself.
        """
        return outputs.float().flatten(1)[:, at]

    def chance(self, figure: float, rows: int) -> float:
        """The standard error of the main figure over so many rows: that of a share."""
        return math.sqrt(max(0.0, figure * (1 - figure)) / rows)

    def metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Figures over rows whose label is known, ``loss`` among them."""
        raise NotImplementedError

    def kept(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """``(B, …)`` what ``metrics_of_stored`` needs of each row; the outputs, where it needs all.

        Taken step by step in training, so that not all rows' outputs have to be held.

        Args:
            outputs: As ``forward`` gives them.
            targets: ``(B, …)`` as the target's ``Labels`` hold them; anything where unknown.
        """
        return outputs.float()

    def metrics_of_stored(self, kept: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """As ``metrics``, from what was kept of rows whose label is known."""
        return self.metrics(kept, targets)

    def usual(self, targets: np.ndarray) -> np.ndarray:
        """``(C,)`` float64, the mean of ``regressed``."""
        mean: np.ndarray = self.regressed(targets).mean(axis=0)
        return mean

    def row_scores(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """``(N,)`` float64, how good each row's answer is: more is better.

        Unlike ``metrics``, which look at all rows together, these can be resampled row by row:
        two models are compared on the same rows by them.
        """
        raise NotImplementedError

    counts_unseen: ClassVar[bool] = False
    """Whether rows of labels that training never saw count in the figures, as wrong."""

    def figures_with_unseen(
        self, outputs: np.ndarray, truth: Sequence[str]
    ) -> dict[str, float]:
        """Where ``counts_unseen``: the figures in which a label never seen is wrong.

        Args:
            outputs: ``(N, C)`` as ``forward`` gives them.
            truth: Per row its label, known to training or not.
        """
        raise NotImplementedError

    def answers(self, outputs: torch.Tensor) -> list[Answer]:
        """Per row the answer."""
        raise NotImplementedError

    def calibrated_answers(
        self, outputs: torch.Tensor, temperatures: np.ndarray
    ) -> list[Answer]:
        """Per row the same answer, its scores brought to what they say.

        Args:
            outputs: As ``forward`` gives them; of a task that knows no logits they stay.
            temperatures: ``(B,)`` above 0, what each row's logits are divided by.
        """
        return self.answers(outputs)


def log_mean(logs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """``log Σ_k w_k exp(l_k)`` of ``logs (B, K, C)`` by ``weights (B, K)``: ``(B, C)``.

    The mean of probabilities, from their logarithms to its own.
    """
    # filled, not added: the logarithm of a weight of 0 has no gradient that is a number
    log_weights = weights.clamp(min=1e-30).log().masked_fill(weights == 0, -torch.inf)
    return (logs + log_weights.unsqueeze(-1)).logsumexp(dim=1)
