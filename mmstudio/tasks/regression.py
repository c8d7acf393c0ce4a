"""A number."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import Fused
from mmstudio.registry import Help
from mmstudio.tasks.base import TASKS, Answer, Task
from mmstudio.tasks.kinds import NUMBER


@TASKS.register(
    "regression", title="Number", summary="Estimates a number.",
    source="smooth L1 (Girshick 2015) or squared error",
)
class Regression(Task):
    """A linear head for one number, learnt in deviations from the training rows' mean.

    Outputs and targets are such deviations; answers and figures are in the data's own units.
    """

    kind = NUMBER
    main_metric = "r2"
    row_figure = "mean_absolute_error"
    scores = False

    def __init__(
        self,
        width: int,
        spec: dict[str, Any],
        *,
        loss: Annotated[
            Literal["smooth_l1", "squared"],
            Help("what is made small in training; squared lets large errors count more"),
        ] = "smooth_l1",
        unit: Annotated[str, Help("stands behind the number in answers, such as years")] = "",
    ) -> None:
        super().__init__(width, spec)
        self.mean: float = spec["mean"]
        self.deviation: float = spec["deviation"]
        self.squared = loss == "squared"
        self.unit = unit
        # smooth L1 is half the square where errors are small: it holds the half already
        self.uncertainty_factor = 0.5 if self.squared else 1.0
        self.linear = nn.Linear(width, 1)

    def forward(self, fused: Fused) -> torch.Tensor:
        """``(B, K, D)`` to ``(B, 1)``, in deviations: the weighted sum over the views.

        Of numbers there is but one mean: ``fused.mean`` makes no difference.
        """
        numbers: torch.Tensor = self.linear(fused.views)  # (B, K, 1)
        return (numbers * fused.weights.unsqueeze(-1)).sum(dim=1)

    def loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Mean smooth L1 or squared error of the known rows, in deviations."""
        error = functional.mse_loss if self.squared else functional.smooth_l1_loss
        each = error(outputs.float().squeeze(1), targets, reduction="none")
        return (each * known).sum() / known.sum().clamp(min=1)

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    def regressed(self, targets: np.ndarray) -> np.ndarray:
        """The deviations themselves."""
        return targets.astype(np.float64)[:, None]

    def usual_outputs(self, mean: np.ndarray) -> np.ndarray:
        """The mean."""
        return mean

    def prior(self) -> np.ndarray:
        """The training rows' mean, from which deviations are counted."""
        return np.zeros(1)

    def truth_scores(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """``(B,)`` ``exp(-loss)``: 1 where the number is right, towards 0 where it is far off."""
        error = functional.mse_loss if self.squared else functional.smooth_l1_loss
        each = error(outputs.float().squeeze(1), targets.float(), reduction="none")
        return (-each).exp()

    def support(self, outputs: np.ndarray, answered: np.ndarray) -> np.ndarray:
        """The number in the data's own units, whatever was answered."""
        return np.asarray(outputs[..., 0].astype(np.float64) * self.deviation + self.mean)

    def spoken(self, outputs: torch.Tensor, at: int) -> torch.Tensor:
        """``(B,)`` the number in the data's own units."""
        return outputs.float()[:, 0] * self.deviation + self.mean

    def chance(self, figure: float, rows: int) -> float:
        """0: R² goes with the loss, which need not decide between epochs once more."""
        return 0.0

    def metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """The loss, and scikit-learn's ``mean_absolute_error`` and ``r2_score`` in own units.

        Args:
            outputs: ``(N, 1)``, in deviations.
            targets: ``(N,)``, in deviations.
        """
        if len(targets) == 0:
            return dict.fromkeys(("loss", "mean_absolute_error", "r2"), float("nan"))
        truth = targets.astype(np.float64)
        errors = outputs[:, 0].astype(np.float64) - truth
        squares, sizes = errors ** 2, np.abs(errors)
        each = squares if self.squared else np.where(sizes < 1, 0.5 * squares, sizes - 0.5)
        return {"loss": float(each.mean()),
                "mean_absolute_error": float(sizes.mean() * self.deviation),
                "r2": _r2(squares, truth)}

    def row_scores(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """How far each answer is off, in the data's own units and negative: more is better.

        Args:
            outputs: ``(N, 1)``, in deviations.
            targets: ``(N,)``, in deviations.
        """
        if len(targets) == 0:
            return np.zeros(0)
        errors = outputs[:, 0].astype(np.float64) - targets.astype(np.float64)
        return -np.abs(errors) * self.deviation

    def answers(self, outputs: torch.Tensor) -> list[Answer]:
        """The numbers in the data's own units."""
        return [Answer(value=number * self.deviation + self.mean, unit=self.unit)
                for number in outputs[:, 0].float().tolist()]


def _r2(squares: np.ndarray, truth: np.ndarray) -> float:
    """The share of the variance that is explained; it is the same in every unit."""
    if len(truth) < 2:
        return float("nan")
    total = float(((truth - truth.mean()) ** 2).sum())
    if total == 0.0:
        return 1.0 if float(squares.sum()) == 0.0 else 0.0
    return 1 - float(squares.sum()) / total
