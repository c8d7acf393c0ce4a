"""One label out of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mmstudio.encoders.base import Fused
from mmstudio.registry import Help, Range
from mmstudio.tasks.base import TASKS, Answer, Task


@TASKS.register(
    "classification", title="One label", summary="Chooses one label out of several.",
    source="cross entropy",
)
class Classification(Task):
    """A linear head and cross entropy."""

    main_metric = "accuracy"

    def __init__(
        self,
        width: int,
        spec: dict[str, Any],
        *,
        label_smoothing: Annotated[
            float, Range(0.0, 0.5, "share of each label spread over the others in training")
        ] = 0.05,
        class_weights: Annotated[
            bool, Help("let rare classes count as much as frequent ones in training")
        ] = False,
    ) -> None:
        super().__init__(width, spec)
        self.classes: list[str] = spec["classes"]
        self.label_smoothing = label_smoothing
        # a run from before there were counts has none, and no weights
        counts = spec.get("counts")
        self._weights = balanced_weights(counts) if class_weights and counts else None
        self.linear = nn.Linear(width, len(self.classes))

    def forward(self, fused: Fused) -> torch.Tensor:
        """``(B, K, D)`` to logits ``(B, C)``: the weighted sum over the views."""
        logits: torch.Tensor = self.linear(fused.views)  # (B, K, C)
        return (logits * fused.weights.unsqueeze(-1)).sum(dim=1)

    def loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Mean cross entropy over known rows; smoothed and weighted in training only."""
        smoothing = self.label_smoothing if self.training else 0.0
        weights = None
        if self._weights is not None and self.training:
            self._weights = weights = self._weights.to(outputs.device)
        each = functional.cross_entropy(outputs.float(), targets, weights, reduction="none",
                                        label_smoothing=smoothing)
        return (each * known).sum() / known.sum().clamp(min=1)

    def metrics(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
        """Cross entropy, and scikit-learn's ``accuracy_score`` and macro ``f1_score``.

        The latter two are counted here from the confusion matrix, after every epoch: importing
        scikit-learn's would cost more than counting.
        """
        if len(targets) == 0:
            return {"loss": float("nan"), "accuracy": float("nan"), "macro_f1": float("nan")}
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1))
        loss = float((log_sum - shifted[np.arange(len(targets)), targets]).mean())
        answers = outputs.argmax(axis=1)
        counts = outputs.shape[1]
        confusion = np.bincount(targets * counts + answers, minlength=counts * counts)
        confusion = confusion.reshape(counts, counts)
        hits = np.diag(confusion)
        seen = confusion.sum(axis=0) + confusion.sum(axis=1)
        f1 = 2 * hits[seen > 0] / seen[seen > 0]
        return {"loss": loss, "accuracy": float(hits.sum() / len(targets)),
                "macro_f1": float(f1.mean())}

    def answers(self, outputs: torch.Tensor) -> list[Answer]:
        """The class with the highest probability, and all probabilities, highest first."""
        answers = []
        for row in outputs.float().softmax(dim=-1).cpu().numpy():
            scores = {self.classes[i]: float(row[i]) for i in np.argsort(-row, kind="stable")}
            answers.append(Answer(label=next(iter(scores)), scores=scores))
        return answers


def balanced_weights(counts: Sequence[int]) -> torch.Tensor:
    """``(C,)`` weights inverse to the classes' counts; over the training rows their mean is 1."""
    # on the CPU, whatever device the model is being built on
    many = torch.tensor(counts, dtype=torch.float32, device="cpu")
    return many.sum() / (len(counts) * many)
